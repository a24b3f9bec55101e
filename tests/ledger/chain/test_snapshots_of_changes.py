"""Snapshots of a cell whose membership changed: who left, keys of the past, changes to come and epochs come back."""

from dataclasses import replace

import pytest

from ledger.audit.audit import verify_directory
from ledger.chain.replay import edge_of
from ledger.chain.state_snapshot import decode_cover, restore, take_snapshot
from ledger.errors import PeerError
from ledger.records.changes import Readmit, Remove, Rotate
from ledger.store.reopening import reopen_fast
from ledger.store.retention import Retention


@pytest.fixture
def changed(cell):
    """A cell in which members came, left, took new keys and were admitted again; its snapshots, by height."""
    steps = [
        lambda: cell.announce(cell.admission()),
        lambda: cell.announce(Rotate(cell.ids[1], None, cell.fresh("vote of 1"))),
        lambda: cell.announce(cell.admission(validator=False)),
        lambda: cell.announce(Remove(cell.ids[2])),
        lambda: cell.announce(Readmit(cell.ids[3], 1, cell.fresh("vote of 3"))),
        lambda: cell.author(0),
        lambda: cell.announce(Remove(cell.ids[4])),
        lambda: cell.author(0),
        lambda: cell.author(0),
    ]
    snapshots, epochs = {}, ()
    for step in steps:
        step()
        block = cell.decide()
        certificate = cell.blocks[-1][1]
        epochs += edge_of(block.header, certificate, cell.tip)
        snapshots[cell.tip.height] = take_snapshot(
            cell.tip, cell.application, block.header, certificate, epochs
        )
    assert len(epochs) >= 4
    assert cell.tip.membership.departed
    assert cell.tip.membership.retired
    return cell, snapshots


def test_every_height_is_restored_with_all_that_changed(changed):
    cell, snapshots = changed
    for height, snapshot in snapshots.items():
        cover = decode_cover(snapshot.cover)
        cover.check(cell.cell_id, cell.tips[0].validators)
        tip = restore(cover, snapshot.parts, cell.genesis, cell.application)
        assert tip == cell.tips[height]


def test_epochs_that_are_left_out_or_those_of_another_height_are_refused(changed):
    cell, snapshots = changed
    last = decode_cover(snapshots[max(snapshots)].cover)
    founders = cell.tips[0].validators
    for wrong in (last.epochs[:-1], last.epochs[1:], last.epochs[::-1], (*last.epochs, last.epochs[-1]), ()):
        with pytest.raises(PeerError):
            replace(last, epochs=wrong).check(cell.cell_id, founders)


def test_a_pruned_ledger_with_changes_of_validators_verifies_and_opens(changed, write_directory, tmp_path):
    cell, snapshots = changed
    store = write_directory(cell, tmp_path)
    for height, snapshot in snapshots.items():
        store.put_snapshot(snapshot)
        store.commit()
        Retention(blocks=2, votes=2).tidy(store, height)
    assert store.base() == 7
    reopened = reopen_fast(store, cell.genesis, cell.application)
    assert reopened.tip == cell.tip
    assert reopened.epochs == decode_cover(snapshots[9].cover).epochs
    store.close()
    report = verify_directory(tmp_path, cell.application)
    assert report.failure is None
    assert report.base == 7
