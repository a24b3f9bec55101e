"""Whole daemons in a seeded world go on to another version of the protocol; who lacks it stops and does not fork."""

from collections.abc import Iterator

import pytest

from ledger.membership.protocol import Reason
from ledger.records import protocols
from ledger.records.changes import SwitchProtocol
from sim.cells.calm import INTERVAL_NS
from sim.cells.checks import chain_of
from sim.cells.faults import MS, ClusterPlan, Outage, S
from sim.cells.switching import SwitchingCluster

OLD, NEW = (1,), (1, 2)
HEIGHT = 5


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This program can read what the simulated ones decide."""
    monkeypatch.setattr(protocols, "KNOWN", NEW)
    return iter(())


def plan(intervals: int = 3, **faults: object) -> ClusterPlan:
    return ClusterPlan(2 * S + intervals * INTERVAL_NS, 0.0, 0.0, 20 * MS, **faults)  # type: ignore[arg-type]


def versions_of(cluster: SwitchingCluster, index: int) -> list[int]:
    return [each.block.header.version for each in chain_of(cluster.nodes[index].store, cluster.genesis)]


def played(
    faults: ClusterPlan, programs: tuple[tuple[int, ...], ...], guests: frozenset[int] = frozenset()
) -> tuple[SwitchingCluster, list[str]]:
    lines: list[str] = []
    switch = SwitchProtocol(2, HEIGHT)
    cluster = SwitchingCluster(4, faults, programs, (switch,), guests=guests, live=lines.append)
    return cluster, lines


@pytest.mark.parametrize(
    "faults",
    [plan(), plan(outages=(Outage(2 * S + 3 * INTERVAL_NS, 1, 2 * S, 5),))],
    ids=["calm", "power fails around the switch"],
)
def test_the_cell_goes_on_at_the_height_and_who_lacks_the_version_has_stopped_before(
    faults: ClusterPlan,
) -> None:
    cluster, lines = played(faults, (NEW, NEW, NEW, OLD), frozenset({3}))
    assert cluster.run().violation is None
    versions = versions_of(cluster, 0)
    assert versions == [1] * (HEIGHT - 1) + [2] * (len(versions) - HEIGHT + 1)
    assert len(versions) > HEIGHT + 2
    left = cluster.nodes[3]
    assert versions_of(cluster, 3) == [1] * (HEIGHT - 1), "it holds all blocks before, and none after"
    assert (left.core.active, left.core.ordering.agreement.height) == (False, HEIGHT - 1)
    assert "upgrade it" in str(left.core.read_only)
    told = [line for line in lines if " 3 " in line and ("upgrade_needed" in line or "read_only" in line)]
    assert "upgrade_needed" in told[0]
    assert "read_only" in told[-1]
    later = [interval for node, interval in cluster.watch.positions if node == 3]
    ours = [interval for node, interval in cluster.watch.positions if node == 0]
    assert max(later, default=0) < max(ours), "its devices are told nothing more"


def test_without_enough_support_nothing_changes_and_everybody_goes_on() -> None:
    cluster, lines = played(plan(), (NEW, NEW, OLD, OLD))
    assert cluster.run().violation is None
    assert set(versions_of(cluster, 0)) == {1}
    refused = cluster.nodes[3].core.ordering.tip.membership.protocol.refused
    assert refused is not None
    assert (refused.reason, refused.supporters) == (Reason.TOO_FEW_SUPPORT, 2)
    assert sum("protocol_refused" in line for line in lines) == 4
    assert all(node.core.active for node in cluster.nodes)


def test_a_member_that_is_upgraded_in_time_goes_on_and_one_that_comes_late_catches_up() -> None:
    cluster, _ = played(plan(), (NEW, NEW, NEW, OLD), frozenset({3}))
    cluster.upgrade(2 * S + 7 * INTERVAL_NS, 3, NEW)
    assert cluster.run().violation is None
    assert versions_of(cluster, 3)[: HEIGHT + 1] == [1] * (HEIGHT - 1) + [2] * 2
    back = cluster.nodes[3].core
    assert (back.active, back.read_only) == (True, None)
    assert back.ordering.tip.membership.protocol.known_to(cluster.keys[3].member) == NEW
    cluster, _ = played(plan(), (NEW, NEW, OLD, OLD))
    cluster.upgrade(5 * S, 2, NEW)
    cluster.upgrade(8 * S, 3, NEW)
    assert cluster.run().violation is None
    assert all(versions_of(cluster, index)[HEIGHT - 1] == 2 for index in range(4))
