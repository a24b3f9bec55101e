"""Starts from snapshots in a seeded cell: they equal a replay, wherever power failed, whoever lies."""

import pytest

from ledger.reopening import reopen_fast
from ledger.replay import replay
from ledger.state_snapshot import take_snapshot
from market.cell import EnergyCell
from sim.cluster import Cluster
from sim.cluster_faults import MS, ClusterPlan, Outage, S
from sim.cluster_node import ClusterNode

GOOD_NETWORK = {"loss": 0.0, "repetition": 0.0, "delay_ns": 20 * MS}


def snapshots_are_those_of_the_chain(cluster: Cluster, node: ClusterNode) -> list[int]:
    """Every stored snapshot is byte for byte what a replay gives, and a start from the newest has the same tip."""
    store, cell = node.store, EnergyCell()
    chain = list(replay(store, cluster.genesis, cell))
    for height in store.snapshots():
        each = chain[height - 1]
        expected = take_snapshot(each.tip, cell, each.block.header, each.certificate, ())
        parts = [store.snapshot_part(height, number) for number in range(len(expected.parts) + 1)]
        assert parts == [expected.cover, *expected.parts]
    reopened = reopen_fast(store, cluster.genesis, cell)
    assert reopened.tip == chain[-1].tip
    assert reopened.refused == ()
    assert reopened.base == max(store.snapshots())
    return store.snapshots()


@pytest.mark.parametrize("operations", range(1, 7))
def test_power_fails_around_a_snapshot_and_the_start_after_it_equals_a_replay(operations: int) -> None:
    """Within the interval of the third block, whose snapshot is the first, each node at another operation."""
    outages = tuple(
        Outage(10 * S + 500 * MS + node * 40 * MS, node, 2 * S, operations + node) for node in range(4)
    )
    cluster = Cluster(
        9,
        4,
        5,
        ClusterPlan(healed_ns=2 * S + 15 * S, outages=outages, **GOOD_NETWORK),  # type: ignore[arg-type]
    )
    assert cluster.run().violation is None
    for node in cluster.nodes:
        assert len(snapshots_are_those_of_the_chain(cluster, node)) == 2


def test_every_node_keeps_the_same_snapshots() -> None:
    cluster = Cluster(1, 4, 1, ClusterPlan(healed_ns=5 * S, **GOOD_NETWORK))  # type: ignore[arg-type]
    assert cluster.run().violation is None
    stored = [
        [node.store.snapshot_part(height, 1) for height in snapshots_are_those_of_the_chain(cluster, node)]
        for node in cluster.nodes
    ]
    assert stored[0] == stored[1] == stored[2] == stored[3]
