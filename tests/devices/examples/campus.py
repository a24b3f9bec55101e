"""A campus behind one connection, driven through the real control core on a simulated bus."""

from collections.abc import Callable
from itertools import count
from typing import Any

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig, parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.dispatch.cycle_record import CycleRecord, replays
from devices.grid_profile import GridProfile
from devices.leases import Lease
from devices.messages.control_messages import (
    Alarm,
    AlarmCode,
    GrantPosition,
    Heartbeat,
    ImageReport,
    Position,
)
from devices.opening.simulated_devices import build_ders
from devices.simulated.island import SimulatedIsland

S = 10**9
NOON_NS = 1_742_472_000 * S
"""Noon of an equinox: the roof gives some 20 kW."""
TIERS = {"safety": 0, "fridges": 1, "pumps": 1, "lights": 2, "fans": 2, "cars": 3}
DRAWN_W = {"safety": 3e3, "fridges": 6e3, "pumps": 4e3, "lights": 6e3, "fans": 5e3, "cars": 2e3}
INRUSH_W = {"fridges": 18e3, "pumps": 15e3, "fans": 90e3}
LIMIT_W = 60e3
NAMES = ("critical", "essential", "normal", "deferrable")


def configuration(**changes: Any) -> ControlConfig:
    """A battery of 120 kWh, a roof and six circuits; the fans draw more as they start than the former carries."""
    capacity_wh = changes.pop("capacity_wh", 120e3)
    battery: dict[str, Any] = {"kind": "battery", "name": "battery", "charge_w": 60e3, "discharge_w": 60e3}
    battery["capacity_wh"] = capacity_wh
    circuits = [
        {"type": "circuit", "name": name, "tier": NAMES[TIERS[name]], "always_w": drawn_w}
        for name, drawn_w in DRAWN_W.items()
    ]
    source: dict[str, Any] = {
        "data_dir": ".",
        "interval_s": 900,
        "clock": {"start_wall_ns": 0, "epoch_ns": 0},
        "connection": {"minimum_w": -100e3, "maximum_w": 100e3},
        "cycle_ms": 1000,
        "islanding": True,
        "grid_profile": "played",
        "forming": {
            "device": "battery",
            "name": "library",
            "rank": ["library", "hall"],
            "inrush_w": INRUSH_W,
        },
        "ders": [
            battery | {"reserve": 0.3, "initial_state_of_charge": changes.pop("charge", 0.8)},
            {"type": "solar", "name": "roof", "peak_w": 40e3, "inverter_w": 40e3},
            *circuits,
        ],
    }
    return parse_config(source | changes)


def public_grid(*steps: tuple[int, bool], ends_s: int = 10**6) -> GridProfile:
    """A public grid that is there or not from these seconds on."""
    edges = (*(NOON_NS + second * S for second, _ in steps), NOON_NS + ends_s * S)
    there = [there for _, there in steps]
    return GridProfile(
        edges,
        tuple(50.0 if each else 0.0 for each in there),
        tuple(1.0 if each else 0.0 for each in there),
        (None,) * len(there),
    )


class Campus:
    """The campus and its clock; one cycle a second. Every cycle replays, or the test fails."""

    def __init__(self, profile: GridProfile, config: ControlConfig | None = None) -> None:
        self.config = configuration() if config is None else config
        self.island = SimulatedIsland(profile)
        self.second = 0
        self.alarms: list[Alarm] = []
        self.reports: list[ImageReport] = []
        self._sequence = count(1)
        self._ders = build_ders(
            self.config, None, {}, self.now, energised=lambda: self.island.energised(self.now)
        )
        self.core = self._control()

    @property
    def now(self) -> Instant:
        return Instant(S + self.second * S, NOON_NS + self.second * S)

    @property
    def state(self) -> str:
        return self.reports[-1].island

    @property
    def last(self) -> CycleRecord:
        return self.core.cycles[-1]

    def served(self) -> set[str]:
        """The circuits that draw what they want, as metered."""
        powers_w = {each.name: each.power_w or 0.0 for each in self.reports[-1].devices}
        return {name for name, drawn_w in DRAWN_W.items() if powers_w[name] <= -0.99 * drawn_w}

    def allowed(self) -> set[str]:
        """The circuits that may draw something."""
        return {each.name for each in self.last.permitted if each.power_w < 0}

    def refused(self) -> list[Alarm]:
        """What the switchgear would not do: control asked for something unsafe."""
        return [each for each in self.alarms if each.code is AlarmCode.SWITCH_REFUSED]

    def restart(self) -> None:
        """Control dies without a word, and another one begins."""
        self.core = self._control()

    def position(self, energy: int) -> None:
        """A market position for the running interval; mWh."""
        interval = self.now.cell_ns // (900 * S)
        self.core.handle(GrantPosition(self._lease(Position(interval, energy), None, 900)), self.now)

    def live(self, seconds: int, each: Callable[[], None] = lambda: None) -> None:
        """So many cycles, and after every one of them `each`."""
        for _ in range(seconds):
            self.second += 1
            self.core.handle(Heartbeat(self._lease(True, False, 3)), self.now)
            messages = self.core.cycle(self.now).messages
            self.alarms += [message for message in messages if isinstance(message, Alarm)]
            self.reports += [message for message in messages if isinstance(message, ImageReport)]
            assert replays(self.last)
            each()

    def _control(self) -> ControlCore:
        name = f"control-{next(self._sequence)}"
        return ControlCore(self.config, self._ders, None, FRESH, self.now, name, self.island, self.island)

    def _lease(self, value: Any, reversion: Any, seconds: int) -> Lease[Any]:
        real_ns = self.now.real_ns
        return Lease(value, reversion, real_ns, real_ns + seconds * S, "daemon", next(self._sequence))
