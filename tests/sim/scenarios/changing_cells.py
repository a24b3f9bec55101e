"""Simulated cells whose members change, for tests."""

from ledger.chain.replay import Replayed
from ledger.records.changes import Remove, Rotate
from market.cell_state import CellState
from sim.cells.calm import INTERVAL_NS
from sim.cells.checks import chain_of
from sim.cells.faults import MS, ClusterPlan, S
from sim.cells.keys import Keys
from sim.cells.membership import ChangingCluster, PlannedChange, new_keys, newcomer


def plan(intervals: int, **faults: object) -> ClusterPlan:
    good = {"loss": 0.0, "repetition": 0.0, "delay_ns": 20 * MS}
    return ClusterPlan(healed_ns=2 * S + intervals * INTERVAL_NS, **{**good, **faults})  # type: ignore[arg-type]


def settled(cluster: ChangingCluster) -> list[Replayed[CellState]]:
    """The chain of a cell that came to rest with nothing wrong."""
    outcome = cluster.run()
    assert outcome.violation is None
    return chain_of(cluster.honest[0].store, cluster.genesis)


def came_and_left(faults: ClusterPlan) -> tuple[ChangingCluster, list[Replayed[CellState]]]:
    """Four founders; a fifth comes, then one of the four leaves, and another takes new keys."""
    new = new_keys(2)
    rotated = Rotate(Keys.of(2).member, new.public, new.consensus.verify_key.encode())
    changes = (
        PlannedChange(5 * S, 0, newcomer(4)),
        PlannedChange(16 * S, 0, Remove(Keys.of(3).member)),
        PlannedChange(27 * S, 1, rotated),
    )
    cluster = ChangingCluster(11, 4, faults, changes, newcomers=1, guests=frozenset({2, 3, 4}))
    holds = lambda membership: membership.by_feed_key(new.public) is not None  # noqa: E731
    cluster.after(27 * S, lambda: cluster.rotate_when(2, new, holds))
    return cluster, settled(cluster)
