"""Virtual batteries in the seeded world: one bids for its branch whatever goes wrong, and the shares sum up."""

import pytest

from sim.cells.batteries import AGGREGATOR, BatteryCluster
from sim.cells.calm import INTERVAL_NS
from sim.cells.checks import chain_of, outcomes_of
from sim.cells.faults import MS, ClusterPlan, Outage, S

ILL = 6


def plan(**faults: object) -> ClusterPlan:
    good = {"loss": 0.0, "repetition": 0.0, "delay_ns": 20 * MS}
    return ClusterPlan(healed_ns=2 * S + ILL * INTERVAL_NS, **{**good, **faults})  # type: ignore[arg-type]


def together(cluster: BatteryCluster) -> list[int]:
    """The intervals that were cleared with all members of the branch as one."""
    ids = {cluster.keys[member].member for member in cluster.members}
    found = []
    for each in chain_of(cluster.honest[0].store, cluster.genesis):
        pending = each.tip.state.pending
        if pending is not None and pending.aggregators.keys() == ids:
            assert set(pending.aggregators.values()) == {cluster.keys[AGGREGATOR].member}
            assert not ids & {part.member for part in outcomes_of(each).clearing.members}
            found.append(pending.interval)
    return found


def test_members_become_one_and_part_again() -> None:
    cluster = BatteryCluster(3, 6, ILL, plan(), parted_ns=ILL * INTERVAL_NS)
    assert cluster.run().violation is None
    intervals = together(cluster)
    assert 3 <= len(intervals) <= ILL + 2
    assert intervals[-1] < cluster.last_interval - 1


def test_it_goes_on_while_the_aggregator_is_away_and_after_it_came_back() -> None:
    outage = Outage(2 * INTERVAL_NS, AGGREGATOR, 2 * INTERVAL_NS, 7)
    cluster = BatteryCluster(4, 6, ILL, plan(outages=(outage,)))
    assert cluster.run().violation is None
    assert len(together(cluster)) > ILL


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_seed_chooses_money_shares_and_agreement_hold(seed: int) -> None:
    parted_ns = None if seed % 2 else ILL * INTERVAL_NS
    outcome = BatteryCluster(seed, 4 + seed % 4, ILL, parted_ns=parted_ns).run()
    assert outcome.violation is None, "\n".join((outcome.violation, *outcome.trace))
