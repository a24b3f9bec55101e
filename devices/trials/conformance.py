"""What every driver must keep, simulated or real: laws of the DER protocol, each run on a fresh device.

A law takes a bench and yields what it found broken, in words. W, injection positive.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from devices.cell_clock import Instant
from devices.der import Der
from devices.image import DerKind, DeviceImage, Quality, Reading
from devices.leases import Accepted, Lease, Refused

SECOND_NS = 1_000_000_000
LEASE_S = 1.0
PICOJOULES_PER_W_NS = 1000
MEASURED_PART = 0.02
"""Power may miss a setpoint by 2 % of the nameplate: the class of common inverters' meters."""
MEASURED_W = 1.0


class Bench(Protocol):
    """A device that is examined, and the means to let time pass for it: by arithmetic or by waiting."""

    @property
    def der(self) -> Der:
        """The device."""
        ...

    @property
    def now(self) -> Instant:
        """The present moment; never goes back."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass, by both clocks."""
        ...


class VirtualBench:
    """A bench for simulated devices: time passes at once, both clocks at the same pace."""

    def __init__(self, der: Der, start: Instant) -> None:
        self.der = der
        self.now = start

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass."""
        passed_ns = round(seconds * SECOND_NS)
        self.now = Instant(self.now.real_ns + passed_ns, self.now.cell_ns + passed_ns)


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that a device does not keep, and how that showed."""

    law: str
    text: str


Law = Callable[[Bench], Iterator[str]]


def examine(make_bench: Callable[[], Bench]) -> tuple[Broken, ...]:
    """Run every law on a bench of its own."""
    return tuple(Broken(law.__name__, text) for law in LAWS for text in law(make_bench()))


def a_nameplate_admits_rest(bench: Bench) -> Iterator[str]:
    """Zero lies within the nameplate, and an image names the device and its kind."""
    plate = bench.der.nameplate
    if not plate.minimum_w <= 0 <= plate.maximum_w:
        yield f"the nameplate {plate.minimum_w} to {plate.maximum_w} W does not contain 0"
    image = bench.der.measure(bench.now)
    if (image.name, image.kind) != (bench.der.name, plate.kind):
        yield f"the image is of {image.name!r}, {image.kind}"


def readings_are_honest(bench: Bench) -> Iterator[str]:
    """A reading has a finite value and good quality, or no value and says why; a state of charge is 0 to 1."""
    bench.pass_time(1)
    image = bench.der.measure(bench.now)
    for name, reading in _readings(image).items():
        if (reading.value is None) == (reading.quality is Quality.GOOD):
            yield f"{name}: the value {reading.value} with the quality {reading.quality.value}"
        if reading.value is not None and not math.isfinite(reading.value):
            yield f"{name}: {reading.value}"
        if reading.real_ns > bench.now.real_ns:
            yield f"{name}: taken {reading.real_ns - bench.now.real_ns} ns in the future"
    charge = image.state_of_charge.value
    if charge is not None and not 0 <= charge <= 1:
        yield f"the state of charge {charge}"


def unknown_is_never_permissive(bench: Bench) -> Iterator[str]:
    """A store that does not know what it holds does not offer to give; what is possible is in the nameplate."""
    image = bench.der.measure(bench.now)
    plate = bench.der.nameplate
    if image.possible is None:
        return
    if not plate.minimum_w - MEASURED_W <= image.possible.minimum_w:
        yield f"{image.possible} is beyond the nameplate"
    if not image.possible.maximum_w <= plate.maximum_w + MEASURED_W:
        yield f"{image.possible} is beyond the nameplate"
    unknown = image.stored_wh.value is None or image.state_of_charge.value is None
    if plate.kind is DerKind.BATTERY and unknown and image.possible.maximum_w > 0:
        yield "it offers to discharge with an unknown state of charge"


def power_stays_in_the_nameplate(bench: Bench) -> Iterator[str]:
    """Under any setpoint, and without one."""
    plate = bench.der.nameplate
    for sequence, value in enumerate((0.0, plate.maximum_w, plate.minimum_w, plate.maximum_w / 2), 1):
        bench.der.command(_lease(bench, value, 0.0, sequence), bench.now)
        for _ in range(3):
            bench.pass_time(LEASE_S * 0.5)
            power_w = bench.der.measure(bench.now).power_w.value
            if power_w is not None and not plate.minimum_w - 1e-6 <= power_w <= plate.maximum_w + 1e-6:
                yield f"told {value} W it gives {power_w} W"


def a_look_moves_no_energy(bench: Bench) -> Iterator[str]:
    """Measuring twice at one moment gives the same counter."""
    bench.pass_time(5)
    first = bench.der.measure(bench.now)
    if bench.der.measure(bench.now).counter != first.counter:
        yield "the counter moved while no time passed"


def the_counter_shows_the_power(bench: Bench) -> Iterator[str]:
    """Between two looks the counter moves no further than the nameplate admits."""
    before = bench.der.measure(bench.now).counter
    bench.pass_time(30)
    after = bench.der.measure(bench.now).counter
    plate = bench.der.nameplate
    if before is None or after is None:
        return
    mean_w = (after - before) / PICOJOULES_PER_W_NS / (30 * SECOND_NS)
    if not plate.minimum_w - MEASURED_W <= mean_w <= plate.maximum_w + MEASURED_W:
        yield f"a mean of {mean_w} W"


def time_that_goes_back_changes_nothing(bench: Bench) -> Iterator[str]:
    """A look with an earlier time moves no energy, and the next one counts nothing twice."""
    bench.pass_time(10)
    earlier = bench.now
    bench.pass_time(10)
    seen = bench.der.measure(bench.now).counter
    if bench.der.measure(earlier).counter != seen:
        yield "a look back moved the counter"
    if bench.der.measure(bench.now).counter != seen:
        yield "after a look back, time was counted again"


def a_setpoint_reads_back_and_is_followed(bench: Bench) -> Iterator[str]:
    """Each of several setpoints is held, renewed leases included, and the power obeys it."""
    if not _steerable(bench):
        if isinstance(bench.der.command(_lease(bench, 0.0, 0.0, 1), bench.now), Accepted):
            yield "a must-run load took a setpoint"
        return
    plate = bench.der.nameplate
    sequence = 0
    for value in (0.6 * plate.maximum_w + 0.4 * plate.minimum_w, 0.9 * plate.minimum_w, 0.0):
        for _ in range(math.ceil((_settling_s(bench) + 1) / (LEASE_S / 2))):
            sequence += 1
            answer = bench.der.command(_lease(bench, value, 0.0, sequence), bench.now)
            if isinstance(answer, Refused):
                yield f"{value} W: refused, {answer.reason}"
                return
            bench.pass_time(LEASE_S / 2)
        yield from _obeyed(bench, value)


def the_driver_ends_a_lease_itself(bench: Bench) -> Iterator[str]:
    """Without another command the reversion holds after the lease, in the register and in the power."""
    if not _steerable(bench):
        return
    plate = bench.der.nameplate
    value, reversion = 0.8 * (plate.minimum_w or plate.maximum_w), 0.1 * (plate.maximum_w or plate.minimum_w)
    bench.der.command(_lease(bench, value, reversion, 1), bench.now)
    bench.pass_time(LEASE_S + 1 + _settling_s(bench))
    yield from _obeyed(bench, reversion)


def impossible_setpoints_change_nothing(bench: Bench) -> Iterator[str]:
    """No number, infinity, and what is beyond the nameplate are refused, as value and as reversion."""
    if not _steerable(bench):
        return
    held = bench.der.nameplate.minimum_w or bench.der.nameplate.maximum_w
    bench.der.command(_lease(bench, held, 0.0, 1), bench.now)
    for sequence, value in enumerate((math.nan, math.inf, -math.inf, 1e10, -1e10), 2):
        for lease in (_lease(bench, value, 0.0, sequence), _lease(bench, 0.0, value, sequence)):
            if isinstance(bench.der.command(lease, bench.now), Accepted):
                yield f"it took {lease.value} W, reverting to {lease.reversion} W"
    setpoint_w = bench.der.measure(bench.now).setpoint_w.value
    if setpoint_w is None or abs(setpoint_w - held) > MEASURED_W:
        yield f"{setpoint_w} W is held and not {held} W"


def late_repeated_and_endless_leases_are_refused(bench: Bench) -> Iterator[str]:
    """What is older than the held lease, expired, or lasts longer than any setpoint may."""
    if not _steerable(bench):
        return
    expired = _lease(bench, 0.0, 0.0, 9)
    bench.pass_time(2 * LEASE_S)
    bench.der.command(_lease(bench, 0.0, 0.0, 5), bench.now)
    real_ns = bench.now.real_ns
    endless = Lease(0.0, 0.0, real_ns, real_ns + 3600 * SECOND_NS, "conformance", 10)
    offers = (("repeated", _lease(bench, 0.0, 0.0, 5)), ("expired", expired), ("endless", endless))
    for what, lease in offers:
        if isinstance(bench.der.command(lease, bench.now), Accepted):
            yield f"it took a lease that is {what}"


LAWS: tuple[Law, ...] = (
    a_nameplate_admits_rest,
    readings_are_honest,
    unknown_is_never_permissive,
    power_stays_in_the_nameplate,
    a_look_moves_no_energy,
    the_counter_shows_the_power,
    time_that_goes_back_changes_nothing,
    a_setpoint_reads_back_and_is_followed,
    the_driver_ends_a_lease_itself,
    impossible_setpoints_change_nothing,
    late_repeated_and_endless_leases_are_refused,
)


def _readings(image: DeviceImage) -> dict[str, Reading]:
    return {
        "power": image.power_w,
        "setpoint": image.setpoint_w,
        "stored energy": image.stored_wh,
        "state of charge": image.state_of_charge,
        "available power": image.available_w,
    }


def _steerable(bench: Bench) -> bool:
    return bench.der.nameplate.kind is not DerKind.LOAD


def _settling_s(bench: Bench) -> float:
    """How long the nameplate allows the power to take from one end of it to the other."""
    plate = bench.der.nameplate
    ramp_s = 0.0 if plate.ramp_w_per_s is None else (plate.maximum_w - plate.minimum_w) / plate.ramp_w_per_s
    return plate.response_s + ramp_s


def _lease(bench: Bench, value: float, reversion: float, sequence: int) -> Lease[float]:
    issued_ns = bench.now.real_ns
    return Lease(value, reversion, issued_ns, issued_ns + round(LEASE_S * SECOND_NS), "conformance", sequence)


def _obeyed(bench: Bench, told_w: float) -> Iterator[str]:
    """Whether setpoint and power show what was told, as far as the device says that it can."""
    plate = bench.der.nameplate
    image = bench.der.measure(bench.now)
    setpoint_w, power_w = image.setpoint_w.value, image.power_w.value
    if setpoint_w is None or abs(setpoint_w - told_w) > MEASURED_W:
        yield f"told {told_w} W, it reads back {setpoint_w} W"
    if power_w is None:
        yield f"told {told_w} W, its power is unknown"
        return
    tolerance_w = MEASURED_W + MEASURED_PART * max(plate.maximum_w, -plate.minimum_w)
    excess_w = power_w - told_w
    wrong = abs(excess_w) > tolerance_w
    if plate.kind is DerKind.PV:
        wrong = excess_w > tolerance_w
    elif plate.kind is DerKind.FLEXIBLE:
        wrong = excess_w < -tolerance_w
    elif plate.kind is DerKind.GENERATOR:
        # One that is told less than its minimum load stands still.
        wrong = wrong and power_w != 0.0
    elif image.possible is not None:
        wrong = abs(power_w - image.possible.clip(told_w)) > tolerance_w
    if wrong:
        yield f"told {told_w} W, it gives {power_w} W"
