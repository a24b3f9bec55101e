"""Whole daemons in a seeded world through an outage: declared by more than may lie, no fewer, and over when healed."""

from collections.abc import Callable

from devices.resilience.modes import State
from ledger.chain.replay import Replayed
from market.cell_state import CellState
from market.emergency.book import STANDS_FOR, Declared, Word
from sim.cells.calm import INTERVAL_NS
from sim.cells.checks import chain_of, outcomes_of
from sim.cells.faults import MS, ClusterPlan, Outage, S, Separation
from sim.cells.keys import FIRST_INTERVAL
from sim.cells.outages import OutageCluster

LOST_NS, BACK_NS = 2 * S + 2 * INTERVAL_NS, 2 * S + 6 * INTERVAL_NS
ILL_INTERVALS = 8
"""The grid is gone from interval 1001 to 1005, and all of it is over before the cell has to be well again."""


def plan(**faults: object) -> ClusterPlan:
    healed_ns = 2 * S + ILL_INTERVALS * INTERVAL_NS
    return ClusterPlan(healed_ns, 0.0, 0.0, 20 * MS, **faults)  # type: ignore[arg-type]


def script(*seeing: int) -> Callable[[int, int], State]:
    """These nodes see the grid go and come back, one of them as a dead bus; the others never see anything."""

    def shown(node: int, real_ns: int) -> State:
        if node not in seeing or not LOST_NS <= real_ns < BACK_NS:
            return State.CONNECTED
        return State.DEAD_BUS if node == 2 else State.ISLAND

    return shown


def played(cluster: OutageCluster) -> dict[int, Declared | None]:
    """What every node agrees on, by the last interval of each block."""
    assert cluster.run().violation is None
    chains = [chain_of(node.store, cluster.genesis) for node in cluster.nodes]
    for each in chains[0]:
        _check_cleared_alone(each)
    told = [_declared(chain) for chain in chains]
    assert all(each == told[0] for each in told), "all nodes derive the same"
    return told[0]


def _check_cleared_alone(each: Replayed[CellState]) -> None:
    """Nothing passes the grid connection in an emergency, and the block after it posts no contract."""
    outcomes = outcomes_of(each)
    clearing, was = outcomes.clearing, outcomes.confirmation
    assert clearing.emergency == (each.tip.state.emergency.declared is not None)
    assert not clearing.emergency or clearing.grid_import == clearing.grid_export == 0
    assert was is None or not was.emergency or (was.stands, was.rent) == (False, 0)


def _declared(chain: list[Replayed[CellState]]) -> dict[int, Declared | None]:
    return {each.tip.last_interval: each.tip.state.emergency.declared for each in chain}


def test_an_outage_that_more_than_may_lie_see_is_an_emergency_until_it_heals() -> None:
    cluster = OutageCluster(3, 4, plan(), ILL_INTERVALS, script(0, 2))
    declared = played(cluster)
    during = [interval for interval, each in declared.items() if each is not None]
    assert during == list(range(during[0], during[-1] + 1)), "block by block, without a gap"
    assert during[0] in (FIRST_INTERVAL + 2, FIRST_INTERVAL + 3)
    assert during[-1] in (FIRST_INTERVAL + 5, FIRST_INTERVAL + 6), "they say that it is back"
    assert {each for each in declared.values() if each is not None} == {Declared(during[0], Word.MEMBERS)}
    for times in cluster.acting.values():
        assert LOST_NS < times[0] < LOST_NS + 2 * INTERVAL_NS, "every site's devices hear of it"
        assert times[-1] < BACK_NS + 2 * INTERVAL_NS
    assert not cluster.nodes[0].core.ordering.tip.state.emergency.observations, "nothing is left of it"


def test_those_who_may_lie_declare_nothing_by_themselves() -> None:
    cluster = OutageCluster(4, 4, plan(), ILL_INTERVALS, script(1))
    assert set(played(cluster).values()) == {None}
    assert cluster.acting == {0: [], 1: [], 2: [], 3: []}


def test_who_dies_in_the_outage_is_counted_for_a_few_intervals_only() -> None:
    """Nodes 0 and 2 see it; node 2 has no power from the next interval on until all is healed."""
    dead_ns = ILL_INTERVALS * INTERVAL_NS - 4 * INTERVAL_NS
    faults = plan(outages=(Outage(LOST_NS + INTERVAL_NS, 2, dead_ns, 0),))
    declared = played(OutageCluster(5, 4, faults, ILL_INTERVALS, script(0, 2)))
    during = [interval for interval, each in declared.items() if each is not None]
    assert during and during[-1] <= FIRST_INTERVAL + 3 + STANDS_FOR


def test_without_a_quorum_nothing_new_is_declared_and_what_was_runs_out() -> None:
    """The cell falls into halves an interval after the grid has failed."""
    split_ns = LOST_NS + 2 * INTERVAL_NS
    halves = Separation(split_ns, BACK_NS, (0, 0, 1, 1))
    cluster = OutageCluster(6, 4, plan(separations=(halves,)), ILL_INTERVALS, script(0, 1, 2, 3))
    declared = played(cluster)
    assert any(declared.values())
    for times in cluster.acting.values():
        assert any(each < split_ns for each in times)
        quiet = [each for each in times if split_ns + 2 * INTERVAL_NS <= each < BACK_NS]
        assert quiet == [], "the leases have run out with the intervals that blocks were about"
