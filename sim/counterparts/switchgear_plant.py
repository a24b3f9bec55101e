"""The physics of a transfer switch and a grid-forming inverter as their registers show them. No I/O.

The breaker opens by itself when the public grid fails, and takes its time to close; the former does, too, and lets go
when the heartbeat register stands still for longer than the watchdog register says. An interlock of its own refuses a
former on a live bus, a breaker out of step, and feeding a dead public grid. V, Hz, degrees, s.
"""

from typing import Any

NOMINAL_V, DEAD_V = 230.0, 23.0
KEPT_HZ, KEPT_V = (47.5, 51.5), (195.5, 264.5)
BREAKER_S, FORMER_S = 0.15, 0.3
BEGINNING_DEGREES = 120.0
SYNC_HZ, SYNC_DEGREES = 0.2, 15.0
"""Wider than what control keeps to: what refuses here must never have been asked."""
CLOSE, FORM = 0, 1
IDENTITY = 4_711
HZ_SCALE = 0.001
MAD_RAW = 65_535


class SwitchgearPlant:
    """State and registers; `refused`: what the interlock was asked for in vain, `formed`: how often a former began."""

    def __init__(self) -> None:
        self.grid_v, self.grid_hz = NOMINAL_V, 50.0
        self.closed, self.forming = True, False
        self.stuck = self.mad = False
        self.angle = 0.0
        self.refused: list[str] = []
        self.formed = 0
        self._coils = [0, 0]
        self._holding = [50_000, 0, 0, IDENTITY]
        self._closing_s: float | None = None
        self._forming_s: float | None = None
        self._still_s = 0.0
        self._counted = 0.0

    @property
    def bus(self) -> tuple[float, float]:
        """Voltage and frequency of the site's side."""
        if self.closed:
            return self.grid_v, self.grid_hz
        return (NOMINAL_V, self._holding[0] * HZ_SCALE) if self.forming else (0.0, 0.0)

    def command(self, coil: int, on: bool) -> bool:
        """A coil is written; false where the interlock refuses."""
        if coil not in (CLOSE, FORM):
            return False
        if not self.stuck and on:
            reason = self._why_not_form() if coil == FORM else self._why_not_close()
            if reason:
                self.refused.append(reason)
                return False
        self._coils[coil] = int(on)
        if self.stuck:
            return True
        if coil == FORM:
            self._forming_s = FORMER_S if on and not self.forming else None
            self.forming = self.forming and on
        elif on and not self.closed:
            self._closing_s = BREAKER_S
        return True

    def put(self, address: int, registers: tuple[int, ...]) -> bool:
        """Holding registers are written; the identity cannot be."""
        if address + len(registers) > 3:
            return False
        if address <= 1 < address + len(registers) and registers[1 - address] != self._holding[1]:
            self._still_s = 0.0
        self._holding[address : address + len(registers)] = registers
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._counted += seconds
        self._still_s += seconds
        if self._holding[2] and self._still_s > self._holding[2] and not self.stuck:
            self.forming, self._coils[FORM], self._forming_s = False, 0, None
        if self.closed and not (
            KEPT_V[0] <= self.grid_v <= KEPT_V[1] and KEPT_HZ[0] <= self.grid_hz <= KEPT_HZ[1]
        ):
            self.closed, self.angle = False, BEGINNING_DEGREES
        if self._closing_s is not None:
            self._closing_s -= seconds
            if self._closing_s <= 0:
                self.closed, self._closing_s = True, None
        if self._forming_s is not None:
            self._forming_s -= seconds
            if self._forming_s <= 0:
                self.forming, self._forming_s = True, None
                self.formed += 1
        if self.forming and not self.closed and self.grid_v >= DEAD_V:
            drift = (self.bus[1] - self.grid_hz) * 360.0 * seconds
            self.angle = (self.angle + drift + 180.0) % 360.0 - 180.0

    def tables(self) -> dict[str, list[int]]:
        """The four tables of registers."""
        bus_v, bus_hz = self.bus
        grid_hz = self.grid_hz if self.grid_v >= DEAD_V else 0.0
        volts = [MAD_RAW, MAD_RAW] if self.mad else [round(10 * bus_v), round(10 * self.grid_v)]
        measured = [volts[0], round(bus_hz / HZ_SCALE), volts[1], round(grid_hz / HZ_SCALE)]
        return {
            "coil": list(self._coils),
            "discrete": [int(self.closed), int(self.forming)],
            "input": [*measured, round(10 * self.angle) % 65_536, int(10 * self._counted) % 65_536],
            "holding": list(self._holding),
        }

    def truth(self) -> dict[str, Any]:
        """How it is, whatever its registers say."""
        bus_v, bus_hz = self.bus
        return {
            "closed": self.closed,
            "forming": self.forming,
            "formed": self.formed,
            "told_to_close": bool(self._coils[CLOSE]),
            "bus_v": bus_v,
            "bus_hz": bus_hz,
            "watchdog_s": self._holding[2],
            "refused": self.refused,
        }

    def _why_not_form(self) -> str:
        return "" if not self.closed and self.bus[0] < DEAD_V else "live bus"

    def _why_not_close(self) -> str:
        if self.grid_v < DEAD_V:
            return "dead grid"
        if self.closed or self.bus[0] < DEAD_V:
            return ""
        apart = abs(self.bus[1] - self.grid_hz) > SYNC_HZ or abs(self.angle) > SYNC_DEGREES
        return "out of step" if apart else ""
