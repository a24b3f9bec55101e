"""Exercises a real device before it is trusted: small powers, short leases, and its own timer left to itself.

No clock and no waiting here: both are given. Every step says what was done and what the device then showed. The device
is left with a standing order for its reversion value. W, injection positive.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.drivers.hardware import Exchanged, Hardware, HardwareError, Order
from devices.image import DerKind

LEASE_S = 10.0
SHORT_LEASE_S = 1.0
TIMER_S = 3.0
"""The short lease, the second to which its timer is rounded up, and one more for the power to follow."""
WATCH_S = 4.0
"""Longer than a heartbeat may stand still."""
LOOK_S = 0.5
EXERCISE_PART = 0.1
EXERCISE_W = 500.0
READ_BACK_W = 1.0
POWER_PART = 0.02
LEAST_STORED, MOST_STORED = 0.05, 0.95
"""Outside these parts of the capacity a battery may rightly not follow."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried. `passed` is None where it could not be tried; `text` says what was seen."""

    name: str
    passed: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Means:
    """How a trial tells the time and waits, in seconds of real time."""

    clock: Callable[[], Instant]
    wait: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Habits:
    """How long after the last word to it a device with a lease of one second may take to revert, and how long one
    that is not asked may be silent, in seconds.
    """

    timer_s: float = TIMER_S
    speaks_s: float = 0.0


COMMON = Habits()


def exercise_w(plate: Nameplate) -> float:
    """The power that a device is tried with when nothing else is asked for: a tenth, and at most 500 W."""
    return min(EXERCISE_W, EXERCISE_PART * max(plate.maximum_w, -plate.minimum_w))


def try_device(
    hardware: Hardware,
    plate: Nameplate,
    reversion_w: float,
    power_w: float,
    means: Means,
    habits: Habits = COMMON,
) -> Iterator[Step]:
    """Try a device with at most `power_w` each way; ends with the first step that leaves it unknown."""
    trial = _Trial(hardware, plate, reversion_w, means, habits)
    try:
        yield from trial.steps(power_w)
    except HardwareError as error:
        yield Step("answers", False, str(error))
    finally:
        yield from trial.leave()


class _Trial:
    def __init__(
        self, hardware: Hardware, plate: Nameplate, reversion_w: float, means: Means, habits: Habits
    ) -> None:
        self._habits = habits
        self._hardware = hardware
        self._plate = plate
        self._reversion_w = reversion_w
        self._means = means
        self._commanded = False

    def steps(self, power_w: float) -> Iterator[Step]:
        first = self._first_word()
        yield Step("answers", *_answered(first))
        if first.image.power_w.value is None:
            return
        yield self._stays_alive()
        if self._plate.kind is DerKind.LOAD:
            return
        charge = first.image.state_of_charge.value
        if self._plate.kind is DerKind.BATTERY:
            yield self._follows("rests", 0.0)
            yield self._follows_if("charges", -power_w, charge is not None and charge < MOST_STORED, charge)
            yield self._follows_if(
                "discharges", power_w, charge is not None and charge > LEAST_STORED, charge
            )
        elif self._plate.kind is DerKind.FLEXIBLE:
            yield self._follows("limits itself", -power_w)
        else:
            yield self._follows("limits itself", min(power_w, self._plate.maximum_w))
        yield self._reverts(power_w if self._plate.kind is DerKind.PV else -power_w)

    def leave(self) -> Iterator[Step]:
        """Give the device its reversion value for good, when it has been commanded at all."""
        if not self._commanded:
            return
        try:
            left = self._exchange(Order(self._reversion_w, self._reversion_w, None))
        except HardwareError as error:
            yield Step("is left at rest", False, f"look at the device: {error}")
            return
        held = _held(left, self._reversion_w)
        yield Step("is left at rest", held, f"told {self._reversion_w:g} W for good; {_shown(left)}")

    def _first_word(self) -> Exchanged:
        """What the device says first; one that speaks by itself is given its time."""
        first = self._exchange(None)
        waited_s = 0.0
        while first.image.power_w.value is None and waited_s < self._habits.speaks_s:
            self._means.wait(LOOK_S)
            waited_s += LOOK_S
            first = self._exchange(None)
        return first

    def _stays_alive(self) -> Step:
        """Look several times: a device whose own heartbeat stands still is not believed any more in the end."""
        waited_s = 0.0
        last = self._exchange(None)
        while waited_s < WATCH_S:
            self._means.wait(LOOK_S)
            waited_s += LOOK_S
            last = self._exchange(None)
        return Step("keeps measuring", *_answered(last))

    def _follows_if(self, name: str, power_w: float, possible: bool, charge: float | None) -> Step:
        if possible:
            return self._follows(name, power_w)
        stored = "unknown" if charge is None else f"{charge:.0%}"
        return Step(name, None, f"not tried: its state of charge is {stored}")

    def _follows(self, name: str, power_w: float) -> Step:
        last = self._settle(Order(power_w, self._reversion_w, LEASE_S), power_w)
        passed = _held(last, power_w) and self._obeys(last, power_w)
        return Step(name, passed, f"told {power_w:g} W: {last.refused or _shown(last)}")

    def _settle(self, order: Order, power_w: float) -> Exchanged:
        """Repeat an order until the power shows it, for as long as the nameplate gives it."""
        left_s = self._plate.response_s + LOOK_S
        last = self._exchange(order)
        while left_s > 0 and not (_held(last, power_w) and self._obeys(last, power_w)):
            self._means.wait(LOOK_S)
            left_s -= LOOK_S
            last = self._exchange(order)
        return last

    def _reverts(self, power_w: float) -> Step:
        """Give a short lease, and then leave the device alone until its own timer must have run out."""
        self._exchange(Order(power_w, self._reversion_w, SHORT_LEASE_S))
        self._means.wait(self._habits.timer_s + self._plate.response_s)
        try:
            last = self._first_word()
        except HardwareError:
            # A broker drops a connection on which nothing is said: that is what makes such a device revert.
            last = self._first_word()
        shown_w = last.image.setpoint_w.value
        text = f"told {power_w:g} W for {SHORT_LEASE_S:g} s and left alone: {_shown(last)}"
        if shown_w is None and last.image.power_w.value is not None:
            return Step("reverts by itself", True, f"{text}; it is back under its own control")
        return Step("reverts by itself", _held(last, self._reversion_w), text)

    def _exchange(self, order: Order | None) -> Exchanged:
        self._commanded |= order is not None
        return self._hardware.exchange(order, self._means.clock())

    def _obeys(self, exchanged: Exchanged, power_w: float) -> bool:
        shown_w = exchanged.image.power_w.value
        if shown_w is None:
            return False
        tolerance_w = READ_BACK_W + POWER_PART * max(self._plate.maximum_w, -self._plate.minimum_w)
        excess_w = shown_w - power_w
        if self._plate.kind is DerKind.FLEXIBLE:
            return excess_w >= -tolerance_w
        return (excess_w if self._plate.kind is DerKind.PV else abs(excess_w)) <= tolerance_w


def _answered(exchanged: Exchanged) -> tuple[bool, str]:
    image = exchanged.image
    needed = [image.power_w]
    if image.kind is DerKind.BATTERY:
        needed.append(image.state_of_charge)
    return all(reading.value is not None for reading in needed), _shown(exchanged)


def _held(exchanged: Exchanged, power_w: float) -> bool:
    shown_w = exchanged.image.setpoint_w.value
    return not exchanged.refused and shown_w is not None and abs(shown_w - power_w) <= READ_BACK_W


def _shown(exchanged: Exchanged) -> str:
    image = exchanged.image
    parts = [
        f"{name} {'unknown' if reading.value is None else f'{reading.value:g} W'}"
        for name, reading in (("power", image.power_w), ("setpoint", image.setpoint_w))
    ]
    if image.kind is DerKind.BATTERY:
        charge = image.state_of_charge.value
        parts.append(f"state of charge {'unknown' if charge is None else f'{charge:.1%}'}")
    return ", ".join(parts)
