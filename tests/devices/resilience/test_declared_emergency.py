"""An emergency that the cell has declared acts on a site as a lease: it holds back, and releases nobody's reserve."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import ClockSpec, Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.control.mandate import LONGEST_EMERGENCY_NS, Mandate
from devices.control.standing_orders import StandingOrders
from devices.dispatch.cycle_record import replays
from devices.grid_profile import read_grid_profile
from devices.leases import Accepted, Lease, Refused
from devices.messages.control_messages import (
    Attached,
    ChangeMode,
    GrantEmergency,
    GrantPosition,
    Heartbeat,
    ImageReport,
    Mode,
    Position,
)
from devices.opening.simulated_devices import build_ders
from devices.simulated.grid import SimulatedGridMeter

Settings = Callable[..., dict[str, Any]]
S = 10**9
BATTERY = {"kind": "battery", "name": "battery", "charge_w": 3000, "discharge_w": 3000, "capacity_wh": 8000}
CIRCUITS = [
    {"type": "circuit", "name": name, "tier": tier, "always_w": 300.0}
    for name, tier in (("pump", "critical"), ("kitchen", "normal"), ("sauna", "deferrable"))
]
CHARGING = Position(0, -20_000)
"""20 Wh in a minute: 1.2 kW."""


class Site:
    """A battery that is to charge in an interval of a minute, and three circuits; a cycle at any second."""

    def __init__(self, settings: Settings, grid: tuple[str, ...] = (), *, islanding: bool = False) -> None:
        more = {"grid_profile": "grid.csv", "islanding": islanding} if grid else {}
        table = settings(ders=[BATTERY, *CIRCUITS], profile=None, interval_s=60, **more)
        self.config = parse_config(table)
        self.now = Instant(S, 0)
        rows = ["start_ns,frequency_hz,voltage_pu,breaker_closed", *grid]
        meter = SimulatedGridMeter(read_grid_profile(rows, "rows")) if grid else None
        self.core = ControlCore(
            self.config, build_ders(self.config, None, {}, self.now), None, FRESH, self.now, "control", meter
        )
        self.image: ImageReport | None = None
        self._sequence = count(1)
        self.core.handle(GrantPosition(self.lease(CHARGING, 60.0, None)), self.now)

    def lease(self, value: Any, seconds: float, reversion: Any) -> Any:
        ends_ns = self.now.real_ns + round(seconds * S)
        return Lease(value, reversion, self.now.real_ns, ends_ns, "daemon", next(self._sequence))

    def declare(self, seconds: float, *, emergency: bool = True) -> None:
        self.core.handle(GrantEmergency(self.lease(emergency, seconds, False)), self.now)

    def cycle(self, second: float) -> float:
        """What the battery is told."""
        self.now = Instant(S + round(second * S), round(second * S))
        self.core.handle(Heartbeat(self.lease(True, 2.0, False)), self.now)
        outcome = self.core.cycle(self.now)
        images = [each for each in outcome.messages if isinstance(each, ImageReport)]
        self.image = images[-1] if images else self.image
        assert replays(self.core.cycles[-1])
        return self.told("battery")

    def told(self, name: str) -> float:
        last = self.core.cycles[-1]
        return next(each.power_w for each in (*last.decision.setpoints, *last.permitted) if each.name == name)


def test_while_it_runs_batteries_do_not_charge_and_deferrable_loads_wait(settings: Settings) -> None:
    site = Site(settings)
    assert site.cycle(1.0) < 0 and site.told("sauna") < 0
    site.declare(5.0)
    assert site.cycle(2.0) == 0.0 and site.told("sauna") == 0.0
    assert site.told("pump") < 0 and site.told("kitchen") < 0
    assert site.image is not None
    assert (site.image.emergency, site.image.island, site.image.tiers) == ("declared", "connected", 3)
    assert not any(each.reserve_released for each in site.core.cycles[-1].inputs.batteries)
    assert site.cycle(7.1) < 0 and site.told("sauna") < 0, "the lease has run out"
    site.declare(30.0)
    assert site.cycle(8.0) == 0.0
    site.declare(1.0, emergency=False)
    assert site.cycle(8.1) < 0, "the cell says that it is over"


def test_a_surplus_may_be_charged(settings: Settings) -> None:
    site = Site(settings, ("0,50.3,1,", f"{10 * S},50,1,", f"{60 * S},50,1,"))
    site.declare(60.0)
    assert site.cycle(1.0) < 0
    assert site.cycle(11.0) == 0.0


def test_who_stands_by_takes_no_part(settings: Settings) -> None:
    site = Site(settings)
    site.declare(60.0)
    site.core.handle(ChangeMode(Mode.STANDBY), site.now)
    assert site.cycle(1.0) == 0.0 and site.told("sauna") < 0
    assert site.image is not None and site.image.emergency == "none"


def test_the_own_outage_goes_before_it_and_acts_without_a_daemon(settings: Settings) -> None:
    rows = ("0,50,1,1", f"{S},50,1,0", f"{60 * S},50,1,0")
    declared, alone = Site(settings, rows, islanding=True), Site(settings, rows, islanding=True)
    declared.declare(60.0)
    for tenth in range(1, 30):
        for site in (declared, alone):
            site.cycle(tenth / 10)
    assert declared.image is not None and alone.image is not None
    assert declared.image.emergency == alone.image.emergency == "local"
    assert declared.core.cycles[-1].decision == alone.core.cycles[-1].decision
    assert declared.core.cycles[-1].permitted == alone.core.cycles[-1].permitted


@pytest.mark.parametrize("breaker", ["1", ""])
def test_what_others_declare_releases_no_reserve(settings: Settings, breaker: str) -> None:
    site = Site(settings, (f"0,50,1,{breaker}", f"{60 * S},50,1,{breaker}"), islanding=True)
    site.declare(60.0)
    for second in range(1, 10):
        site.cycle(float(second))
        assert not any(each.reserve_released for each in site.core.cycles[-1].inputs.batteries)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(-5, 50), st.integers(0, 60)), max_size=8))
def test_only_a_lease_that_runs_declares_and_nothing_reverts_to_an_emergency(
    leases: list[tuple[bool, bool, int, int]],
) -> None:
    mandate, held = Mandate(Mode.GRID_SUPPORT, None), None
    for sequence, (value, reversion, begins, lasts) in enumerate(leases):
        lease = Lease(value, reversion, begins, begins + lasts, "daemon", sequence)
        answer = mandate.offer(GrantEmergency(lease), 40)
        if isinstance(answer, Accepted):
            assert not reversion
            held = lease
    assert mandate.declared(40) == (held is not None and held.active(40) and held.value)
    assert not mandate.declared(200)


def test_nobody_declares_for_long_at_a_time() -> None:
    mandate = Mandate(Mode.GRID_SUPPORT, None)
    lease = Lease(True, False, 0, LONGEST_EMERGENCY_NS + 1, "daemon", 1)
    assert isinstance(mandate.offer(GrantEmergency(lease), 0), Refused)
    assert mandate.standing() == ()
    shorter = Lease(True, False, 0, LONGEST_EMERGENCY_NS, "daemon", 1)
    mandate.offer(GrantEmergency(shorter), 0)
    assert mandate.standing() == (GrantEmergency(shorter),)


def test_a_daemon_says_it_again_after_a_reconnection_until_it_ends() -> None:
    orders = StandingOrders(ClockSpec(0, 0, 1), 60, "daemon")
    assert list(orders.all(S, S)) == []
    (said,) = orders.want_emergency(S, 10 * S)
    (again,) = orders.all(5 * S, 5 * S)
    (over,) = orders.all(11 * S, 11 * S)
    (ended,) = orders.want_emergency(12 * S, 0)
    for grant, value, end in ((said, True, 11), (again, True, 11), (over, False, 12), (ended, False, 13)):
        assert isinstance(grant, GrantEmergency)
        assert (grant.lease.value, grant.lease.reversion, grant.lease.expires_ns) == (value, False, end * S)


def test_a_successor_takes_it_over(settings: Settings) -> None:
    site = Site(settings)
    site.declare(30.0)
    site.cycle(1.0)
    handed, leases = site.core.hand_over()
    after = Site(settings)
    after.now = site.now
    after.core.cycle(site.now)
    after.core.resume(handed, leases)
    assert after.cycle(2.0) == 0.0
    assert isinstance(after.core.greeting(1)[0], Attached)
