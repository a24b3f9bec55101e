"""Whole daemons in a seeded world: what they must survive together, checked as `sim.cells.cluster` checks."""

import pytest

from ledger.chain.replay import Replayed
from market.cell_state import CellState
from node.agreement import ordering
from sim.cells.calm import INTERVAL_NS, SETTLING_INTERVALS, WAITED_OUT_NS, settling_ns
from sim.cells.checks import chain_of, outcomes_of
from sim.cells.cluster import Cluster
from sim.cells.faults import (
    MS,
    Cheat,
    ClockFault,
    Clog,
    ClusterPlan,
    Damage,
    DiskFault,
    GuardKept,
    OldBackup,
    Outage,
    S,
    Separation,
)

GOOD_NETWORK = {"loss": 0.0, "repetition": 0.0, "delay_ns": 20 * MS}


def plan(intervals: int, **faults: object) -> ClusterPlan:
    return ClusterPlan(healed_ns=2 * S + intervals * INTERVAL_NS, **{**GOOD_NETWORK, **faults})  # type: ignore[arg-type]


def settled(cluster: Cluster) -> list[Replayed[CellState]]:
    """The chain of a cell that came to rest with nothing wrong."""
    outcome = cluster.run()
    assert outcome.violation is None
    return chain_of(cluster.honest[0].store, cluster.genesis)


def test_a_single_member_that_loses_power_goes_on() -> None:
    outages = tuple(Outage(5 * S + each * 3 * S, 0, S, 1 + 5 * each) for each in range(6))
    assert Cluster(14, 1, 8, plan(8, outages=outages)).run().violation is None


def test_without_faults_every_interval_is_traded_in_the_first_round() -> None:
    chain = settled(Cluster(1, 4, 1, plan(1)))
    assert [each.certificate.round for each in chain] == [0] * len(chain)
    assert all(len(outcomes_of(each).clearing.members) == 4 for each in chain[1:-2])


@pytest.mark.parametrize("cheat", list(Cheat))
def test_a_cell_lives_with_one_cheat_of_each_kind(cheat: Cheat) -> None:
    assert Cluster(5, 4, 4, plan(4, cheats=((2, cheat),))).run().violation is None


def test_a_forked_feed_freezes_its_author_and_nobody_else() -> None:
    cluster = Cluster(7, 4, 6, plan(6, delay_ns=200 * MS, loss=0.1, cheats=((1, Cheat.FORKS_FEED),)))
    chain = settled(cluster)
    frozen = [member.id for member in chain[-1].tip.membership.members if member.frozen_at is not None]
    assert frozen == [cluster.keys[1].member]


def test_a_node_that_missed_seventy_blocks_catches_up_and_trades() -> None:
    down_ns = 70 * INTERVAL_NS
    cluster = Cluster(2, 4, 72, plan(72, outages=(Outage(3 * S, 3, down_ns, 1),)))
    chain = settled(cluster)
    assert len(chain) > 70
    last = range(cluster.calm_from, cluster.last_interval + 1)
    assert set(last) <= set(cluster.positions[3])


def test_a_node_catches_up_beside_a_peer_that_lies() -> None:
    faults = plan(8, outages=(Outage(4 * S, 0, 15 * S, 1),), cheats=((3, Cheat.LIES_TO_SYNC),))
    assert Cluster(3, 4, 8, faults).run().violation is None


@pytest.mark.parametrize("at_ns", [4 * S + 600 * MS, 4 * S + 760 * MS, 5 * S, 5 * S + 300 * MS])
def test_a_cell_that_lost_power_as_a_whole_goes_on(at_ns: int) -> None:
    outages = tuple(Outage(at_ns, node, 2 * S, 1 + node) for node in range(4))
    assert Cluster(4, 4, 4, plan(4, outages=outages)).run().violation is None


def test_an_old_backup_is_noticed_by_what_peers_hold_and_its_node_only_reads() -> None:
    cluster = Cluster(8, 4, 6, plan(6, backups=(OldBackup(6 * S, 14 * S, 2),)))
    assert cluster.run().violation is None
    assert "does not remember" in str(cluster.nodes[2].read_only)


@pytest.mark.parametrize("kept", [GuardKept.NEW, GuardKept.NONE])
def test_a_cell_lives_with_a_member_whose_old_ledger_came_back(kept: GuardKept) -> None:
    cluster = Cluster(8, 4, 6, plan(6, backups=(OldBackup(6 * S, 14 * S, 2, kept),)))
    assert cluster.run().violation is None
    assert (cluster.nodes[2].read_only is None) == (kept is GuardKept.NEW)


@pytest.mark.parametrize("fault", list(DiskFault))
def test_a_cell_lives_with_a_disk_that_goes_wrong(fault: DiskFault) -> None:
    damages = tuple(Damage(at_ns, 1, fault, 2 * S, 7) for at_ns in (6 * S, 12 * S))
    assert Cluster(11, 4, 6, plan(6, damages=damages)).run().violation is None


def test_a_full_disk_ends_the_daemon_and_a_repaired_one_lets_it_trade_again() -> None:
    cluster = Cluster(12, 4, 6, plan(6, damages=(Damage(6 * S, 1, DiskFault.FULL, 8 * S, 400),)))
    assert cluster.run().violation is None
    assert cluster.nodes[1].starts > 1
    assert set(range(cluster.calm_from, cluster.last_interval + 1)) <= set(cluster.positions[1])


def test_clocks_that_jump_drift_or_stand_still_stop_nobody_else() -> None:
    clocks = (
        ClockFault(4 * S, 9 * S, 0, frozen=True),
        ClockFault(6 * S, 12 * S, 1, jump_ns=-20 * 3600 * S),
        ClockFault(3 * S, 15 * S, 2, jump_ns=24 * 3600 * S, drift_ppm=10_000),
    )
    assert Cluster(13, 7, 6, plan(6, clocks=clocks)).run().violation is None


def test_clogs_flaps_and_one_way_links_are_survived() -> None:
    apart = (
        Separation(4 * S, 14 * S, (0, 0, 1, 1), flaps_ns=400 * MS),
        Separation(6 * S, 12 * S, (0, 1, 0, 0), one_way=True),
    )
    clogs = (Clog(5 * S, 9 * S, 3),)
    faults = plan(6, separations=apart, clogs=clogs, slow=((0, 300 * MS),), repetition=0.5)
    assert Cluster(14, 4, 6, faults).run().violation is None


def test_an_outage_of_the_network_costs_one_block_and_settles_at_tariff() -> None:
    apart = Separation(5 * S, 5 * S + 5 * INTERVAL_NS, (0, 0, 1, 1))
    chain = settled(Cluster(6, 4, 8, plan(8, separations=(apart,))))
    skipped = [interval for each in chain for interval in outcomes_of(each).skipped]
    assert len(skipped) >= 3
    settlements = [each for block in chain for each in outcomes_of(block).settlements]
    assert all(
        line.contracted == 0 for each in settlements if each.interval in skipped for line in each.lines
    )


def test_a_last_look_is_noticed_when_nobody_judges_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "unfairness", lambda *args, **kwargs: None)
    outcome = Cluster(5, 4, 4, plan(4, cheats=((2, Cheat.LOOKS_LAST),))).run()
    assert outcome.violation is not None and "after its gate" in outcome.violation


def test_a_lost_block_is_noticed_when_nobody_keeps_what_it_prevotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.daemon.turns.block_records", lambda block: ())
    gates_ns = (2 * S + 4 * each * INTERVAL_NS for each in range(1, 14))
    outages = tuple(Outage(gate_ns + 280 * MS, 0, S, 22 + each) for each, gate_ns in enumerate(gates_ns))
    outcome = Cluster(14, 1, 60, plan(60, outages=outages)).run()
    assert outcome.violation is not None and "not live" in outcome.violation


def test_after_its_healing_a_cell_may_take_as_long_as_its_rounds_have_become() -> None:
    cluster = Cluster(1, 4, 1, plan(1))
    cluster.run()
    orderings = [node.core.ordering for node in cluster.nodes]
    least_ns = settling_ns(orderings, 4)
    assert WAITED_OUT_NS < least_ns < SETTLING_INTERVALS * INTERVAL_NS
    assert settling_ns(orderings, 10) > least_ns
    orderings[2].agreement.round = 10
    delta_ns = orderings[0].timeouts.delta_ns
    assert settling_ns(orderings, 4) == least_ns + 2 * 3 * 10 * delta_ns
    assert settling_ns([], 4) == WAITED_OUT_NS
