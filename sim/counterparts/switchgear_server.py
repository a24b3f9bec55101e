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
import json
import socket
import struct
import sys
import threading
import time
from typing import Any

from sim.counterparts.switchgear_plant import SwitchgearPlant

FAULTS = ("", "silence", "delay", "behind", "mixed", "refuse", "freeze", "stuck", "mad")
DELAY_S = 0.7
TICK_S = 0.01
MIXED_BY = 2
READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
WRITE_COIL, WRITE_MANY = 5, 16
NO_FUNCTION, NO_REGISTER, FAILED = 1, 2, 4
COIL_ON = 0xFF00


class Server:
    """The switchgear and everybody who is connected to it."""

    def __init__(self, plant: SwitchgearPlant) -> None:
        self._plant = plant
        self._lock = threading.Lock()
        self._fault = ""
        self._frozen: dict[str, list[int]] | None = None

    def serve(self, listener: socket.socket) -> None:
        """Take connections for ever."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def tick(self) -> None:
        """Let time pass by the clock, for ever."""
        before = time.monotonic()
        while True:
            time.sleep(TICK_S)
            now = time.monotonic()
            self.obey({"advance": now - before})
            before = now

    def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what one command says."""
        with self._lock:
            plant = self._plant
            if "fault" in command:
                self._fault = FAULTS[FAULTS.index(command["fault"])]
                self._frozen = plant.tables() if self._fault == "freeze" else None
                plant.stuck, plant.mad = self._fault == "stuck", self._fault == "mad"
            if "grid" in command:
                plant.grid_v, plant.grid_hz = command["grid"]
            if "advance" in command:
                plant.advance(float(command["advance"]))
            return plant.truth() if "get" in command else {}

    def _talk(self, connection: socket.socket) -> None:
        last: tuple[int, bytes] | None = None
        with connection:
            while (head := _receive(connection, 7)) is not None:
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                request = _receive(connection, length - 1)
                if request is None:
                    return
                with self._lock:
                    answer = (transaction, self._answer(request))
                    fault = self._fault
                if fault == "silence":
                    continue
                if fault == "delay":
                    time.sleep(DELAY_S)
                said = (last or (transaction - 1, answer[1])) if fault == "behind" else answer
                last = answer
                try:
                    connection.sendall(
                        struct.pack(">HHHB", said[0] & 0xFFFF, 0, len(said[1]) + 1, unit) + said[1]
                    )
                except OSError:
                    return

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


def _receive(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            part = connection.recv(count - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return data


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A breaker and a grid-forming inverter on Modbus TCP.")
    parser.add_argument("--real-time", action="store_true", help="let time pass by the clock")
    options = parser.parse_args(arguments)
    server = Server(SwitchgearPlant())
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=server.serve, args=(listener,), daemon=True).start()
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    if options.real_time:
        threading.Thread(target=server.tick, daemon=True).start()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(server.obey(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
