"""Shell: one Modbus TCP connection to one unit: reads and writes holding registers, and finds SunSpec models.

A reply counts only when it carries the transaction id, the unit and the length that were asked for; after anything
else the connection is closed, so a late reply is never taken for the answer to a later question. Sources: Modbus
Application Protocol 1.1b3; Modbus Messaging on TCP/IP 1.0b; SunSpec Device Information Model 1.1, section 6.
"""

import logging
from collections.abc import Sequence

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from devices.drivers.hardware import HardwareError, RequestRefusedError
from devices.sunspec.definitions import definition
from devices.sunspec.points import HEADER, Block, Definition

MOST_REGISTERS = 125
"""What one Modbus reply can carry."""
BASES = (40_000, 0, 50_000)
"""Where a SunSpec map may begin, in the order in which clients are to look."""
MARK = (0x5375, 0x6E53)
"""The letters SunS."""
END = 0xFFFF
MOST_MODELS = 200
"""More models than this in one map is a map that leads round in a circle or into noise."""
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
        """Registers from `address` on, in as many requests as they need. Raises HardwareError."""
        registers: list[int] = []
        while len(registers) < count:
            part = min(MOST_REGISTERS, count - len(registers))
            at = address + len(registers)
            try:
                reply = self._client.read_holding_registers(at, count=part, device_id=self._unit)
            except (ModbusException, OSError) as error:
                raise self._lost(
                    f"no answer to reading {part} registers from {at}: {self._why(error)}"
                ) from error
            self._must_succeed(reply, f"reading {part} registers from {at}")
            if len(reply.registers) != part:
                raise self._lost(f"{len(reply.registers)} registers came for {part} from {at}")
            registers.extend(reply.registers)
        return tuple(registers)

    def write(self, address: int, values: Sequence[int]) -> None:
        """Write registers in one request. Raises RequestRefusedError when the device says no, else HardwareError."""
        try:
            reply = self._client.write_registers(address, list(values), device_id=self._unit)
        except (ModbusException, OSError) as error:
            raise self._lost(f"no answer to writing register {address}: {self._why(error)}") from error
        if isinstance(reply, ExceptionResponse):
            raise RequestRefusedError(f"{self.place}: register {address}: {_meaning(reply)}")
        self._must_succeed(reply, f"writing register {address}")
        if (reply.address, reply.count) != (address, len(values)):
            raise self._lost(f"the answer to writing register {address} is about {reply.address}")

    def discover(self) -> dict[int, tuple[int, int]]:
        """Every model of the map: its number, and the address and the length in registers, header included.

        The first of several models of one number counts. Raises HardwareError when there is no map.
        """
        for base in BASES:
            try:
                if self.read(base, HEADER) == MARK:
                    return self._walk(base + HEADER)
            except RequestRefusedError:
                continue
        tried = ", ".join(map(str, BASES))
        raise HardwareError(
            f"{self.place}: no SunSpec map at {tried}; is it switched on in the device's menu?"
        )

    def block(self, definition_: Definition, place: tuple[int, int]) -> Block:
        """Read a model as far as its definition goes; its number and length must stand where they were found.

        A reply that belongs to another model is known by that. Raises HardwareError.
        """
        address, size = place
        registers = self.read(address, min(size, definition_.size))
        if registers[:HEADER] != (definition_.number, size - HEADER):
            raise self._lost(f"model {definition_.number} is not at {address}, another's registers came")
        return Block(definition_, address, registers)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _walk(self, address: int) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for _ in range(MOST_MODELS):
            number, length = self.read(address, HEADER)
            if number == END:
                return found
            found.setdefault(number, (address, HEADER + length))
            address += HEADER + length
        raise self._lost(f"more than {MOST_MODELS} models; the map has no end")

    def _must_succeed(self, reply: ModbusPDU, doing: str) -> None:
        if isinstance(reply, ExceptionResponse):
            raise RequestRefusedError(f"{self.place}: {doing}: {_meaning(reply)}")
        if reply.isError():
            raise self._lost(f"{doing}: {reply}")

    def _why(self, error: Exception) -> str:
        if isinstance(error, ConnectionException):
            return "no connection, or it was closed"
        if isinstance(error, ModbusIOException) and "No response" in str(error):
            return f"no reply to it within {self._timeout_s:g} s"
        return str(error).removeprefix("Modbus Error: ").strip() or type(error).__name__

    def _lost(self, text: str) -> HardwareError:
        self.close()
        return HardwareError(f"{self.place}: {text}")


def known_models(found: dict[int, tuple[int, int]]) -> dict[int, Definition]:
    """The definitions of those models that are published."""
    pairs = ((number, definition(number)) for number in found)
    return {number: each for number, each in pairs if each is not None}


def _meaning(reply: ExceptionResponse) -> str:
    return f"refused, {EXCEPTIONS.get(reply.exception_code, f'exception {reply.exception_code}')}"
