"""A device behind a bad line: it freezes, lies, delays, duplicates, reorders, drops and refuses, as it is told.

What it is told to do wrong is about the line and the register, never about the physics: the device inside goes on,
holds its leases and can be looked at directly. W, Wh; injection positive.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum

from devices.cell_clock import Instant
from devices.der import Der, Nameplate
from devices.image import DeviceImage, Reading
from devices.leases import Accepted, Answer, Lease, Refused


class Fault(Enum):
    """What goes wrong in one cycle. The first two are of what is measured, the last of what is commanded."""

    FREEZE = "freeze"
    LIE = "lie"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DROP = "drop"
    REFUSE = "refuse"


LATE = 3
"""Commands later, a delayed one arrives."""


@dataclass(slots=True)
class FaultyDer:
    """Wraps a device. `fault` is set from outside, before each cycle; `injected` counts what really struck."""

    inner: Der
    fault: Fault | None = None
    lie: float = 0.0
    injected: Counter[Fault] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    commands: list[Lease[float]] = field(default_factory=list)
    refused: bool = False
    held: Lease[float] | None = None
    _shown: DeviceImage | None = None
    _waiting: list[tuple[int, Lease[float]]] = field(default_factory=list)
    _given: int = 0
    _newest: int = 0

    @property
    def name(self) -> str:
        """The device's name."""
        return self.inner.name

    @property
    def nameplate(self) -> Nameplate:
        """The device's nameplate."""
        return self.inner.nameplate

    def measure(self, now: Instant) -> DeviceImage:
        """What arrives of what the device says."""
        image = self.inner.measure(now)
        if self.fault is Fault.FREEZE and self._shown is not None:
            self.injected[Fault.FREEZE] += 1
            return self._shown
        if self.fault is Fault.DROP:
            self.injected[Fault.DROP] += 1
            return _silent(image, now)
        if self.fault is Fault.LIE:
            self.injected[Fault.LIE] += 1
            return _false(image, self.lie)
        self._shown = image
        return image

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """What arrives of what the device is told."""
        self.commands.append(lease)
        self.refused = False
        self._given += 1
        due = [each for each in self._waiting if each[0] <= self._given]
        self._waiting = [each for each in self._waiting if each[0] > self._given]
        for _, late in due:
            self._deliver(late, now)
        if self.fault in (Fault.DELAY, Fault.REORDER):
            self.injected[self.fault] += 1
            # A reordered one comes right after its successor, a delayed one after several.
            after = 1 if self.fault is Fault.REORDER else LATE
            self._waiting.append((self._given + after, lease))
            return Accepted()
        if self.fault is Fault.DROP:
            self.injected[Fault.DROP] += 1
            return Accepted()
        if self.fault is Fault.REFUSE:
            self.injected[Fault.REFUSE] += 1
            self.refused = True
            return Refused("the register is locked")
        answer = self._deliver(lease, now)
        if self.fault is Fault.DUPLICATE:
            self.injected[Fault.DUPLICATE] += 1
            self._deliver(lease, now)
        self.refused = isinstance(answer, Refused)
        return answer

    def _deliver(self, lease: Lease[float], now: Instant) -> Answer:
        """To the device itself: an older or expired command must never be taken."""
        answer = self.inner.command(lease, now)
        taken = not isinstance(answer, Refused)
        if taken and lease.sequence <= self._newest:
            self.broken.append(f"{self.name} took the command {lease.sequence} after {self._newest}")
        if taken and lease.expires_ns <= now.real_ns:
            self.broken.append(f"{self.name} took a command that had expired")
        if taken:
            self._newest, self.held = max(self._newest, lease.sequence), lease
        return answer


def _silent(image: DeviceImage, now: Instant) -> DeviceImage:
    missing = Reading.missing(now.real_ns)
    return replace(
        image,
        power_w=missing,
        setpoint_w=missing,
        stored_wh=missing,
        state_of_charge=missing,
        available_w=missing,
        counter=None,
        possible=None,
        circuit=None,
        condition=None,
    )


def _false(image: DeviceImage, factor: float) -> DeviceImage:
    """Fresh, good and wrong: powers times a factor, which may be huge, negative or not a number."""

    def wrong(reading: Reading) -> Reading:
        return reading if reading.value is None else Reading.of(reading.value * factor, reading.real_ns)

    return replace(
        image,
        power_w=wrong(image.power_w),
        setpoint_w=wrong(image.setpoint_w),
        stored_wh=wrong(image.stored_wh),
        state_of_charge=wrong(image.state_of_charge),
        available_w=wrong(image.available_w),
    )
