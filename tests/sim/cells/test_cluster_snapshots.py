"""Starts from snapshots in a seeded cell: they equal a replay, wherever power failed, whoever lies."""

from pathlib import Path

import pytest
from changing_cells import came_and_left

from ledger.audit.audit import verify_directory
from ledger.chain.replay import edge_of, replay
from ledger.chain.state_snapshot import take_snapshot
from ledger.store.reopening import reopen_fast
from ledger.store.retention import Retention
from market.cell import EnergyCell
from sim.cells.calm import INTERVAL_NS
from sim.cells.checks import chain_of
from sim.cells.cluster import Cluster
from sim.cells.faults import MS, Cheat, ClusterPlan, Outage, S
from sim.cells.ledger import PoweredStore
from sim.cells.node import ClusterNode

GOOD_NETWORK = {"loss": 0.0, "repetition": 0.0, "delay_ns": 20 * MS}


def snapshots_are_those_of_the_chain(cluster: Cluster, node: ClusterNode) -> list[int]:
    """Every stored snapshot is byte for byte what a replay gives, and a start from the newest has the same tip."""
    store, cell = node.store, EnergyCell()
    chain = list(replay(store, cluster.genesis, cell))
    for height in store.snapshots():
        each = chain[height - 1]
        epochs = tuple(
            epoch
            for before in chain[:height]
            for epoch in edge_of(before.block.header, before.certificate, before.tip)
        )
        expected = take_snapshot(each.tip, cell, each.block.header, each.certificate, epochs)
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


def missed(blocks: int, *cheats: tuple[int, Cheat], size: int = 4) -> Cluster:
    """The fourth member is down while the others go on by so many blocks."""
    healed_ns = 2 * S + (blocks + 2) * INTERVAL_NS
    outages = (Outage(3 * S, 3, blocks * INTERVAL_NS, 1),)
    plan = ClusterPlan(healed_ns=healed_ns, outages=outages, cheats=cheats, **GOOD_NETWORK)  # type: ignore[arg-type]
    return Cluster(2, size, blocks + 2, plan)


def joins_and_trades(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The member that was away stands on a snapshot, proposes and votes, and trades as all others do."""
    stood: list[int] = []
    rebase = PoweredStore.rebase
    monkeypatch.setattr(
        PoweredStore,
        "rebase",
        lambda store, snapshot, heads: stood.append(snapshot.height) or rebase(store, snapshot, heads),
    )
    assert cluster.run().violation is None
    assert len(stood) == 1
    node = cluster.nodes[3]
    assert node.store.base() >= stood[0]
    assert set(range(cluster.calm_from, cluster.last_interval + 1)) <= set(cluster.positions[3])
    chain = chain_of(cluster.nodes[0].store, cluster.genesis)
    index = chain[-1].tip.validators.index_of(node.keys.consensus.verify_key.encode())
    assert index is not None
    assert any(each.certificate.signatures[index] for each in chain[-4:])


def test_a_member_that_is_behind_by_more_than_it_keeps_joins_by_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = missed(12)
    cluster.nodes[3].retention = Retention(blocks=5)
    joins_and_trades(cluster, monkeypatch)


def test_where_nobody_has_a_snapshot_yet_blocks_serve_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cells.node.SNAPSHOT_EVERY", 1000)
    cluster = missed(6)
    cluster.nodes[3].retention = Retention(blocks=2)
    assert cluster.run().violation is None
    assert cluster.nodes[3].store.base() == 0
    assert cluster.calm_from in cluster.positions[3]


def test_a_member_joins_beside_a_peer_that_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = missed(12, (1, Cheat.LIES_TO_SYNC), size=7)
    for node in (*cluster.nodes[:3], *cluster.nodes[4:]):
        node.retention = Retention(blocks=4)
    joins_and_trades(cluster, monkeypatch)


def test_a_rotten_snapshot_is_passed_over_at_a_start_and_gone_after_it() -> None:
    cluster = Cluster(1, 4, 1, ClusterPlan(healed_ns=5 * S, **GOOD_NETWORK))  # type: ignore[arg-type]
    assert cluster.run().violation is None
    node = cluster.nodes[2]
    tip, heights = node.core.ordering.tip, node.store.snapshots()
    node.disk.ledger.execute("UPDATE snapshots SET data = x'00' WHERE height = ?", heights[-1:])
    node.black_out()
    node.start()
    assert node.core.ordering.tip == tip
    assert node.store.snapshots() == heights[:-1]


def test_where_everybody_has_pruned_what_a_member_needs_it_joins_by_a_snapshot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = missed(16)
    for node in cluster.nodes[:3]:
        node.retention = Retention(blocks=4, votes=3)
    joins_and_trades(cluster, monkeypatch)
    for node in cluster.nodes:
        node.save(tmp_path / str(node.index))
        report = verify_directory(tmp_path / str(node.index), EnergyCell())
        assert report.failure is None
        assert report.base == node.store.base() > 0


def test_snapshots_of_a_cell_whose_members_come_and_go_are_those_of_the_chain() -> None:
    """With metering points that began and ended, and four sets of validators."""
    cluster, chain = came_and_left(ClusterPlan(healed_ns=2 * S + 12 * INTERVAL_NS, **GOOD_NETWORK))  # type: ignore[arg-type]
    assert any(rule.since or rule.until for rule in chain[-1].tip.state.rules.members)
    for node in cluster.honest:
        assert snapshots_are_those_of_the_chain(cluster, node)


def test_every_node_keeps_the_same_snapshots() -> None:
    cluster = Cluster(1, 4, 1, ClusterPlan(healed_ns=5 * S, **GOOD_NETWORK))  # type: ignore[arg-type]
    assert cluster.run().violation is None
    stored = [
        [node.store.snapshot_part(height, 1) for height in snapshots_are_those_of_the_chain(cluster, node)]
        for node in cluster.nodes
    ]
    assert stored[0] == stored[1] == stored[2] == stored[3]
