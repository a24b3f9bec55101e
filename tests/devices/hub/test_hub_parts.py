"""The hub's parts: windows of demand, correlation, recognition at its edges, privacy that cannot be widened."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.hub.advice import DayOfUse, advise
from devices.hub.clusters import SocketUse, clusters, correlation, standby
from devices.hub.demand import LONGEST_GAP_NS, NS_PER_S, Demand, DemandMeter, Sample
from devices.hub.privacy import Audience, Detail, Grant, Policy, release
from devices.hub.recognition import DeviceKind, UsbIdentity, UsbProduct, by_enumeration, by_trace

WINDOW_S = 900
WINDOW_NS = WINDOW_S * NS_PER_S


@given(
    steps=st.lists(st.tuples(st.integers(1, 300), st.none() | st.floats(0, 5000)), min_size=2, max_size=80)
)
def test_windows_hold_the_energy_of_what_was_known_and_no_more(
    steps: list[tuple[int, float | None]],
) -> None:
    meter, demands = DemandMeter("socket", WINDOW_NS, 10), []
    now_ns, expected_wh, last = 7 * NS_PER_S, 0.0, None
    for seconds, drawn_w in steps:
        now_ns += seconds * NS_PER_S
        if last is not None:
            expected_wh += last * min(seconds, LONGEST_GAP_NS // NS_PER_S) / 3600
        demands += meter.add(Sample(now_ns, drawn_w))
        last = drawn_w
    demands += meter.add(Sample(now_ns + WINDOW_NS, 0.0))
    if last is not None:
        expected_wh += last * LONGEST_GAP_NS / NS_PER_S / 3600
    # What of the last sample falls into the window that has not ended is not in the sum.
    assert sum(each.energy_wh for each in demands) <= expected_wh + 1e-6
    unfinished_wh = (last or 0.0) * LONGEST_GAP_NS / NS_PER_S / 3600
    assert sum(each.energy_wh for each in demands) >= expected_wh - unfinished_wh - 1e-6
    assert all(0 <= each.known <= 1 for each in demands)
    assert [each.start_ns for each in demands] == sorted({each.start_ns for each in demands})


def test_a_year_without_a_sample_is_left_out_and_not_reported_as_zero() -> None:
    meter = DemandMeter("socket", WINDOW_NS, 10)
    meter.add(Sample(0, 100.0))
    ended = meter.add(Sample(365 * 96 * WINDOW_NS, 100.0))
    assert len(ended) == 1
    assert ended[0].known == pytest.approx(LONGEST_GAP_NS / WINDOW_NS)
    assert ended[0].mean_w(WINDOW_NS) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        (UsbIdentity(UsbProduct.HUB, 100.0, battery=False), DeviceKind.DOCK),
        (UsbIdentity(UsbProduct.NONE, 18.0, battery=True), DeviceKind.PHONE),
        (UsbIdentity(UsbProduct.NONE, 45.0, battery=True), DeviceKind.TABLET),
        (UsbIdentity(UsbProduct.PERIPHERAL, 2.5, battery=False), DeviceKind.PERIPHERAL),
        (UsbIdentity(UsbProduct.NONE, 2.5, battery=False), DeviceKind.UNKNOWN),
        (UsbIdentity(UsbProduct.POWER_SUPPLY, 60.0, battery=False), DeviceKind.UNKNOWN),
    ],
)
def test_enumeration_names_what_it_can(identity: UsbIdentity, kind: DeviceKind) -> None:
    assert by_enumeration(identity).kind is kind


def test_too_short_a_trace_and_one_that_fits_nothing_are_unknown() -> None:
    short = tuple(Sample(minute * 60 * NS_PER_S, 9.0) for minute in range(90))
    assert by_trace(short).kind is DeviceKind.UNKNOWN
    odd = tuple(Sample(minute * 60 * NS_PER_S, 7_000.0 if minute % 7 else 90.0) for minute in range(900))
    assert by_trace(odd).kind is DeviceKind.UNKNOWN
    silent = tuple(Sample(minute * 60 * NS_PER_S, None) for minute in range(900))
    assert by_trace(silent).why == "too little is known of its power"


ON = tuple(hour % 24 in (9, 10, 11, 14, 15) for hour in range(72))
LAPTOP = SocketUse("laptop", DeviceKind.LAPTOP, ON, 0.5, may_stand_by=True)
MONITOR = SocketUse("monitor", DeviceKind.MONITOR, ON, 0.5, may_stand_by=True)


def test_phi_is_one_for_equal_minus_one_for_opposite_and_none_for_what_never_switches() -> None:
    assert correlation(ON, ON) == pytest.approx(1.0)
    assert correlation(ON, tuple(not on for on in ON)) == pytest.approx(-1.0)
    assert correlation(ON, (True,) * 72) is None
    with pytest.raises(ValueError, match="72 and 3"):
        correlation(ON, ON[:3])


@pytest.mark.parametrize(
    "other",
    [
        replace(MONITOR, kind=DeviceKind.UNKNOWN),
        replace(MONITOR, kind=DeviceKind.FRIDGE),
        replace(MONITOR, on=(True,) * 72),
        replace(MONITOR, on=ON[5:] + ON[:5]),
    ],
)
def test_nothing_unknown_and_nothing_uncorrelated_joins_a_cluster(other: SocketUse) -> None:
    assert clusters((LAPTOP, other)) == ()


def test_standby_needs_permission_a_known_off_and_patience() -> None:
    sockets = (LAPTOP, MONITOR)
    found = clusters(sockets)
    assert len(standby(sockets, found, {"laptop": 600.0}, 600.0)) == 1
    assert standby(sockets, found, {"laptop": 599.0}, 600.0) == ()
    assert standby(sockets, found, {}, 600.0) == ()
    kept = (LAPTOP, replace(MONITOR, may_stand_by=False))
    assert standby(kept, found, {"laptop": 600.0}, 600.0) == ()


def test_a_flat_price_gives_no_reason_to_shift() -> None:
    washing = DayOfUse("bath", DeviceKind.WASHING_MACHINE, (0.0,) * 18 + (800.0, 200.0) + (0.0,) * 4)
    assert advise((washing,), (0.3,) * 24) == ()
    (advice,) = advise((washing,), (0.3,) * 12 + (0.1,) * 2 + (0.3,) * 10)
    assert "around 12:00 instead of 18:00" in advice.text
    assert advice.saves_money == pytest.approx(0.2 * 365)
    with pytest.raises(ValueError, match="24 hours"):
        advise((washing,), (0.3,))


def test_no_policy_shows_circuits_to_the_cell_or_is_finer_than_it_may_be() -> None:
    with pytest.raises(ValueError, match="never shown to the cell"):
        Policy("ada", cell=Grant(Detail.BY_CIRCUIT, 900))
    with pytest.raises(ValueError, match="900 to 86400 s"):
        Grant(Detail.TOTAL, 60)


@given(
    known=st.lists(st.floats(0, 1) | st.just(1.0), min_size=8, max_size=8),
    detail=st.sampled_from([Detail.NOTHING, Detail.TOTAL]),
    resolution=st.sampled_from([900, 1800, 3600]),
)
def test_the_cell_sees_sums_of_whole_known_periods_or_nothing(
    known: list[float], detail: Detail, resolution: int
) -> None:
    demands = tuple(
        Demand(name, window * WINDOW_NS, 10.0 * (window + 1), 0.0, part)
        for window, part in enumerate(known[:4])
        for name in ("kitchen", "office")
    )
    policy = Policy("ada", cell=Grant(detail, resolution))
    rows = release(policy, Audience.CELL, demands, WINDOW_S, 4 * WINDOW_NS)
    for row in rows:
        first = row.start_ns // WINDOW_NS
        windows = range(first, first + resolution // WINDOW_S)
        assert row.name == ""
        assert row.energy_wh == pytest.approx(sum(20.0 * (window + 1) for window in windows))
        assert all(known[window] == 1.0 for window in windows)
    whole = sum(
        all(known[first + each] == 1.0 for each in range(resolution // WINDOW_S))
        for first in range(0, 4, resolution // WINDOW_S)
    )
    assert len(rows) == (whole if detail is Detail.TOTAL else 0)


def test_two_owners_of_one_house_each_release_their_own_circuits() -> None:
    demands = tuple(Demand(name, 0, 5.0, 0.0, 1.0) for name in ("flat a", "flat b"))
    own = Grant(Detail.BY_CIRCUIT, 900)
    policy = Policy("ada", own=own, circuits=("flat a",))
    rows = release(policy, Audience.OWNER, demands, WINDOW_S, WINDOW_NS)
    assert [(row.owner, row.name, row.energy_wh) for row in rows] == [("ada", "flat a", 5.0)]
    assert release(policy, Audience.OWNER, demands, WINDOW_S, WINDOW_NS - 1) == ()
