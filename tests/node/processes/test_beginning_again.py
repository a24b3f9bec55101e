"""Who may have a new sign guard: a member that the cell readmitted, for what it can never have signed."""

from contextlib import ExitStack

import pytest
from nacl.signing import SigningKey

from ledger.files.sign_guard import SignGuard, blank_guard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.records.changes import Readmit
from node.agreement.recall import Recall, Remembered
from node.daemon.signer import Signer
from node.daemon.startup import Opened, member_with_keys, trusted
from sim.cells.faults import MS, ClusterPlan, Outage, S
from sim.cells.keys import Keys
from sim.cells.membership import ChangingCluster, PlannedChange, new_keys
from sim.simulated_disk import Power, SimulatedFile

LOST = 2
NEW = new_keys(LOST).consensus


@pytest.fixture(scope="module")
def cluster() -> ChangingCluster:
    """A cell in which one was lost and readmitted, and has not come back."""
    plan = ClusterPlan(4 * S, 0.0, 0.0, 20 * MS, outages=(Outage(9 * S, LOST, 10_000 * S, 1),))
    again = PlannedChange(12 * S, 0, Readmit(Keys.of(LOST).member, 1, NEW.verify_key.encode()))
    made = ChangingCluster(4, 4, plan, (again,), guests=frozenset({LOST}))
    assert made.run().violation is None
    return made


def opened(cluster: ChangingCluster, index: int, consensus: SigningKey) -> Opened:
    """A start without a guard, on a ledger that is up to date."""
    feed, cell_id = Keys.of(index).feed, cluster.genesis.cell_id
    signer = Signer(cell_id, feed, consensus, None, WriteAheadLog(SimulatedFile(Power())))

    return trusted(
        cluster.genesis,
        cluster.nodes[0].store,
        signer,
        lambda tip: member_with_keys(
            tip.membership, b"home-%d" % index, feed.verify_key.encode(), consensus.verify_key.encode()
        ),
        ExitStack(),
        lambda: SignGuard(SimulatedFile(Power(), blank_guard())),
    )


def test_a_readmitted_member_with_its_new_key_gets_a_guard_and_may_sign(cluster: ChangingCluster) -> None:
    again = opened(cluster, LOST, NEW)
    assert (again.read_only, again.remembered) == (None, Remembered((1, -1), None))
    assert again.signer.guard is not None
    recall, old = Recall(1, again.member.feed_key), Keys.of(LOST).member
    last = cluster.nodes[0].store.last_sequence(old, 0)
    assert last >= 0, "peers hold what it said before it lost its memory"
    assert (0, last) < again.remembered.feed
    assert not recall.done


@pytest.mark.parametrize(
    ("index", "consensus"), [(LOST, Keys.of(LOST).consensus), (1, Keys.of(1).consensus), (1, NEW)]
)
def test_without_readmission_or_with_another_key_it_only_reads(
    cluster: ChangingCluster, index: int, consensus: SigningKey
) -> None:
    lost = opened(cluster, index, consensus)
    assert lost.signer.guard is None
    assert "wattswarm cell readmit" in str(lost.read_only)
