"""Shell: a SunSpec inverter on Modbus TCP, in a process of its own: `python -m sim.counterparts.sunspec_server`.

It prints {"port": n} and then answers one JSON command per line of standard input: {"advance": seconds},
{"fault": name}, {"put": {"713.SoC": 50}}, {"raw": {"713.SoC": 65535}}, {"get": ["701.W"]}, {"stored_wh": Wh},
{"power_w": W} (of a meter), {"stuck": true} (setpoints are taken and not followed), {"timers": false},
{"writes": true} (the setpoint of a battery after each write since last asked, with the monotonic time in ns). Time
passes by command, or with --real-time by the clock as well. It ends with its standard input.

Faults, until {"fault": ""}: silence (no reply), delay (replies come after DELAY_S), behind (each reply is the one
to the request before, with that one's transaction id), mixed (the right transaction id on other registers), refuse
(writes are refused), freeze (registers stop changing, as when an inverter's gateway has lost the inverter).
"""

import argparse
import json
import struct
import sys
import time
from collections import deque
from importlib.resources import files
from typing import Any

from sim.counterparts.modbus_server import ModbusServer
from sim.counterparts.sunspec_plant import BASE, MODELS, Plant

FAULTS = ("", "silence", "delay", "behind", "mixed", "refuse", "freeze")
DELAY_S = 0.8
TICK_S = 0.02
MIXED_BY = 3
WRITES_KEPT = 50_000
SETPOINT = "704.WSet"
READ_HOLDING, WRITE_MANY = 3, 16
NO_FUNCTION, NO_REGISTER, NO_VALUE = 1, 2, 3


class Server(ModbusServer):
    """The inverter and everybody who is connected to it."""

    def __init__(self, plant: Plant, unit: int) -> None:
        super().__init__(FAULTS, delay_s=DELAY_S, tick_s=TICK_S, unit=unit)
        self._plant = plant
        self._frozen: list[int] | None = None
        self._writes: deque[tuple[int, float]] = deque(maxlen=WRITES_KEPT)

    def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        plant = self._plant
        if "fault" in command:
            self._frozen = list(plant.registers) if self._fault == "freeze" else None
        for name in ("stuck", "timers", "stored_wh", "power_w"):
            if name in command:
                setattr(plant, name, command[name])
        for place, value in command.get("put", {}).items():
            plant.put(place, value)
        for place, value in command.get("raw", {}).items():
            plant.put(place, value, scaled=False)
        if "advance" in command:
            plant.advance(float(command["advance"]))
        said: dict[str, Any] = {place: plant.get(place) for place in command.get("get", ())}
        if "writes" in command:
            said["writes"] = list(self._writes)
            self._writes.clear()
        return said

    def _answer(self, request: bytes) -> bytes:
        function = request[0]
        if function == READ_HOLDING:
            address, count = struct.unpack(">HH", request[1:5])
            registers = self._read(address, count)
            if registers is None:
                return bytes((function | 0x80, NO_REGISTER))
            return struct.pack(f">BB{count}H", function, 2 * count, *registers)
        if function == WRITE_MANY:
            address, count, _ = struct.unpack(">HHB", request[1:6])
            values = struct.unpack(f">{count}H", request[6:])
            if self._fault == "refuse" or not self._plant.write(address, values):
                return bytes((function | 0x80, NO_VALUE))
            self._plant.advance(0.0)
            if SETPOINT in self._plant.places:
                self._writes.append((time.monotonic_ns(), self._plant.get(SETPOINT)))
            return struct.pack(">BHH", function, address, count)
        return bytes((function | 0x80, NO_FUNCTION))

    def _read(self, address: int, count: int) -> list[int] | None:
        if self._fault == "mixed":
            address += MIXED_BY
        if self._frozen is not None and address >= BASE:
            return self._frozen[address - BASE : address - BASE + count]
        return self._plant.read(address, count)


def definitions(kind: str) -> dict[int, dict[str, Any]]:
    """The published files of the models of one kind of inverter."""
    folder = files("sunspec2") / "models" / "json"
    return {
        number: json.loads((folder / f"model_{number}.json").read_text("utf-8")) for number in MODELS[kind]
    }


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A SunSpec inverter on Modbus TCP, to try drivers with.")
    parser.add_argument("--kind", choices=tuple(MODELS), default="battery")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--unit", type=int, default=1)
    parser.add_argument("--real-time", action="store_true", help="let time pass by the clock")
    parser.add_argument("--speed", type=float, default=1.0, help="of its energy, as that of a testnet")
    options = parser.parse_args(arguments)
    plant = Plant(options.kind, definitions(options.kind), speed=options.speed)
    Server(plant, options.unit).run(options.host, options.port, real_time=options.real_time)


if __name__ == "__main__":
    main(sys.argv[1:])
