"""The hub on a simulated week: it names devices, finds the desk's cluster, puts the monitor to sleep, advises."""

from typing import Any

import pytest
from device_examples import configuration
from hub_days import DAY_S, DEVICES, PRICES, STEP_S, WATCHED, watched_for

from devices.cell_clock import Instant
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.dispatch.cycle_record import replays
from devices.hub.advice import Topic, advise
from devices.hub.clusters import Cluster
from devices.hub.demand import NS_PER_S
from devices.hub.hub import Hub
from devices.hub.privacy import Audience, Policy
from devices.hub.recognition import DeviceKind
from devices.opening.simulated_devices import build_ders


@pytest.fixture(scope="module")
def week() -> Hub:
    return watched_for(Hub(WATCHED), 3 * DAY_S + 19 * 3600)


def test_devices_are_named_from_enumeration_and_from_their_traces(week: Hub) -> None:
    kinds = {name: found.kind for name, found in week.recognised().items()}
    assert kinds == {
        "laptop": DeviceKind.LAPTOP,
        "monitor": DeviceKind.MONITOR,
        "router": DeviceKind.NETWORK,
        "fridge": DeviceKind.FRIDGE,
        "kettle": DeviceKind.KETTLE,
        "dishes": DeviceKind.DISHWASHER,
        "set-top box": DeviceKind.UNKNOWN,
    }


def test_the_desk_is_a_cluster_and_its_monitor_sleeps_when_the_laptop_is_off(week: Hub) -> None:
    assert week.clusters() == (Cluster("laptop", ("monitor",)),)
    (limit,) = week.limits()
    assert (limit.name, limit.power_w) == ("monitor", -1.0)


def test_while_the_laptop_is_on_or_unknown_nothing_sleeps() -> None:
    hub = watched_for(Hub(WATCHED), DAY_S + 15 * 3600)
    assert hub.clusters() == (Cluster("laptop", ("monitor",)),)
    assert hub.limits() == ()


def test_advice_names_what_was_seen_and_the_greatest_saving_comes_first(week: Hub) -> None:
    advice = advise(tuple(week.use.days().values()), PRICES)
    found = {(each.topic, each.name) for each in advice}
    assert (Topic.SHIFT, "dishes") in found
    assert (Topic.FOR_NOTHING, "set-top box") in found
    assert (Topic.TO_DC, "router") in found
    assert not {name for _, name in found} & {"fridge", "laptop", "kettle"}
    assert [each.saves_money for each in advice] == sorted(
        (each.saves_money for each in advice), reverse=True
    )
    nothing = next(each for each in advice if each.name == "set-top box")
    assert "12.0 W even at night" in nothing.text
    assert nothing.saves_kwh == pytest.approx(11.5 * 8.76, rel=1e-6)


def test_by_default_only_totals_of_quarters_of_an_hour_leave(week: Hub) -> None:
    rows = week.use.released(Policy("ada"), Audience.CELL)
    assert rows
    assert {row.name for row in rows} == {""}
    noon = next(row for row in rows if row.start_ns == (DAY_S + 12 * 3600) * NS_PER_S)
    drawn = sum(
        power(12 + second / 3600, 1) * STEP_S
        for power in DEVICES.values()
        for second in range(0, 900, STEP_S)
    )
    assert noon.energy_wh == pytest.approx(drawn / 3600)


def test_control_puts_a_forgotten_monitor_into_standby_and_wakes_it_with_the_laptop() -> None:
    """The monitor is left on after work; from the third day on the hub knows better."""
    work = [[9, 12, 35.0], [13, 17, 35.0]]
    socket = {"type": "dc-socket", "device_wh": 0, "charge_w": 0}
    ders: list[dict[str, Any]] = [
        {
            **socket,
            "name": "laptop",
            "device_wh": 70,
            "charge_w": 30,
            "initial_state_of_charge": 1.0,
            "use": work,
        },
        {**socket, "name": "monitor", "use": [[9, 17.75, 28.0]], "may_stand_by": True},
    ]
    start = Instant(0, 0)
    config = configuration(ders)
    built = {der.name: der for der in build_ders(config, None, {}, start)}
    core = ControlCore(config, tuple(built.values()), None, FRESH, start, "test")
    drawn: dict[tuple[int, int], float] = {}
    for minute in range(0, 3 * 1440 + 1, 10):
        now = Instant(minute * NS_PER_S // 100, minute * 60 * NS_PER_S)
        core.cycle(now)
        power_w = built["monitor"].measure(now).power_w.value
        assert power_w is not None
        drawn[divmod(minute, 1440)] = -power_w
    after_work, at_work, morning = 17 * 60 + 40, 16 * 60 + 50, 9 * 60 + 20
    assert drawn[0, after_work] == pytest.approx(28 / 0.92 + 0.3)
    assert drawn[2, at_work] == drawn[2, morning] == drawn[0, after_work]
    assert drawn[2, after_work] < 1.5
    assert all(replays(record) for record in core.cycles)
    shown = core.cycles[-1]
    assert {each.name for each in shown.permitted} == {"laptop", "monitor"}
