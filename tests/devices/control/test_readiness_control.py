"""A node that prepares for trouble: charged in time, armed when allowed, and never on what is not known."""

import json
import math
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.control.readiness_control import Beginning, ReadinessControl
from devices.dispatch.cycle_record import CycleRecord, replays
from devices.dispatch.dispatch import Layer
from devices.errors import ConfigurationError
from devices.grid_profile import read_grid_profile
from devices.json_codec import from_json, to_json
from devices.leases import Lease
from devices.limits import PowerRange
from devices.messages.control_messages import Alarm, AlarmCode, GrantPosition, Heartbeat, Position
from devices.opening.simulated_devices import build_ders
from devices.power.preparing import Preparing, prepared_w
from devices.power.reserve import BatteryInput
from devices.prediction.experience import Predictor
from devices.prediction.kept import Kept
from devices.prediction.readiness import Level
from devices.profiles import read_profile
from devices.response.response_curve import curve_table
from devices.response.service_files import find_curve
from devices.simulated.grid import SimulatedGridMeter

S = 10**9
Settings = Callable[..., dict[str, Any]]
BATTERY = {
    "kind": "battery",
    "name": "battery",
    "charge_w": 3000,
    "discharge_w": 3000,
    "capacity_wh": 200,
    "initial_state_of_charge": 0.5,
}
HOUSE = {"kind": "load", "name": "house", "maximum_w": 9000}
OVERLOAD = {
    "against": "overload",
    "limit_w": 5000,
    "every_s": 1,
    "horizon_s": 10,
    "spans_s": [1, 2],
    "hold_s": 5,
}
FREQUENCY = {"against": "frequency", "horizon_s": 10, "spans_s": [1, 2], "hold_s": 5}


class Nobody:
    """A teacher that teaches nothing, and remembers what it was given."""

    def __init__(self) -> None:
        self.offered: list[Kept] = []

    def offer(self, kept: Kept, *, learn: bool) -> None:
        self.offered.append(kept)

    def taught(self) -> Predictor | None:
        return None


class Site:
    """A home whose load, or grid, follows a list of values, one a second."""

    def __init__(
        self,
        settings: Settings,
        table: dict[str, Any],
        values: list[float],
        kept: Kept | None = None,
        **changes: Any,
    ) -> None:
        grid, profile, ders = None, None, [BATTERY]
        if table["against"] == "frequency":
            rows = [f"{second * S},{hz},1.0" for second, hz in enumerate(values)]
            grid = SimulatedGridMeter(read_grid_profile(["start_ns,frequency_hz,voltage_pu", *rows], "rows"))
            changes |= {"grid_profile": "grid.csv", "profile": None}
        else:
            rows = [f"{second * S},{load_w},0" for second, load_w in enumerate(values)]
            profile = read_profile(["start_ns,load_w,pv_w", *rows], "rows")
            ders = [BATTERY, HOUSE]
        self.config = parse_config(settings(ders=ders, readiness=table, **changes))
        self.now = Instant(S, 0)
        self.teacher = Nobody()
        self.readiness = ReadinessControl(self.config, self.teacher, Beginning(kept=kept))
        ders_ = build_ders(self.config, profile, {}, self.now)
        self.core = ControlCore(
            self.config, ders_, profile, FRESH, self.now, "control", grid, readiness=self.readiness
        )
        self.alarms: list[Alarm] = []
        self._sequence = count(1)

    def beat(self) -> None:
        real_ns = self.now.real_ns
        lease = Lease(True, False, real_ns, real_ns + 2 * S, "daemon", next(self._sequence))
        self.core.handle(Heartbeat(lease), self.now)

    def at(self, second: float, *, alive: bool = True) -> CycleRecord:
        """Cycle every half second until then; the last cycle."""
        while self.now.cell_ns < second * S:
            self.now = Instant(self.now.real_ns + S // 2, self.now.cell_ns + S // 2)
            if alive:
                self.beat()
            outcome = self.core.cycle(self.now)
            self.alarms += [each for each in outcome.messages if isinstance(each, Alarm)]
            assert replays(self.core.cycles[-1])
            assert from_json(CycleRecord, to_json(self.core.cycles[-1])) == self.core.cycles[-1]
        return self.core.cycles[-1]


def test_a_battery_is_charged_before_the_overload_and_carries_it(settings: Settings) -> None:
    site = Site(settings, OVERLOAD, [2000.0] * 10 + [4600.0] * 200 + [6000.0] * 40 + [2000.0] * 60)
    assert site.at(8).decision.binding is Layer.SELF_CONSUMPTION
    ready = site.at(15)
    assert site.readiness.ready
    assert ready.decision.binding in (Layer.READINESS, Layer.CONNECTION)
    # Preparing draws no more than the limit that it prepares for.
    assert ready.decision.power_w == pytest.approx(-400.0, rel=0.01)
    stored_wh = site.at(205).inputs.batteries[0].stored_wh
    assert stored_wh is not None
    assert stored_wh > 105
    assert site.at(230).decision.power_w == pytest.approx(1000.0, rel=0.01)
    site.at(300)
    assert site.readiness.level is Level.REST
    told = [each.raised for each in site.alarms if each.code is AlarmCode.TROUBLE_EXPECTED]
    assert told == [True, False]


def test_at_rest_nothing_changes(settings: Settings) -> None:
    site = Site(settings, OVERLOAD, [2000.0] * 30)
    assert site.at(20).inputs.preparing is None


def test_without_a_daemon_nothing_is_prepared(settings: Settings) -> None:
    site = Site(settings, OVERLOAD, [4900.0] * 60)
    assert site.at(20).inputs.preparing is not None
    assert site.at(40, alive=False).inputs.preparing is None
    assert site.core.cycles[-1].decision.power_w == 0.0


def test_a_position_goes_first_unless_the_owner_says_otherwise(settings: Settings) -> None:
    for first in (False, True):
        site = Site(settings, OVERLOAD | {"before_position": first}, [4600.0] * 60)
        lease: Lease[Position | None] = Lease(Position(0, -4_600_000), None, S, 10**13, "daemon", 99)
        site.core.handle(GrantPosition(lease), site.now)
        assert (site.at(20).decision.binding is Layer.READINESS) == first


def test_a_load_that_falls_silent_neither_relaxes_nor_charges(settings: Settings) -> None:
    site = Site(settings, OVERLOAD, [4900.0] * 20)
    site.at(15)
    assert site.readiness.ready
    # The profile has ended: nothing is known of the load any more.
    record = site.at(60)
    assert site.readiness.ready
    assert record.decision.binding is not Layer.READINESS
    assert record.decision.power_w >= 0.0


def test_before_a_frequency_event_the_battery_goes_to_the_middle_and_arms_what_is_allowed(
    settings: Settings,
) -> None:
    service = "gb-dynamic-containment"
    arm = {"curve": curve_table(find_curve(service)), "up_w": 500.0, "down_w": 500.0}
    table = FREQUENCY | {"arm": arm, "between": [0.7, 0.8]}
    site = Site(settings, table, [50.0] * 5 + [49.81] * 200)
    assert site.at(4).inputs.response.armed == ()
    record = site.at(20)
    assert [each.curve.name for each in record.inputs.response.armed] == [service]
    assert record.inputs.response.armed[0].up_w == 500.0
    # Frequency is low and the service delivers: charging would take that back, so the battery waits.
    assert record.decision.power_w > 0
    unarmed = Site(settings, FREQUENCY | {"between": [0.7, 0.8]}, [50.0] * 5 + [49.81] * 200)
    assert unarmed.at(20).decision.power_w < 0
    assert unarmed.core.cycles[-1].inputs.response.armed == ()


def test_a_short_restart_finds_the_node_ready_and_a_long_one_at_rest(settings: Settings) -> None:
    site = Site(settings, OVERLOAD, [4900.0] * 100)
    site.at(20)
    kept = site.readiness.kept()
    again = Site(settings, OVERLOAD, [2000.0] * 100, kept)
    again.now = Instant(S, 22 * S)
    again.at(23)
    assert again.readiness.ready
    late = Site(settings, OVERLOAD, [2000.0] * 1000, kept)
    late.now = Instant(S, 500 * S)
    late.at(501)
    assert late.readiness.level is Level.REST


def test_a_level_that_changes_is_kept(settings: Settings) -> None:
    site = Site(settings, OVERLOAD, [4900.0] * 30)
    site.at(20)
    assert [each.readiness.level for each in site.teacher.offered] == [Level.READY]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"against": "frequency"}, "readiness.limit_w: is not a field here"),
        ({"every_s": 7}, "readiness.every_s: must divide a day"),
        ({"horizon_s": 0}, "readiness.horizon_s: is 0; it must be a whole number from 1"),
        ({"spans_s": [2, 1]}, "readiness.spans_s: must grow"),
        ({"limit_w": 9000}, "readiness.limit_w: is 9000; it must be a number from 1 to 8000"),
        ({"watch": 0.9}, "readiness.watch: must be at most ready"),
        ({"arm": {"curve": {}}}, "readiness.arm: is for against = frequency"),
    ],
)
def test_mistakes_are_named(settings: Settings, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_config(settings(readiness=OVERLOAD | changes))
    assert any(problem in each for each in raised.value.problems), json.dumps(raised.value.problems)


def test_a_fast_clock_needs_a_slow_pace(settings: Settings) -> None:
    clock = {"start_wall_ns": 0, "epoch_ns": 0, "speed": 60.0}
    with pytest.raises(ConfigurationError, match="a second of real time or more: 60"):
        parse_config(settings(readiness=OVERLOAD, clock=clock))


powers = st.floats(0, 10_000)
parts = st.floats(0, 1)


@settings(max_examples=200)
@given(
    wish_w=st.floats(-20_000, 20_000),
    others_w=st.floats(-10_000, 10_000),
    stored=st.lists(st.none() | parts, min_size=1, max_size=3),
    between=st.tuples(parts, parts).map(sorted),
    limits=st.tuples(powers, powers, st.none() | powers),
)
def test_preparing_leads_to_the_charge_asked_for_and_no_further(
    wish_w: float,
    others_w: float,
    stored: list[float | None],
    between: list[float],
    limits: tuple[float, float, float | None],
) -> None:
    batteries = tuple(
        BatteryInput(
            f"b{index}",
            -3000,
            3000,
            8000,
            0.9,
            0.9,
            1000,
            0.0,
            None if part is None else 8000 * part,
            built=PowerRange(-3000, 3000),
        )
        for index, part in enumerate(stored)
    )
    preparing = Preparing(between[0], between[1], limits[0], limits[1], limits[2])
    power_w = prepared_w(wish_w, others_w, preparing, batteries, 1.0)
    known = [part for part in stored if part is not None]
    if not known:
        assert power_w == wish_w
        return
    charge_w, discharge_w, limit_w = limits
    # Never more than the owner lets preparing use, beyond what was wished for and what the limit asks.
    asked_w = -math.inf if limit_w is None else -limit_w - others_w
    assert min(wish_w, -charge_w) <= power_w <= max(wish_w, discharge_w, asked_w)
    if power_w < wish_w:
        assert power_w >= asked_w
    if any(part < between[0] for part in known):
        assert power_w <= max(0.0, asked_w)
