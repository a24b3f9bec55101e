"""A share of a request acts on the devices under leases, is counted, and spares what its owner keeps from services."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.dispatch.cycle_record import replays
from devices.grid_profile import read_grid_profile
from devices.leases import Lease
from devices.limits import PowerRange
from devices.messages.control_messages import (
    Acknowledge,
    AlarmCode,
    DeviceAccess,
    GrantActivation,
    GrantArming,
    GrantPosition,
    Heartbeat,
    MeterRecord,
    Position,
    SetAccess,
)
from devices.opening.simulated_devices import build_ders
from devices.power.allocation import Setpoint
from devices.power.reserve import BatteryInput
from devices.power.service_rights import shared
from devices.response.fast_response import Activation, Arming
from devices.response.response_curve import requested_curve
from devices.simulated.grid import SimulatedGridMeter

Settings = Callable[..., dict[str, Any]]
S = 10**9


def battery(name: str) -> dict[str, object]:
    return {"kind": "battery", "name": name, "charge_w": 3000, "discharge_w": 3000, "capacity_wh": 8000}


CIRCUITS = [
    {"type": "circuit", "name": name, "tier": tier, "always_w": 900.0}
    for name, tier in (("pump", "critical"), ("kitchen", "normal"), ("sauna", "deferrable"))
]


class Site:
    """Batteries with a service that is called; a cycle at any second, of an interval of a minute."""

    def __init__(self, settings: Settings, ders: list[dict[str, object]], **changes: Any) -> None:
        self.config = parse_config(settings(ders=ders, profile=None, interval_s=60, **changes))
        self.now = Instant(S, 0)
        grid = None
        if changes.get("grid_profile"):
            rows = [
                "start_ns,frequency_hz,voltage_pu,breaker_closed",
                "0,50,1,1",
                f"{S},50,1,0",
                f"{3600 * S},50,1,0",
            ]
            grid = SimulatedGridMeter(read_grid_profile(rows, "rows"))
        built = build_ders(self.config, None, {}, self.now)
        self.core = ControlCore(self.config, built, None, FRESH, self.now, "control", grid)
        self.records: list[MeterRecord] = []
        self._sequence = count(1)

    def _lease(self, value: Any, seconds: float, reversion: Any = None) -> Any:
        ends_ns = self.now.real_ns + round(seconds * S)
        return Lease(value, reversion, self.now.real_ns, ends_ns, "daemon", next(self._sequence))

    def arm(self, up_w: float, down_w: float) -> None:
        arming = Arming(requested_curve("flex", 60.0), up_w, down_w)
        self.core.handle(GrantArming(self._lease(arming, 1000.0)), self.now)

    def activate(self, power_w: float, seconds: float, request: str = "a") -> None:
        share = Activation(request, "flex", power_w)
        self.core.handle(GrantActivation(self._lease(share, seconds)), self.now)

    def cycle(self, second: float) -> float:
        self.now = Instant(S + round(second * S), round(second * S))
        self.core.handle(Heartbeat(self._lease(True, 2.0, False)), self.now)
        outcome = self.core.cycle(self.now)
        self.records += [each for each in outcome.messages if isinstance(each, MeterRecord)]
        last = self.core.cycles[-1]
        assert replays(last)
        return last.decision.power_w

    def told(self, name: str) -> float:
        last = self.core.cycles[-1]
        return next(each.power_w for each in (*last.decision.setpoints, *last.permitted) if each.name == name)


def test_a_share_acts_while_its_lease_runs_and_within_what_is_armed(settings: Settings) -> None:
    site = Site(settings, [battery("battery")])
    site.activate(500.0, 5.0)
    assert site.cycle(0.1) == 0.0, "nothing is armed"
    site.arm(1000.0, 400.0)
    assert site.cycle(1.0) == 500.0
    site.activate(700.0, 5.0, "b")
    assert site.cycle(2.0) == 1000.0
    site.activate(-3000.0, 5.0, "a")
    assert site.cycle(3.0) == -400.0
    assert site.cycle(9.0) == 0.0
    standing = {alarm.code for alarm in site.core.greeting(1)[1:] if hasattr(alarm, "code")}
    assert AlarmCode.GRID_UNKNOWN not in standing, "what is called reads no meter"


def test_a_position_does_not_take_back_what_a_request_activated(settings: Settings) -> None:
    site = Site(settings, [battery("battery")])
    site.arm(1000.0, 0.0)
    position = Position(0, 5_000)  # 5 Wh in a minute are 300 W
    site.core.handle(GrantPosition(site._lease(position, 60.0)), site.now)
    powers_w = []
    for second in range(1, 500):
        if second == 100:
            site.activate(1000.0, 20.0)
        powers_w.append(site.cycle(second / 10))
    assert powers_w[50] == pytest.approx(300.0, rel=0.05)
    assert max(powers_w) == pytest.approx(1300.0, rel=0.05)
    assert powers_w[-1] == pytest.approx(300.0, rel=0.1)


def test_the_record_of_an_interval_says_what_was_asked_and_given(settings: Settings) -> None:
    site = Site(settings, [battery("battery")])
    site.arm(1000.0, 0.0)
    for tenth in range(1, 605):
        if tenth == 150:
            site.activate(900.0, 30.0)
        site.cycle(tenth / 10)
    (record,) = site.records
    (service,) = record.services
    # 900 W for half a minute are 7.5 Wh.
    assert service.asked_up == pytest.approx(7_500, rel=0.01)
    assert service.delivered_up == pytest.approx(7_500, rel=0.01)
    assert (service.name, service.asked_down, service.delivered_down) == ("flex", 0, 0)
    assert 980_000 < service.available_ppm <= 1_000_000
    assert site.core.saved_state().records == (record,)
    site.core.handle(Acknowledge(record.interval), site.now)
    assert site.core.saved_state().records == ()


def test_a_battery_that_its_owner_keeps_from_services_rests_while_another_gives(settings: Settings) -> None:
    site = Site(settings, [battery("own"), battery("shared")])
    site.core.handle(SetAccess((DeviceAccess("own", None, dso=False),)), site.now)
    site.arm(2000.0, 0.0)
    site.activate(1500.0, 30.0)
    site.cycle(1.0)
    assert (site.told("own"), site.told("shared")) == (0.0, 1500.0)
    both = (DeviceAccess("own", None, dso=False), DeviceAccess("shared", None, dso=False))
    site.core.handle(SetAccess(both), site.now)
    assert site.cycle(2.0) == 0.0
    assert not site.core.cycles[-1].decision.armed_available


@given(
    st.lists(st.tuples(st.floats(-3000, 0), st.floats(0, 3000), st.booleans()), min_size=1, max_size=5),
    st.floats(0, 1),
    st.floats(-1, 1),
)
def test_a_split_keeps_the_excepted_at_their_part_and_everybody_in_range(
    batteries: list[tuple[float, float, bool]], part: float, moved: float
) -> None:
    inputs = tuple(
        BatteryInput(str(index), low, high, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, for_services=free)
        for index, (low, high, free) in enumerate(batteries)
    )
    ranges = tuple(PowerRange(low, high) for low, high, _ in batteries)
    low_w, high_w = sum(each.minimum_w for each in ranges), sum(each.maximum_w for each in ranges)
    before_w = low_w + part * (high_w - low_w)
    before = {each.name: each.power_w for each in shared(before_w, before_w, inputs, ranges)}
    free = [index for index, (_, _, may) in enumerate(batteries) if may]
    room_w = sum((ranges[index].maximum_w if moved > 0 else -ranges[index].minimum_w) for index in free) - (
        1 if moved > 0 else -1
    ) * sum(before[str(index)] for index in free)
    power_w = before_w + moved * max(0.0, room_w)
    parts: tuple[Setpoint, ...] = shared(power_w, before_w, inputs, ranges)
    assert sum(each.power_w for each in parts) == pytest.approx(power_w, abs=1e-6)
    for each, battery_, range_ in zip(parts, inputs, ranges, strict=True):
        assert range_.minimum_w - 1e-6 <= each.power_w <= range_.maximum_w + 1e-6
        assert battery_.for_services or each.power_w == pytest.approx(before[each.name], abs=1e-6)


def test_an_island_sheds_by_tier_and_what_somebody_said_of_a_load_goes_before_its_tier(
    settings: Settings,
) -> None:
    """2.7 kW of loads and 2.3 kWh above the reserve: what would not last two hours is shed, the last tier first."""
    site = Site(settings, [battery("battery"), *CIRCUITS], grid_profile="grid.csv", islanding=True)
    site.cycle(0.5)
    assert {each.served for each in site.core.cycles[-1].flexible} == {True}
    assert site.told("sauna") < 0
    for tenth in range(12, 40):
        site.cycle(tenth / 10)
    assert site.told("sauna") == site.told("kitchen") == 0.0 and site.told("pump") < 0
    site.core.handle(SetAccess((DeviceAccess("sauna", 0, True), DeviceAccess("pump", 3, True))), site.now)
    for tenth in range(40, 45):
        site.cycle(tenth / 10)
    assert site.told("pump") == 0.0 and site.told("sauna") < 0
