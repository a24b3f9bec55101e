"""How a SunSpec device is given a setpoint and how it reads back: registers in, registers out, no I/O.

Sources: SunSpec DER Information Model 1.0 (models 702 and 704; reversion: when the timer runs out, the values in the
reversion registers take the place of the others), SunSpec model 124, Basic Storage Control.

What reverts is written before what it protects: value and time of the reversion stand before the setpoint does.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from devices.drivers.hardware import Order
from devices.image import DerKind
from devices.sunspec.points import Block, UnfitValueError

ENABLED = 1
WATTS = 1
"""Model 704: the setpoint is in W and not in percent."""
CHARGE_AND_DISCHARGE = 3
"""Model 124: both limits are in force."""
PERCENT = 100.0
RATING, CONTROLS, STORAGE_CONTROL, DER_CONTROL = 702, 704, 124, 715

Write = tuple[int, tuple[int, ...]]
"""Address of the first register, and the registers."""


class Steering(Protocol):
    """One way to give a setpoint."""

    @property
    def models(self) -> tuple[int, ...]:
        """The models that `writes` must see."""
        ...

    def writes(self, order: Order, blocks: Mapping[int, Block]) -> Iterator[Write]:
        """What to write, in this order. Raises UnfitValueError for a setpoint that the registers do not hold."""
        ...

    def setpoint_w(self, order: Order | None, blocks: Mapping[int, Block]) -> float | None:
        """The setpoint in force; None when the device is not told by it. One that is the order's as exactly as the
        registers can hold it is the order's.
        """
        ...


def choose_steering(kind: DerKind, found: Mapping[int, object]) -> Steering | None:
    """The best way that the models found allow."""
    if CONTROLS in found:
        return PowerSetpoint() if kind is DerKind.BATTERY else PowerLimit()
    return StorageRates() if kind is DerKind.BATTERY and STORAGE_CONTROL in found else None


@dataclass(frozen=True, slots=True)
class PowerSetpoint:
    """Model 704, WSet: power in W with a reversion value and the device's own timer."""

    models: tuple[int, ...] = (CONTROLS, DER_CONTROL)

    def writes(self, order: Order, blocks: Mapping[int, Block]) -> Iterator[Write]:
        """Reversion value; reversion switched on, with its time; then the setpoint."""
        block = blocks[CONTROLS]
        reversion = block.encoded("WSetRvrt", order.reversion_w)
        timer = block.encoded("WSetEnaRvrt", ENABLED) + block.encoded("WSetRvrtTms", _seconds(order))
        now = block.encoded("WSetEna", ENABLED) + block.encoded("WSetMod", WATTS)
        now += block.encoded("WSet", order.power_w)
        yield _at(block, "WSetRvrt"), reversion
        yield _at(block, "WSetEnaRvrt"), timer
        yield _at(block, "WSetEna"), now

    def setpoint_w(self, order: Order | None, blocks: Mapping[int, Block]) -> float | None:
        """WSet, when it is in force."""
        block = blocks[CONTROLS]
        if block.raw("WSetEna") != ENABLED or block.raw("WSetMod") != WATTS:
            return None
        if order is not None and _holds(block, "WSet", order.power_w):
            return order.power_w
        return block.number("WSet")


@dataclass(frozen=True, slots=True)
class PowerLimit:
    """Model 704, WMaxLimPct: a limit in percent of the largest power, with reversion; for solar and wind."""

    models: tuple[int, ...] = (CONTROLS, RATING, DER_CONTROL)

    def writes(self, order: Order, blocks: Mapping[int, Block]) -> Iterator[Write]:
        """Reversion value and time; then the limit. Rounded down: a limit never grows."""
        block, most_w = blocks[CONTROLS], _largest_w(blocks)
        later = block.encoded("WMaxLimPctRvrt", order.reversion_w / most_w * PERCENT, toward_zero=True)
        later += block.encoded("WMaxLimPctEnaRvrt", ENABLED)
        later += block.encoded("WMaxLimPctRvrtTms", _seconds(order))
        now = block.encoded("WMaxLimPctEna", ENABLED)
        now += block.encoded("WMaxLimPct", order.power_w / most_w * PERCENT, toward_zero=True)
        yield _at(block, "WMaxLimPctRvrt"), later
        yield _at(block, "WMaxLimPctEna"), now

    def setpoint_w(self, order: Order | None, blocks: Mapping[int, Block]) -> float | None:
        """WMaxLimPct in W, when it is in force."""
        block, most_w = blocks[CONTROLS], _largest_w(blocks)
        percent = block.number("WMaxLimPct")
        if block.raw("WMaxLimPctEna") != ENABLED or percent is None:
            return None
        if order is not None and _holds(block, "WMaxLimPct", order.power_w / most_w * PERCENT, down=True):
            return order.power_w
        return percent / PERCENT * most_w


@dataclass(frozen=True, slots=True)
class StorageRates:
    """Model 124: limits of charging and discharging in percent of WChaMax; both around one value make a setpoint.

    The timer returns the device to its own control: this model has no reversion value. While our process lives, the
    reversion is written as a setpoint.
    """

    models: tuple[int, ...] = (STORAGE_CONTROL, DER_CONTROL)

    def writes(self, order: Order, blocks: Mapping[int, Block]) -> Iterator[Write]:
        """The timer; both rates in one write; then that they count."""
        block = blocks[STORAGE_CONTROL]
        rate = order.power_w / _reference_w(block) * PERCENT
        # A standing reversion is repeated like any other setpoint, and ends with this process like any other.
        seconds = 60 if order.lasts_s is None else _seconds(order)
        rates = block.encoded("OutWRte", rate, toward_zero=True) + block.encoded(
            "InWRte", -rate, toward_zero=True
        )
        yield _at(block, "InOutWRte_RvrtTms"), block.encoded("InOutWRte_RvrtTms", seconds)
        yield _at(block, "OutWRte"), rates
        yield _at(block, "StorCtl_Mod"), block.encoded("StorCtl_Mod", CHARGE_AND_DISCHARGE)

    def setpoint_w(self, order: Order | None, blocks: Mapping[int, Block]) -> float | None:
        """The one power that both limits admit; None when they admit more."""
        block = blocks[STORAGE_CONTROL]
        out, into = block.number("OutWRte"), block.number("InWRte")
        if block.raw("StorCtl_Mod") != CHARGE_AND_DISCHARGE or out is None or into is None or out != -into:
            return None
        if order is not None and _holds(
            block, "OutWRte", order.power_w / _reference_w(block) * PERCENT, down=True
        ):
            return order.power_w
        return out / PERCENT * _reference_w(block)


def _seconds(order: Order) -> int:
    """The timer counts whole seconds, and 0 is none: a lease ends within the second after it."""
    return 0 if order.lasts_s is None else max(1, math.ceil(order.lasts_s))


def _at(block: Block, name: str) -> int:
    return block.address + block.definition.points[name].offset


def _holds(block: Block, name: str, value: float, down: bool = False) -> bool:
    point = block.definition.points[name]
    held = block.registers[point.offset : point.offset + point.size]
    try:
        return block.encoded(name, value, toward_zero=down) == held
    except UnfitValueError:
        return False


def _largest_w(blocks: Mapping[int, Block]) -> float:
    """What percentages of model 704 refer to: WMax as set, or as rated."""
    rating = blocks.get(RATING)
    for name in ("WMax", "WMaxRtg"):
        most_w = None if rating is None else rating.number(name)
        if most_w:
            return most_w
    raise UnfitValueError("model 702 states no largest power, so a limit in percent means nothing")


def _reference_w(block: Block) -> float:
    most_w = block.number("WChaMax")
    if not most_w:
        raise UnfitValueError("model 124 states no WChaMax, so a rate in percent means nothing")
    return most_w
