"""Whole daemons in a seeded world in which members come, go and take new keys while blocks are made."""

import pytest
from changing_cells import came_and_left, plan, settled

from ledger.chain.replay import Replayed
from ledger.records.changes import Readmit, Remove, Rotate
from market.cell_state import CellState
from sim.cells.checks import outcomes_of
from sim.cells.faults import OldBackup, Outage, S, Separation
from sim.cells.keys import Keys
from sim.cells.membership import ChangingCluster, PlannedChange, new_keys


def trades_of(chain: list[Replayed[CellState]], member: bytes) -> list[int]:
    """The heights at which a member's order was in the auction."""
    return [
        each.tip.height
        for each in chain
        if member in {part.member for part in outcomes_of(each).clearing.members}
    ]


@pytest.mark.parametrize(
    "faults",
    [
        {},
        {
            "outages": (Outage(17 * S, 1, 2 * S, 5), Outage(6 * S, 0, 2 * S, 3)),
            "loss": 0.1,
            "repetition": 0.3,
            "separations": (Separation(4 * S, 9 * S, (0, 0, 1, 1, 1)),),
        },
    ],
    ids=["calm", "joined during a partition, with crashes on the edges"],
)
def test_members_come_go_and_take_new_keys_while_the_cell_trades(faults: dict[str, object]) -> None:
    cluster, chain = came_and_left(plan(12, **faults))
    last = chain[-1].tip
    names = {member.name for member in last.membership.members}
    assert names == {b"home-0", b"home-1", b"home-2", b"home-4"}
    assert last.membership.changes == 3
    assert {each.tip.validators.size for each in chain} == {4, 5}
    comer, leaver, rotator = (cluster.nodes[index].keys for index in (4, 3, 2))
    came = next(each.tip.height for each in chain if each.tip.membership.by_id(comer.member))
    gone = next(each.tip.height for each in chain if each.tip.membership.former(leaver.member))
    assert min(trades_of(chain, comer.member)) > came
    assert max(trades_of(chain, leaver.member)) <= gone
    stays = Keys.of(2).member
    changed = next(each.tip.height for each in chain if each.tip.membership.by_feed_key(rotator.public))
    assert max(trades_of(chain, stays)) > changed
    for index in (4, 2):
        key = cluster.nodes[index].keys.consensus.verify_key.encode()
        assert sum(key in signers(each) for each in chain) > 2, f"node {index} hardly ever votes"
    assert all(cluster.keys[3].public not in cluster.network.allowed(index) for index in (0, 1, 2, 4))
    assert cluster.nodes[4].store.height() >= last.height - 1


def test_a_validator_that_lost_its_memory_begins_again_when_it_is_readmitted() -> None:
    old, key = Keys.of(2), new_keys(2).consensus
    new = Keys(old.feed, key)
    again = PlannedChange(18 * S, 0, Readmit(old.member, 1, key.verify_key.encode()))
    faults = plan(9, backups=(OldBackup(6 * S, 14 * S, 2),))
    cluster = ChangingCluster(8, 4, faults, (again,), guests=frozenset({2}))
    cluster.after(
        18 * S, lambda: cluster.rotate_when(2, new, lambda m: m.by_consensus_key(key.verify_key.encode()))
    )
    reasons: list[str | None] = []
    cluster.after(17 * S, lambda: reasons.append(cluster.nodes[2].read_only))
    chain = settled(cluster)
    assert "does not remember" in str(reasons)
    last = cluster.nodes[2].core
    assert (last.active, last.read_only) == (True, None)
    at = next(each.tip.height for each in chain if each.tip.membership.by_id(old.member).incarnation == 1)
    assert max(trades_of(chain, old.member)) > at + 2
    assert sum(key.verify_key.encode() in signers(each) for each in chain) > 0


def test_after_a_rotation_that_is_late_only_what_follows_must_be_in_time() -> None:
    """One of four is silent for good, another begins with new keys: it waits first, and with it the other two."""
    key = new_keys(2)
    rotated = Rotate(Keys.of(2).member, key.public, key.consensus.verify_key.encode())
    faults = plan(3, backups=(OldBackup(5 * S, 10 * S, 3),))
    change = PlannedChange(22 * S, None, rotated)
    cluster = ChangingCluster(5, 4, faults, (change,), guests=frozenset({2}))
    before = cluster.calm_from
    cluster.after(
        22 * S, lambda: cluster.rotate_when(2, key, lambda m: m.by_feed_key(key.public) is not None)
    )
    settled(cluster)
    assert before < cluster.calm_from <= cluster.last_interval


def signers(each: Replayed[CellState]) -> list[bytes]:
    """The consensus keys in a block's certificate."""
    assert each.tip.deciders is not None
    return [each.tip.deciders.keys[index] for index in sorted(each.certificate.signers)]


def test_a_cell_whose_third_and_more_leave_at_once_goes_on() -> None:
    changes = tuple(PlannedChange(8 * S, 0, Remove(Keys.of(index).member)) for index in (4, 5, 6))
    cluster = ChangingCluster(3, 7, plan(4), changes, guests=frozenset({4, 5, 6}))
    chain = settled(cluster)
    assert chain[-1].tip.validators.size == 4
