"""A virtual battery: one DER of many, balanced, protected from depletion, and nestable."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.image import DerKind, DeviceImage, Reading
from devices.leases import Accepted, Lease, Refused
from devices.simulated.battery import SimulatedBattery
from devices.swarm.virtual_battery import Part, VirtualBattery

SECOND_NS = 10**9
START = Instant(SECOND_NS, 0)
PLATE = Nameplate(DerKind.BATTERY, -3000.0, 3000.0, 8000.0, 0.9, 0.9, None, 0.0)
shares = st.floats(0, 1)


def battery(name: str, stored_wh: float, floor_wh: float = 0.0, plate: Nameplate = PLATE) -> Part:
    return Part(SimulatedBattery(name, plate, stored_wh, 0.0, START), floor_wh)


def at(seconds: float) -> Instant:
    return Instant(START.real_ns + round(seconds * SECOND_NS), round(seconds * SECOND_NS))


def told(power_w: float, now: Instant, sequence: int = 1) -> Lease[float]:
    return Lease(power_w, 0.0, now.real_ns, now.real_ns + 60 * SECOND_NS, "control", sequence)


class Blind(SimulatedBattery):
    """A battery that does not know what it holds."""

    def measure(self, now: Instant) -> DeviceImage:
        image = super().measure(now)
        missing = Reading.missing(now.real_ns)
        return DeviceImage(
            image.name, image.kind, image.power_w, image.setpoint_w, missing, missing, missing, image.counter
        )


def test_the_whole_is_the_sum_of_its_members() -> None:
    big = Nameplate(DerKind.BATTERY, -1000.0, 6000.0, 2000.0, 0.8, 0.6, 500.0, 2.0)
    whole = VirtualBattery("cellar", (battery("a", 4000.0, 800.0), battery("b", 1000.0, 200.0, big)))
    plate = whole.nameplate
    assert (plate.minimum_w, plate.maximum_w, plate.capacity_wh) == (-4000.0, 9000.0, 10_000.0)
    assert plate.charge_efficiency == pytest.approx((3000 * 0.9 + 1000 * 0.8) / 4000)
    assert plate.discharge_efficiency == pytest.approx(9000 / (3000 / 0.9 + 6000 / 0.6))
    assert (plate.ramp_w_per_s, plate.response_s, whole.floor_wh) == (500.0, 2.0, 1000.0)
    image = whole.measure(START)
    assert (image.stored_wh.value, image.state_of_charge.value) == (5000.0, 0.5)


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=5), st.floats(-1, 1))
def test_no_member_goes_below_its_floor_or_above_full(
    members: list[tuple[float, float]], part: float
) -> None:
    parts = tuple(
        battery(f"m{index}", stored * 8000.0, floor * 8000.0) for index, (stored, floor) in enumerate(members)
    )
    whole = VirtualBattery("cellar", parts)
    power_w = part * (whole.nameplate.maximum_w if part > 0 else -whole.nameplate.minimum_w)
    assert whole.command(told(power_w, START), START) == Accepted()
    values = whole.split_w(power_w)
    assert abs(sum(values.values())) <= abs(power_w) + 1e-3
    whole.measure(at(59))
    for each, (stored, floor) in zip(parts, members, strict=True):
        left_wh = each.der.measure(at(59)).stored_wh.value
        assert left_wh is not None
        assert min(stored, floor) * 8000.0 - 1e-6 <= left_wh <= 8000.0


@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=5), st.floats(-3000, 3000))
def test_states_of_charge_come_together_and_a_full_or_empty_member_stops_nobody(
    charges: list[float], power_w: float
) -> None:
    ends = [0.0, 1.0, *charges]
    parts = tuple(battery(f"m{index}", part * 8000.0) for index, part in enumerate(ends))
    whole = VirtualBattery("cellar", parts)
    whole.measure(START)
    values = whole.split_w(power_w)
    assert sum(values.values()) == pytest.approx(power_w, abs=2e-3)
    assert all(value * power_w >= 0 for value in values.values())
    fuller = sorted(zip(ends, values.values(), strict=True))
    for (lower, less_w), (higher, more_w) in pairwise(fuller):
        if higher > lower:
            assert more_w >= less_w - 2e-3


def test_who_does_not_know_its_charge_rests_and_the_others_go_on() -> None:
    blind = Part(Blind("blind", PLATE, 4000.0, 0.0, START), 0.0)
    whole = VirtualBattery("cellar", (battery("a", 4000.0), blind))
    image = whole.measure(START)
    assert (image.stored_wh.value, image.state_of_charge.value) == (4000.0, 0.25)
    assert whole.split_w(1000.0) == {"a": 1000.0, "blind": 0.0}
    alone = VirtualBattery("cellar", (blind,))
    assert alone.measure(START).stored_wh.value is None
    assert alone.split_w(1000.0) == {"blind": 0.0}


def test_a_virtual_battery_of_virtual_batteries_works_like_a_flat_one() -> None:
    inner = VirtualBattery("inner", (battery("a", 6000.0, 800.0), battery("b", 4000.0, 800.0)))
    outer = VirtualBattery("outer", (Part(inner, inner.floor_wh), battery("c", 2000.0, 800.0)))
    assert outer.nameplate.capacity_wh == 24_000.0
    assert outer.command(told(3000.0, START), START) == Accepted()
    image = outer.measure(at(10))
    assert image.setpoint_w.value == pytest.approx(3000.0, abs=1e-3)
    assert image.power_w.value == pytest.approx(3000.0, abs=1e-3)
    assert image.counter == pytest.approx(3000 * 10 * 10**12, rel=1e-6)


def test_what_a_member_refuses_is_told_with_its_name() -> None:
    whole = VirtualBattery("cellar", (battery("a", 4000.0), battery("b", 4000.0)))
    assert whole.command(told(1000.0, START, sequence=5), START) == Accepted()
    answer = whole.command(told(500.0, START, sequence=4), START)
    assert isinstance(answer, Refused)
    assert answer.reason.startswith("a: a newer lease is held; b:")


@pytest.mark.parametrize("parts", [(), (battery("a", 1.0), battery("a", 1.0))])
def test_a_virtual_battery_needs_members_with_names(parts: tuple[Part, ...]) -> None:
    with pytest.raises(ValueError, match="needs members"):
        VirtualBattery("cellar", parts)
