"""A node through an outage: island, dead bus, black start, the grid's return; and what it may never do."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from devices.limits import NOTHING, PowerRange
from devices.resilience.black_start import Block
from devices.resilience.islanding import GridReading
from devices.resilience.modes import OperatingMode, State
from devices.resilience.node_resilience import IslandOrders, Resilience, SiteRules, Situation
from devices.resilience.synchronising import TwoSides
from devices.resilience.tiers import Supply
from devices.tier import Tier

SECOND_NS = 10**9
BLOCKS = (
    Block("pump", Tier.ESSENTIAL, 900.0, 300.0),
    Block("alarm", Tier.CRITICAL, 50.0, 50.0),
    Block("lift", Tier.NORMAL, 5_000.0, 1_000.0),
    Block("oven", Tier.NORMAL, 1_500.0, 1_000.0),
)
RULES = SiteRules("ada", ("ada", "ben"), blocks=BLOCKS, inrush_w=2_000.0)
PLENTY = Supply(10_000.0, 50_000.0, 0.0)
GRID = Situation(GridReading(50.0, 1.0, True), able=frozenset({"ada", "ben"}), supply=PLENTY)
ISLAND = replace(GRID, reading=GridReading(50.0, 1.0, False))
DEAD = replace(GRID, reading=GridReading(None, 0.0, False))
FORMED = replace(ISLAND, forming=True)
BACK = replace(GRID, reading=GridReading(50.0, 1.0, False, 50.0, 1.0), sides=TwoSides(0.01, 0.0, 2.0))

situations = st.builds(
    Situation,
    st.builds(
        GridReading,
        st.none() | st.floats(45, 55),
        st.none() | st.sampled_from([0.0, 0.5, 1.0, 1.3]),
        st.none() | st.booleans(),
        st.none() | st.floats(49, 51),
        st.none() | st.floats(0.8, 1.2),
    ),
    st.builds(TwoSides, st.none() | st.floats(-0.2, 0.2), st.floats(-0.05, 0.05), st.floats(-20, 20)),
    st.frozensets(st.sampled_from(["ada", "ben"])),
    st.builds(Supply, st.floats(0, 5e3), st.floats(0, 2e4), st.floats(0, 5e3)),
    st.tuples(*[st.floats(0, 2e3)] * 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.floats(0, 3e3),
)


class Node:
    """A node and its clock."""

    def __init__(self, rules: SiteRules = RULES) -> None:
        self.rules = rules
        self.second = 0
        self.memory = Resilience()
        self.orders: IslandOrders | None = None

    def live(self, situation: Situation, seconds: int) -> IslandOrders:
        for _ in range(seconds):
            self.second += 1
            self.memory, self.orders = self.memory.step(situation, self.rules, self.second * SECOND_NS)
        assert self.orders is not None
        return self.orders


def test_a_former_carries_its_cell_through_a_whole_outage() -> None:
    ada = Node()
    assert ada.live(GRID, 3).batteries is None
    island = ada.live(ISLAND, 1)
    assert (ada.memory.state, island.mode, island.reserve_released) == (
        State.ISLAND,
        OperatingMode.EMERGENCY,
        True,
    )
    dead = ada.live(DEAD, 2)
    assert (ada.memory.state, dead.batteries, dead.close_former) == (State.DEAD_BUS, NOTHING, False)
    closing = ada.live(DEAD, 5)
    assert closing.close_former and closing.form and closing.connect == ()
    assert ada.live(FORMED, 2).form
    assert ada.memory.state is State.BLACK_START
    assert ada.orders is not None and ada.orders.connect == ("alarm",)
    served = ada.live(FORMED, 30)
    assert (ada.memory.state, served.batteries) == (State.ISLAND, None)
    assert ada.memory.start.too_large == (BLOCKS[2],)
    assert served.connect == ("alarm", "pump", "oven")
    assert not ada.live(BACK, 59).close_breaker
    assert ada.live(BACK, 3).close_breaker
    after = ada.live(GRID, 3)
    assert (ada.memory.state, after.reserve_released, after.batteries) == (State.CONNECTED, False, None)


def test_who_does_not_form_rests_in_a_black_start_and_charges_only_from_a_surplus() -> None:
    ben = Node(replace(RULES, name="ben"))
    ben.live(DEAD, 20)
    assert ben.orders is not None and not ben.orders.close_former
    assert ben.live(ISLAND, 2).batteries == NOTHING
    assert ben.live(ISLAND, 30).batteries == PowerRange(0.0, float("inf"))
    assert ben.live(replace(ISLAND, reading=GridReading(50.3, 1.0, False)), 1).batteries is None


def test_the_second_of_the_rank_forms_when_the_first_is_not_able() -> None:
    ben = Node(replace(RULES, name="ben"))
    alone = replace(DEAD, able=frozenset({"ben"}))
    assert not ben.live(alone, 14).close_former
    assert ben.live(alone, 2).close_former


def test_a_grid_that_fails_again_while_synchronising_is_waited_for_again() -> None:
    ada = Node()
    ada.live(ISLAND, 1)
    ada.live(BACK, 62)
    assert ada.memory.state is State.SYNCHRONISING
    ada.live(ISLAND, 1)
    assert ada.memory.state is State.ISLAND
    assert not ada.live(BACK, 59).close_breaker


def test_a_dead_bus_is_fed_by_the_grid_that_is_back_and_not_formed_against_it() -> None:
    ada = Node()
    returned = replace(DEAD, reading=GridReading(None, 0.0, False, 50.0, 1.0))
    ada.live(DEAD, 3)
    for _ in range(60):
        orders = ada.live(returned, 1)
        assert not orders.close_former and not orders.close_breaker
    assert ada.live(returned, 1).close_breaker
    ada.live(GRID, 2)
    assert ada.memory.state is State.CONNECTED


def test_what_was_shed_comes_back_one_load_at_a_time() -> None:
    """The bus never died, so all loads were on; two normal ones went together and do not come back together."""
    fits = replace(RULES, blocks=(BLOCKS[0], BLOCKS[1], replace(BLOCKS[2], inrush_w=1_200.0), BLOCKS[3]))
    ada = Node(replace(fits, inrush_w=10_000.0))
    loads_w = (50.0, 300.0, 2_000.0, 0.0)
    short = replace(FORMED, supply=Supply(10_000.0, 1_000.0, 0.0), loads_w=loads_w)
    assert ada.live(short, 1).connect == ("alarm", "pump")
    plenty = replace(short, supply=PLENTY)
    assert ada.live(plenty, 299).connect == ("alarm", "pump")
    assert ada.live(plenty, 2).connect == ("alarm", "pump", "lift")
    assert ada.live(plenty, 6).connect == ("alarm", "pump", "lift", "oven")
    assert ada.memory.state is State.ISLAND


def test_tiers_are_shed_on_an_island_and_all_served_again_on_the_grid() -> None:
    ada = Node()
    short = replace(ISLAND, supply=Supply(10_000.0, 500.0, 0.0), loads_w=(100.0, 100.0, 500.0, 500.0))
    assert ada.live(short, 1).served.tiers == 2
    assert ada.live(GRID, 70).served.tiers == 4


def test_the_owner_stands_by_even_in_an_outage() -> None:
    ada = Node()
    ada.live(DEAD, 10)
    standing = ada.live(replace(DEAD, stands_by=True), 1)
    assert (standing.mode, standing.close_former, standing.reserve_released) == (
        OperatingMode.STANDBY,
        False,
        False,
    )


@given(st.lists(st.tuples(situations, st.integers(1, 70)), max_size=8))
def test_whatever_happens_nothing_unsafe_is_ordered(history: list[tuple[Situation, int]]) -> None:
    node = Node()
    for situation, seconds in history:
        for _ in range(seconds):
            before = node.memory.start.connected
            orders = node.live(situation, 1)
            reading = situation.reading
            dead = reading.voltage_pu is not None and reading.voltage_pu < 0.1
            if orders.close_former:
                assert dead and reading.breaker_closed is False and "ada" in situation.able
            if orders.close_breaker:
                sides = situation.sides
                agree = sides.frequency_hz is not None and abs(sides.frequency_hz) <= 0.1
                assert dead if node.memory.state is State.DEAD_BUS else agree
                assert node.memory.state in (State.DEAD_BUS, State.SYNCHRONISING)
                assert not orders.close_former
            if orders.reserve_released and not situation.owner_releases:
                assert orders.mode is OperatingMode.EMERGENCY
            if node.memory.state is State.DEAD_BUS:
                assert orders.batteries == NOTHING
            if orders.mode is not OperatingMode.EMERGENCY:
                assert orders.batteries is None and not orders.connect
            if orders.form:
                assert orders.mode is OperatingMode.EMERGENCY
                assert orders.close_former or situation.forming
            start = node.memory.start
            new = [] if not before else [block for block in start.connected if block not in before]
            assert len(new) <= 1
            for block in new:
                others_w = start.running_w - block.running_w
                assert others_w + block.inrush_w <= min(RULES.inrush_w, situation.inrush_w)
