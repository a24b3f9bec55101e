"""A node that saw the other branch of a fork first can still check and follow what the others decided."""

import pytest

from ledger.chain.branches import KEPT_ENTRIES, Branches
from ledger.chain.chain import extend
from ledger.errors import MissingEntries
from ledger.feeds.feeds import Feeds
from ledger.store.reopening import reopen
from ledger.store.store import Store


@pytest.fixture
def forked(cell, tmp_path):
    """A cell whose member 0 forked after its anchored entry: (cell, block naming one branch, feeds with the
    other).
    """
    anchored = cell.author(0)
    cell.decide()
    held = [cell.sign(0, payload=(1,))]
    store = Store.open(tmp_path / "ledger.sqlite", cell.cell_id, create=True)
    feeds = Feeds(cell.cell_id, cell.tip.membership)
    block = cell.blocks[0][0]
    store.put_block(1, cell.tip.header_id, block.encode(), cell.blocks[0][1].encode())
    for signed in (anchored, *held):
        feeds.offer(signed, 5)
        store.append(cell.ids[0], signed, 5)
    store.commit()
    feeds.forget_through(cell.head(0))
    cell.author(0, payload=(2,))
    cell.author(0)
    yield cell, cell.propose()[0], feeds, store
    store.close()


def test_the_named_branch_is_checked_once_its_entries_are_kept(forked):
    cell, block, feeds, _ = forked
    branches = Branches()
    source = branches.over(feeds, cell.tip, block.heads)
    with pytest.raises(MissingEntries) as caught:
        extend(cell.tip, cell.application, block, source)
    assert caught.value.wanted == block.heads
    branches.keep(cell.feeds[cell.ids[0]][1:])
    tip, _ = extend(cell.tip, cell.application, block, source)
    assert tip.heads[cell.ids[0]] == cell.head(0)


def test_a_decided_branch_takes_the_place_of_the_held_one_in_feeds_and_store(forked):
    cell, block, feeds, store = forked
    branches = Branches()
    branches.keep(cell.feeds[cell.ids[0]][1:])
    for member, entries in branches.adopt(block.heads, feeds, 9):
        store.adopt(member, entries, 9)
    cell.decide()
    store.put_block(2, cell.tip.header_id, block.encode(), cell.blocks[1][1].encode())
    store.commit()
    for head in block.heads:
        feeds.forget_through(head)
    assert feeds.head(cell.ids[0]) == cell.head(0)
    tip, restored = reopen(store, cell.genesis, cell.application)
    assert tip == cell.tip
    assert restored.heads() == feeds.heads()


def test_nothing_is_adopted_where_the_held_branch_is_the_named_one(cell):
    feeds = Feeds(cell.cell_id, cell.tip.membership)
    feeds.offer(cell.author(1), 5)
    block = cell.propose()[0]
    branches = Branches()
    branches.keep(cell.feeds[cell.ids[1]])
    assert branches.adopt(block.heads, feeds, 9) == []


def test_an_incomplete_or_unconnected_branch_is_no_chain(forked):
    cell, _, _, _ = forked
    branches = Branches()
    first, last = cell.feeds[cell.ids[0]][1:]
    branches.keep([last])
    assert branches.chain(cell.head(0), cell.tip.heads[cell.ids[0]]) is None
    branches.keep([first])
    assert branches.chain(cell.head(0), cell.tip.heads[cell.ids[0]]) == [first, last]
    assert branches.chain(cell.head(0), None) is None


def test_what_is_kept_is_bounded(cell):
    branches = Branches()
    entries = [cell.author(1) for _ in range(3)]
    branches.keep(entries)
    stand_ins = [_StandIn(entries[0].entry, number.to_bytes(32, "big")) for number in range(KEPT_ENTRIES)]
    branches.keep(stand_ins)
    assert branches.chain(cell.head(1), None) is None
    assert len(branches._by_id) == KEPT_ENTRIES


class _StandIn:
    """An entry without the cost of a signature."""

    def __init__(self, entry, entry_id):
        self.entry, self.id = entry, entry_id
