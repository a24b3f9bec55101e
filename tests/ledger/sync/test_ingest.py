"""Ingest: the same result on one thread or several, and every kind of entry ends in its place."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import BadSignature, Malformed
from ledger.feeds.feeds import Feeds
from ledger.store.store import Store
from ledger.sync.ingest import CHUNK_ENTRIES, ingest, open_entries


@pytest.fixture
def store(cell, tmp_path):
    store = Store.open(tmp_path / "ledger.sqlite", cell.cell_id, create=True)
    yield store
    store.close()


def _with_another_signature(envelope):
    return envelope[:-1] + bytes([envelope[-1] ^ 1])


def test_a_pool_of_threads_opens_a_batch_to_the_same_result_in_the_same_order(cell):
    envelopes = [cell.author(index % 4).envelope for index in range(3 * CHUNK_ENTRIES)]
    envelopes[70] = _with_another_signature(envelopes[70])
    envelopes[130] = b"no entry"
    with ThreadPoolExecutor(2) as pool:
        pooled = open_entries(envelopes, cell.cell_id, pool)
    alone = open_entries(envelopes, cell.cell_id)
    assert [type(opened) for opened in pooled] == [type(opened) for opened in alone]
    assert [isinstance(opened, BadSignature) for opened in pooled].index(True) == 70
    assert [isinstance(opened, Malformed) for opened in pooled].index(True) == 130
    good = [(one, other) for one, other in zip(pooled, alone, strict=True) if not isinstance(one, Exception)]
    assert all(one == other for one, other in good)


def test_a_batch_in_any_order_is_stored_as_a_chain_with_the_time_each_was_first_seen(cell, store):
    feeds = Feeds(cell.cell_id, cell.tip.membership)
    first, second, third = (cell.author(1) for _ in range(3))
    early = ingest([third.envelope, second.envelope], feeds, cell.tip.membership, store, 5)
    assert ([gap.next_sequence for gap in early.gaps], early.appended) == ([0, 0], [])
    late = ingest([first.envelope], feeds, cell.tip.membership, store, 9)
    assert late.appended == [first, second, third]
    store.commit()
    assert [store.first_seen(cell.ids[1], 0, sequence) for sequence in range(3)] == [9, 5, 5]


def test_every_good_entry_of_a_batch_is_named_whatever_its_feed_says(cell, store):
    feeds = Feeds(cell.cell_id, cell.tip.membership)
    held, twin = cell.sign(0, payload=(1,)), cell.sign(0, payload=(2,))
    envelopes = [held.envelope, held.envelope, twin.envelope, _with_another_signature(twin.envelope)]
    result = ingest(envelopes, feeds, cell.tip.membership, store, 5)
    assert result.opened == [held, held, twin]
    assert (len(result.appended), result.duplicates, len(result.evidence), len(result.faults)) == (1, 1, 1, 1)


def test_entries_of_the_frozen_are_refused(cell, store):
    membership = cell.tip.membership.with_frozen((cell.ids[0],), 1)
    feeds = Feeds(cell.cell_id, membership)
    result = ingest([cell.sign(0).envelope], feeds, membership, store, 5)
    assert "frozen" in result.refused[0]
    assert store.pending == 0
