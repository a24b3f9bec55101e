"""A campus through an outage by the real control core: formed on a dead bus, started in order, synchronised."""

import itertools
from dataclasses import dataclass, field

import pytest
from campus import (
    DRAWN_W,
    INRUSH_W,
    LIMIT_W,
    NOON_NS,
    TIERS,
    Campus,
    S,
    configuration,
    public_grid,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.control.island_control import FORMING_LEASE_NS, IslandControl
from devices.dispatch.dispatch import NetToZero
from devices.errors import ConfigurationError
from devices.image import GridImage, Reading
from devices.leases import Accepted, Answer, Lease, Refused
from devices.messages.control_messages import AlarmCode, ChangeMode, Mode
from devices.resilience.switchgear import REST, SwitchOrder
from devices.simulated.island import SimulatedIsland

LOST_S, BACK_S = 10, 130


def test_a_campus_starts_in_order_keeps_what_matters_and_comes_back() -> None:
    campus = Campus(public_grid((0, True), (LOST_S, False), (BACK_S, True)))
    campus.live(LOST_S - 1)
    assert (campus.state, campus.served()) == ("connected", set(DRAWN_W))
    campus.position(10_000_000)
    connected: list[tuple[int, str]] = []

    def watch() -> None:
        known = {name for _, name in connected}
        if campus.state != "connected":
            connected.extend((campus.second, name) for name in sorted(campus.allowed() - known))
            assert isinstance(campus.last.inputs.wish, NetToZero), "no position counts in an outage"

    campus.live(5, watch)
    assert (campus.state, campus.allowed(), campus.served()) == ("dead-bus", set(), set())
    campus.live(BACK_S - campus.second, watch)
    assert campus.state == "island"
    # The fans would draw 90 kW as they start, and are passed over; everything else is on.
    assert [name for _, name in connected] == ["safety", "fridges", "pumps", "lights", "cars"]
    assert all(later - earlier >= 5 for (earlier, _), (later, _) in itertools.pairwise(connected))
    assert campus.served() == set(DRAWN_W) - {"fans"}
    campus.live(30)
    assert campus.state == "island", "the public grid has to be good for a minute"
    campus.live(120)
    assert (campus.state, campus.served()) == ("connected", set(DRAWN_W))
    assert not campus.island.measure(campus.now).forming
    assert campus.refused() == []
    lost = [each.raised for each in campus.alarms if each.code is AlarmCode.GRID_LOST]
    assert lost == [True, False]


def test_the_owners_reserve_serves_the_critical_tier_only() -> None:
    """Nothing is stored above the reserve and nothing shines, so the safety circuits alone run, out of the reserve."""
    config = configuration(charge=0.29, surroundings={"clearness": 0.0})
    campus = Campus(public_grid((0, False)), config)
    campus.live(45)
    battery = campus.last.inputs.batteries[0]
    assert battery.stored_wh is not None and battery.stored_wh < battery.reserve_wh
    assert (campus.served(), campus.reports[-1].tiers) == ({"safety"}, 1)


def test_an_empty_former_lets_go_and_does_not_begin_again_without_charge() -> None:
    """120 Wh last two minutes."""
    config = configuration(capacity_wh=2e3, charge=0.06, surroundings={"clearness": 0.0})
    campus = Campus(public_grid((0, False)), config)
    campus.live(30)
    assert campus.served() == {"safety"}
    campus.live(170)
    assert (campus.state, campus.served()) == ("dead-bus", set())
    assert not campus.island.measure(campus.now).forming
    assert campus.refused() == []


def test_a_control_that_is_started_again_keeps_the_island_and_brings_the_loads_back_in_order() -> None:
    campus = Campus(public_grid((0, True), (LOST_S, False)))
    campus.live(60)
    assert campus.state == "island"
    campus.restart()
    campus.live(2)
    assert campus.state == "black-start" and campus.island.measure(campus.now).forming
    assert campus.allowed() <= {"safety"}
    campus.live(40)
    assert campus.served() == set(DRAWN_W) - {"fans"}
    assert campus.refused() == []


def test_a_former_whose_control_has_died_lets_go_by_itself() -> None:
    campus = Campus(public_grid((0, True), (LOST_S, False)))
    campus.live(30)
    assert campus.island.measure(campus.now).forming
    campus.second += FORMING_LEASE_NS // S
    assert not campus.island.measure(campus.now).forming
    assert not campus.island.energised(campus.now)


def test_an_owner_that_stands_by_forms_nothing() -> None:
    campus = Campus(public_grid((0, True), (LOST_S, False)))
    campus.live(30)
    campus.core.handle(ChangeMode(Mode.STANDBY), campus.now)
    campus.live(2)
    assert not campus.island.measure(campus.now).forming
    campus.live(60)
    assert campus.served() == set() and campus.refused() == []


changes = st.lists(
    st.tuples(st.integers(1, 90), st.sampled_from(["fails", "is back", "restart"])), max_size=4
)


@settings(max_examples=4, deadline=None)
@example([(1, "fails"), (12, "restart")], 1.0)  # control dies right after it has connected a block
@given(changes, st.floats(0.0, 1.0))
def test_whatever_the_grid_does_nothing_closes_that_must_not(
    history: list[tuple[int, str]], charge: float
) -> None:
    """The switchgear refuses a former on a live bus and a breaker out of step: it never has to."""
    steps, restarts, second = [(0, True)], set(), 0
    for seconds, what in history:
        second += seconds
        if what == "restart":
            restarts.add(second)
        else:
            steps.append((second, what == "is back"))
    campus = Campus(public_grid(*steps), configuration(charge=charge))
    before: set[str] = set(DRAWN_W)
    changed_s = -10
    for _ in range(second + 70):
        if campus.second in restarts:
            campus.restart()
            before = set(DRAWN_W)
        campus.live(1)
        allowed = campus.allowed()
        new = allowed - before
        if campus.state != "connected" and new:
            assert len(new) == 1 and campus.second - changed_s >= 5
            (name,) = new
            others_w = sum(DRAWN_W[each] for each in allowed - new)
            assert others_w + max(INRUSH_W.get(name, 0.0), DRAWN_W[name]) <= LIMIT_W
            assert all(TIERS[name] < campus.reports[-1].tiers for name in allowed)
            changed_s = campus.second
        before = allowed
    assert campus.refused() == []


@dataclass(slots=True)
class SharedBus:
    """A dead bus that several sites can form, each with its own view of it."""

    forming: set[str] = field(default_factory=set)
    broken: frozenset[str] = frozenset()

    @property
    def alive(self) -> bool:
        return bool(self.forming - self.broken)


@dataclass(slots=True)
class View:
    """The bus as one site measures and switches it."""

    bus: SharedBus
    name: str

    def measure(self, now: Instant) -> GridImage:
        alive = self.bus.alive
        return GridImage(
            frequency_hz=Reading.of(50.0, now.real_ns) if alive else Reading.missing(now.real_ns),
            voltage_pu=Reading.of(1.0 if alive else 0.0, now.real_ns),
            breaker_closed=False,
            forming=self.name in self.bus.forming,
        )

    def command(self, lease: Lease[SwitchOrder], now: Instant) -> Answer:
        if lease.value.form and self.name not in self.bus.forming and self.bus.alive:
            return Refused("the bus is alive")
        self.bus.forming = self.bus.forming - {self.name} | ({self.name} if lease.value.form else set())
        return Accepted()


class OnSharedBus(Campus):
    """A campus whose bus is shared."""

    def __init__(self, bus: SharedBus, name: str) -> None:
        forming = {"device": "battery", "name": name, "rank": ["hall", "library", "gym"]}
        view = View(bus, name)
        self.view = view
        super().__init__(public_grid((0, False)), configuration(forming=forming))

    def _control(self) -> ControlCore:
        return ControlCore(
            self.config, self._ders, None, FRESH, self.now, self.view.name, self.view, self.view
        )


def test_the_first_of_the_rank_forms_and_the_next_where_it_cannot() -> None:
    for broken, former, within_s in ((frozenset(), "hall", 8), (frozenset({"hall"}), "library", 18)):
        bus = SharedBus(broken=broken)
        sites = [OnSharedBus(bus, name) for name in ("gym", "library", "hall")]
        for _ in range(within_s):
            for site in sites:
                site.live(1)
        assert bus.forming - broken == {former}
        for _ in range(8):
            for site in sites:
                site.live(1)
        assert bus.forming - broken == {former}
        assert all(site.refused() == [] for site in sites)
        failed = [each for site in sites for each in site.alarms if each.code is AlarmCode.FORMER_FAILED]
        assert bool(failed) == bool(broken)


def test_the_interlock_refuses_what_control_never_asks() -> None:
    island = SimulatedIsland(public_grid((0, True), (10, False), (20, True)))

    def ask(second: float, order: SwitchOrder, sequence: int) -> Answer:
        now = Instant(round((1 + second) * S), NOON_NS + round(second * S))
        return island.command(Lease(order, REST, now.real_ns, now.real_ns + 30 * S, "x", sequence), now)

    assert ask(1, SwitchOrder(form=True), 1) == Refused("a former closes onto a dead bus only")
    assert ask(11, SwitchOrder(form=True), 2) == Accepted()
    assert ask(12, SwitchOrder(form=True, island_hz=50.2), 3) == Accepted()
    assert ask(21, SwitchOrder(True, True, 50.2), 4) == Refused("the frequencies differ too much")
    assert ask(21.5, SwitchOrder(form=True, island_hz=50.0), 5) == Accepted()
    assert ask(22, SwitchOrder(True, True), 6) == Refused("the angle is too large")


def test_a_configuration_says_what_it_lacks() -> None:
    with pytest.raises(ConfigurationError, match=r"forming: needs islanding = true"):
        configuration(islanding=False)
    with pytest.raises(ConfigurationError, match=r"forming\.device: is 'roof'; it must be one of battery"):
        configuration(forming={"device": "roof"})
    with pytest.raises(ConfigurationError, match=r"forming\.inrush_w\.oven: is not a field here"):
        configuration(forming={"device": "battery", "inrush_w": {"oven": 1.0}})
    with pytest.raises(ConfigurationError, match="there is no battery"):
        parse_config({"forming": {"device": "x"}, "ders": []})


def test_without_a_place_in_the_rank_nothing_forms() -> None:
    config = configuration(forming={"device": "battery", "name": "annex", "rank": ["hall"]})
    campus = Campus(public_grid((0, False)), config)
    campus.live(40)
    assert campus.state == "dead-bus" and campus.served() == set()
    assert IslandControl(config, None, "x").command(campus.now) is None
