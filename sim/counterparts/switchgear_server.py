"""Shell: a breaker and a grid-forming inverter on Modbus TCP, in a process of its own.

`python -m sim.counterparts.switchgear_server` prints {"port": n} and then answers one JSON command per line of standard
input: {"advance": seconds}, {"fault": name}, {"grid": [V, Hz]}, {"get": true} (what is true, whatever it says). Time
passes by command, or with --real-time by the clock. It ends with its standard input.

Faults, until {"fault": ""}: silence (no reply), delay (replies come after DELAY_S), behind (each reply is the one to
the request before, with that one's transaction id), mixed (the right transaction id on other registers), refuse (writes
are refused), freeze (registers stop changing), stuck (commands are taken and not carried out), mad (voltages that no
grid has).
"""

import argparse
import struct
import sys
from typing import Any

from sim.counterparts.modbus_server import ModbusServer
from sim.counterparts.switchgear_plant import SwitchgearPlant

FAULTS = ("", "silence", "delay", "behind", "mixed", "refuse", "freeze", "stuck", "mad")
DELAY_S = 0.7
TICK_S = 0.01
MIXED_BY = 2
READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
WRITE_COIL, WRITE_MANY = 5, 16
NO_FUNCTION, NO_REGISTER, FAILED = 1, 2, 4
COIL_ON = 0xFF00


class Server(ModbusServer):
    """The switchgear and everybody who is connected to it."""

    def __init__(self, plant: SwitchgearPlant) -> None:
        super().__init__(FAULTS, delay_s=DELAY_S, tick_s=TICK_S)
        self._plant = plant
        self._frozen: dict[str, list[int]] | None = None

    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        plant = self._plant
        if "fault" in command:
            self._frozen = plant.tables() if self._fault == "freeze" else None
            plant.stuck, plant.mad = self._fault == "stuck", self._fault == "mad"
        if "grid" in command:
            plant.grid_v, plant.grid_hz = command["grid"]
        if "advance" in command:
            plant.advance(float(command["advance"]))
        return plant.truth() if "get" in command else {}

    def _answer(self, request: bytes) -> bytes:
        function = request[0]
        address, count = struct.unpack(">HH", request[1:5])
        if function in READS:
            tables = self._plant.tables() if self._frozen is None else self._frozen
            shift = MIXED_BY if self._fault == "mixed" else 0
            values = tables[READS[function]][address + shift : address + shift + count]
            if len(values) != count:
                return bytes((function | 0x80, NO_REGISTER))
            if function > 2:
                return struct.pack(f">BB{count}H", function, 2 * count, *values)
            packed = bytes(
                sum(bit << place for place, bit in enumerate(values[start : start + 8]))
                for start in range(0, count, 8)
            )
            return bytes((function, len(packed))) + packed
        if function == WRITE_COIL:
            done = self._fault != "refuse" and self._plant.command(address, count == COIL_ON)
            return request if done else bytes((function | 0x80, FAILED))
        if function == WRITE_MANY:
            registers = struct.unpack(f">{count}H", request[6:])
            done = self._fault != "refuse" and self._plant.put(address, registers)
            return struct.pack(">BHH", function, address, count) if done else bytes((function | 0x80, FAILED))
        return bytes((function | 0x80, NO_FUNCTION))


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A breaker and a grid-forming inverter on Modbus TCP.")
    parser.add_argument("--real-time", action="store_true", help="let time pass by the clock")
    options = parser.parse_args(arguments)
    Server(SwitchgearPlant()).run("127.0.0.1", 0, real_time=options.real_time)


if __name__ == "__main__":
    main(sys.argv[1:])
