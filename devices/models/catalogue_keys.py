"""The keys of each device type in a configuration: name, limits, default. Every limit refuses a unit mistake."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devices.fields import Fields
from devices.models.daily_use import DailyUse

LARGEST_W = 1e9
LARGEST_WH = 1e12
MOST_ROWS = 96
"""Rows of a day: a quarter of an hour each."""
USE_NAMES = ("always_w", "use")
REQUIRED = "required"
"""The default of a key that must be there."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number within limits. `default`: a number, None for an option that is off, or REQUIRED."""

    name: str
    minimum: float
    maximum: float
    default: float | str | None = REQUIRED

    @property
    def allowed(self) -> str:
        """For the documentation."""
        return f"{self.minimum:g} to {self.maximum:g}"

    def read(self, fields: Fields) -> float | None:
        """The value, or a harmless one and a problem."""
        if self.default is None and fields.absent(self.name):
            return None
        default = self.default if isinstance(self.default, int | float) else None
        return fields.number(self.name, self.minimum, self.maximum, default)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within limits."""

    name: str
    minimum: int
    maximum: int
    default: int

    @property
    def allowed(self) -> str:
        """For the documentation."""
        return f"{self.minimum} to {self.maximum}, whole"

    def read(self, fields: Fields) -> int:
        """The value, or a harmless one and a problem."""
        return fields.integer(self.name, self.minimum, self.maximum, self.default)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    name: str
    words: tuple[str, ...]
    default: str

    @property
    def allowed(self) -> str:
        """For the documentation."""
        return ", ".join(self.words)

    def read(self, fields: Fields) -> str:
        """The value, or a harmless one and a problem."""
        return fields.choice(self.name, self.words, self.default)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    name: str
    default: bool

    @property
    def allowed(self) -> str:
        """For the documentation."""
        return "true or false"

    def read(self, fields: Fields) -> bool:
        """The value, or the default and a problem."""
        return fields.flag(self.name, self.default)


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of rows of numbers. Its default is an empty list."""

    name: str
    shape: str
    limits: tuple[tuple[float, float], ...]
    default: tuple[()] = ()

    @property
    def allowed(self) -> str:
        """For the documentation."""
        return f"rows {self.shape}"

    def read(self, fields: Fields) -> tuple[tuple[float, ...], ...]:
        """The rows, or none and a problem."""
        return fields.rows(self.name, self.limits, MOST_ROWS, self.shape)


Key = Number | Whole | Choice | Flag | Rows


def daily_use(values: Mapping[str, Any]) -> DailyUse:
    """The daily use that `always_w` and `use` describe."""
    return DailyUse(values["always_w"], tuple((row[0], row[1], row[2]) for row in values["use"]))


def _power(name: str, default: float | str | None = REQUIRED) -> Number:
    return Number(name, 0.0, LARGEST_W, default)


def _energy(name: str, default: float | str | None = REQUIRED) -> Number:
    return Number(name, 1.0, LARGEST_WH, default)


def _part(name: str, default: float | str) -> Number:
    return Number(name, 0.0, 1.0, default)


def _efficiency(name: str, default: float) -> Number:
    return Number(name, 0.01, 1.0, default)


def _use() -> tuple[Key, ...]:
    hours = (0.0, 24.0)
    return _power("always_w", 0.0), Rows("use", "[from hour, to hour, W]", (hours, hours, (0.0, LARGEST_W)))


def _lithium(standby_w: float) -> tuple[Key, ...]:
    return (
        _energy("capacity_wh"),
        _power("charge_w"),
        _power("discharge_w"),
        _efficiency("charge_efficiency", 0.95),
        _efficiency("discharge_efficiency", 0.95),
        _part("initial_state_of_charge", 0.5),
        _power("standby_w", standby_w),
        Number("ramp_w_per_s", 1e-3, LARGEST_W, None),
        _part("taper_from", 0.9),
        Number("ageing", 0.0, 1000.0, 1.0),
    )


def home_battery() -> tuple[Key, ...]:
    """Of a home's battery."""
    return _lithium(10.0)


def backup_unit() -> tuple[Key, ...]:
    """Of a rack's battery backup unit."""
    return _lithium(2.0)


def flywheel() -> tuple[Key, ...]:
    """Of a flywheel."""
    return (
        Number("inertia_kg_m2", 1e-3, 1e6, 19.2),
        Number("highest_rpm", 1.0, 200_000.0, 16_000.0),
        Number("lowest_rpm", 0.0, 200_000.0, 8_000.0),
        _power("charge_w", 100_000.0),
        _power("discharge_w", 100_000.0),
        _efficiency("charge_efficiency", 0.96),
        _efficiency("discharge_efficiency", 0.96),
        Number("drag_w_s2", 0.0, 1.0, 3.6e-4),
        _power("bearings_w", 100.0),
        Number("lag_s", 1e-6, 1.0, 0.0005),
        _part("initial_state_of_charge", 0.5),
    )


def ups() -> tuple[Key, ...]:
    """Of a UPS."""
    return (
        Choice("topology", ("double-conversion", "line-interactive"), "double-conversion"),
        _energy("capacity_wh"),
        _power("charge_w"),
        _power("discharge_w"),
        _efficiency("charge_efficiency", 0.93),
        _efficiency("discharge_efficiency", 0.93),
        _part("initial_state_of_charge", 1.0),
        _power("standby_w", 5.0),
        Number("bus_j", 0.0, 1e9, None),
        *_use(),
    )


def rack() -> tuple[Key, ...]:
    """Of a rack's power unit."""
    return (
        Number("capacity_wh", 10.0, 100.0, REQUIRED),
        _power("charge_w"),
        _power("discharge_w"),
        _part("low", 0.4),
        _part("high", 0.8),
        _power("low_load_w", 0.0),
        _efficiency("shelf_efficiency", 0.975),
        _efficiency("charge_efficiency", 0.97),
        _efficiency("discharge_efficiency", 0.97),
        _part("initial_state_of_charge", 0.6),
        _power("standby_w", 0.5),
        *_use(),
    )


def dc_bus() -> tuple[Key, ...]:
    """Of a DC bus."""
    power = (0.0, LARGEST_W)
    return (
        Rows("assemblies", "[capacity Wh, charge W, discharge W]", ((1.0, LARGEST_WH), power, power)),
        _power("inverter_w"),
        _efficiency("converter_efficiency", 0.98),
        _efficiency("inverter_efficiency", 0.97),
        _power("idle_w", 10.0),
        _part("initial_state_of_charge", 0.5),
    )


def solar() -> tuple[Key, ...]:
    """Of a solar array."""
    return (
        _power("peak_w"),
        _power("inverter_w"),
        _efficiency("inverter_efficiency", 0.97),
        _part("other_losses", 0.05),
        Number("per_kelvin", -0.02, 0.0, -0.0035),
        Number("noct_c", 20.0, 80.0, 45.0),
    )


def wind() -> tuple[Key, ...]:
    """Of a wind turbine."""
    return (
        _power("rated_w"),
        Number("cut_in_m_s", 0.0, 50.0, 3.0),
        Number("rated_m_s", 0.0, 50.0, 11.0),
        Number("cut_out_m_s", 0.0, 100.0, 25.0),
        _efficiency("efficiency", 0.92),
    )


def _fuelled(start_s: float, electric: float, at_minimum: float, heat: float) -> tuple[Key, ...]:
    return (
        _power("rated_w"),
        _power("minimum_w"),
        Number("start_s", 0.0, 86_400.0, start_s),
        Number("ramp_w_per_s", 1e-3, LARGEST_W, REQUIRED),
        _efficiency("efficiency", electric),
        _efficiency("minimum_efficiency", at_minimum),
        _part("heat_efficiency", heat),
        _energy("tank_wh", None),
    )


def backup_generator() -> tuple[Key, ...]:
    """Of a diesel set."""
    return _fuelled(10.0, 0.35, 0.25, 0.0)


def heat_and_power() -> tuple[Key, ...]:
    """Of combined heat and power."""
    return _fuelled(60.0, 0.27, 0.24, 0.61)


def fuel_cell() -> tuple[Key, ...]:
    """Of a fuel cell."""
    return _fuelled(300.0, 0.37, 0.35, 0.55)


def ev_charger() -> tuple[Key, ...]:
    """Of an EV charger."""
    return (
        _power("maximum_w"),
        _energy("battery_wh"),
        Number("arrives_h", 0.0, 24.0, REQUIRED),
        Number("departs_h", 0.0, 24.0, REQUIRED),
        _part("arrival_state_of_charge", 0.4),
        _part("target_state_of_charge", 0.9),
        Number("minimum_a", 0.0, 100.0, 6.0),
        Whole("phases", 1, 3, 1),
        Flag("deferrable", True),
        _efficiency("efficiency", 0.9),
    )


def _switched(tier: str, efficiency: float, standby_w: float, lowest_level: float) -> tuple[Key, ...]:
    return (
        Choice("tier", ("critical", "essential", "normal", "deferrable"), tier),
        _efficiency("efficiency", efficiency),
        _power("standby_w", standby_w),
        Number("lowest_level", 0.001, 1.0, lowest_level),
        Number("volt", 1.0, 1000.0, 230.0),
        Number("rated_a", 0.1, 1000.0, None),
        Choice("curve", ("B", "C"), "B"),
        Number("residual_a", 0.001, 10.0, 0.03),
        Number("limit_c", 30.0, 150.0, 70.0),
        Flag("keeps_when_blind", False),
        Rows(
            "faults",
            "[from hour, to hour, A more, A to earth, K more]",
            ((0.0, 24.0), (0.0, 24.0), (0.0, 1e5), (0.0, 100.0), (0.0, 500.0)),
        ),
        *_use(),
    )


def circuit() -> tuple[Key, ...]:
    """Of a load circuit."""
    return _switched("normal", 1.0, 0.0, 1.0)


def lighting() -> tuple[Key, ...]:
    """Of a lighting circuit."""
    return _switched("normal", 1.0, 0.5, 0.1)


def switch() -> tuple[Key, ...]:
    """Of a retrofit switch."""
    return _switched("deferrable", 1.0, 0.7, 1.0)


def dc_socket() -> tuple[Key, ...]:
    """Of a DC socket."""
    return (
        Number("maximum_w", 2.5, 240.0, 100.0),
        Number("device_wh", 0.0, 10_000.0, 0.0),
        Number("charge_w", 0.0, 240.0, 0.0),
        Number("standby_w", 0.0, 240.0, 0.5),
        _part("defer_above", 1.0),
        _part("initial_state_of_charge", 0.5),
        _efficiency("efficiency", 0.92),
        *_use(),
    )


def heat_pump() -> tuple[Key, ...]:
    """Of a heat pump."""
    return (
        _power("electric_w"),
        Number("litres", 1.0, 1e7, REQUIRED),
        Number("from_c", 0.0, 95.0, 45.0),
        Number("to_c", 0.0, 95.0, 55.0),
        Number("comfort_c", 0.0, 95.0, 42.0),
        _part("lowest_part", 0.3),
        _part("carnot_part", 0.45),
        Number("loss_w_per_k", 0.0, 10_000.0, 2.0),
        Number("room_c", -20.0, 40.0, 18.0),
        Number("initial_c", 0.0, 95.0, 50.0),
        *_use(),
    )


def appliance() -> tuple[Key, ...]:
    """Of a smart appliance."""
    return (
        Number("ready_h", 0.0, 24.0, REQUIRED),
        Number("deadline_h", 0.0, 24.0, REQUIRED),
        Rows("programme", "[minutes, W]", ((0.1, 1440.0), (0.0, LARGEST_W))),
        _power("standby_w", 0.5),
    )
