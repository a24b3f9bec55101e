"""Shell: one Modbus TCP connection to one unit: reads and writes registers, coils and inputs.

A reply counts only when it carries the transaction id, the unit and the length that were asked for; after anything
else the connection is closed, so a late reply is never taken for the answer to a later question. Sources: Modbus
Application Protocol 1.1b3; Modbus Messaging on TCP/IP 1.0b.
"""

import logging
from collections.abc import Sequence
from enum import Enum

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from devices.drivers.hardware import HardwareError, RequestRefusedError

MOST_REGISTERS = 125
"""What one Modbus reply can carry."""
EXCEPTIONS = {
    1: "it does not know the function",
    2: "it has no such register",
    3: "it does not take this value",
    4: "it failed",
    5: "it needs longer",
    6: "it is busy",
    10: "the gateway has no path to the unit",
    11: "the unit behind the gateway does not answer",
}

# What goes wrong on the wire is reported once, by what is raised here, and not on standard error besides.
logging.getLogger("pymodbus").addHandler(logging.NullHandler())
logging.getLogger("pymodbus").propagate = False


class Space(Enum):
    """The four tables of Modbus."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def bits(self) -> bool:
        """Whether its values are single bits."""
        return self in (Space.COIL, Space.DISCRETE)

    @property
    def words(self) -> str:
        """What its values are called."""
        names = {Space.COIL: "coils", Space.DISCRETE: "discrete inputs", Space.INPUT: "input registers"}
        return names.get(self, "registers")


class ModbusLink:
    """A connection that is made when it is needed and closed after every failure."""

    def __init__(self, host: str, port: int, unit: int, timeout_s: float) -> None:
        """`timeout_s` bounds connecting and each reply."""
        self.place = f"{host}:{port}, unit {unit}"
        self._unit = unit
        self._timeout_s = timeout_s
        self._client = ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)

    @property
    def connected(self) -> bool:
        """Whether the connection made last still stands."""
        return bool(self._client.connected)

    def read(self, address: int, count: int) -> tuple[int, ...]:
        """Holding registers from `address` on, in as many requests as they need. Raises HardwareError."""
        registers: list[int] = []
        while len(registers) < count:
            part = min(MOST_REGISTERS, count - len(registers))
            registers.extend(self.read_of(Space.HOLDING, address + len(registers), part))
        return tuple(registers)

    def read_of(self, space: Space, address: int, count: int) -> tuple[int, ...]:
        """At most `MOST_REGISTERS` values of one space in one request; bits are 0 or 1. Raises HardwareError."""
        asks = {
            Space.COIL: self._client.read_coils,
            Space.DISCRETE: self._client.read_discrete_inputs,
            Space.HOLDING: self._client.read_holding_registers,
            Space.INPUT: self._client.read_input_registers,
        }
        doing = f"reading {count} {space.words} from {address}"
        try:
            reply = asks[space](address, count=count, device_id=self._unit)
        except (ModbusException, OSError) as error:
            raise self.lost(f"no answer to {doing}: {self._why(error)}") from error
        self._must_succeed(reply, doing)
        if not space.bits:
            if len(reply.registers) != count:
                raise self.lost(f"{len(reply.registers)} registers came for {count} from {address}")
            return tuple(reply.registers)
        # Bits come in whole bytes.
        if len(reply.bits) != -(-count // 8) * 8:
            raise self.lost(f"{len(reply.bits)} bits came for {count} from {address}")
        return tuple(int(bit) for bit in reply.bits[:count])

    def write_coil(self, address: int, on: bool) -> None:
        """Write one coil. Raises RequestRefusedError when the device says no, else HardwareError."""
        try:
            reply = self._client.write_coil(address, on, device_id=self._unit)
        except (ModbusException, OSError) as error:
            raise self.lost(f"no answer to writing coil {address}: {self._why(error)}") from error
        if isinstance(reply, ExceptionResponse):
            raise RequestRefusedError(f"{self.place}: coil {address}: {_meaning(reply)}")
        self._must_succeed(reply, f"writing coil {address}")
        if (reply.address, bool(reply.bits[0])) != (address, on):
            raise self.lost(f"the answer to writing coil {address} is about another")

    def write(self, address: int, values: Sequence[int]) -> None:
        """Write registers in one request. Raises RequestRefusedError when the device says no, else HardwareError."""
        try:
            reply = self._client.write_registers(address, list(values), device_id=self._unit)
        except (ModbusException, OSError) as error:
            raise self.lost(f"no answer to writing register {address}: {self._why(error)}") from error
        if isinstance(reply, ExceptionResponse):
            raise RequestRefusedError(f"{self.place}: register {address}: {_meaning(reply)}")
        self._must_succeed(reply, f"writing register {address}")
        if (reply.address, reply.count) != (address, len(values)):
            raise self.lost(f"the answer to writing register {address} is about {reply.address}")

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _must_succeed(self, reply: ModbusPDU, doing: str) -> None:
        if isinstance(reply, ExceptionResponse):
            raise RequestRefusedError(f"{self.place}: {doing}: {_meaning(reply)}")
        if reply.isError():
            raise self.lost(f"{doing}: {reply}")

    def _why(self, error: Exception) -> str:
        if isinstance(error, ConnectionException):
            return "no connection, or it was closed"
        if isinstance(error, ModbusIOException) and "No response" in str(error):
            return f"no reply to it within {self._timeout_s:g} s"
        return str(error).removeprefix("Modbus Error: ").strip() or type(error).__name__

    def lost(self, text: str) -> HardwareError:
        """The error to raise for an answer that cannot be believed: the connection is closed with it."""
        self.close()
        return HardwareError(f"{self.place}: {text}")


def _meaning(reply: ExceptionResponse) -> str:
    return f"refused, {EXCEPTIONS.get(reply.exception_code, f'exception {reply.exception_code}')}"
