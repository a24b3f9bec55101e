"""Gathering: what a fair proposer includes, what proves a fork, and what is found again after a restart."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.chain import genesis_tip
from ledger.feeds.feeds import Feeds
from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.store.reopening import reopen
from ledger.store.store import Store
from ledger.store.store_file import connect
from market.cell import EnergyCell
from market.payloads import Curve, Kind, Step, encode_order
from node.agreement.gathering import Gathering
from node.events import Now
from sim.cells.keys import FIRST_INTERVAL, Keys, founded

KEYS = [Keys.of(index) for index in range(2)]
GENESIS = founded(KEYS)
CELL_ID = GENESIS.cell_id
ORDER = encode_order(Curve((Step(100_000, 5),), ()))
GATE_NS = 1_000
MEMBER = KEYS[0].member


def feed(kinds: Sequence[int], *, time_ns: int = 1, keys: Keys = KEYS[0]) -> list[SignedEntry]:
    """A feed of entries of these kinds for the first interval."""
    entries: list[SignedEntry] = []
    for sequence, kind in enumerate(kinds):
        previous = entries[-1].id if entries else None
        entry = Entry(keys.public, 0, sequence, previous, kind, FIRST_INTERVAL, time_ns, ORDER)
        entries.append(author_entry(keys.feed, CELL_ID, entry))
    return entries


def gathering() -> Gathering:
    membership = Membership.founding(GENESIS)
    memory = Path(":memory:")
    store = Store(memory, CELL_ID, connect(memory, CELL_ID, create=True))
    return Gathering(Feeds(CELL_ID, membership), membership, store)


def at(cell_ns: int) -> Now:
    return Now(cell_ns, cell_ns, 1)


def take(gathered: Gathering, entries: Sequence[SignedEntry], cell_ns: int = 1) -> Gathering:
    gathered.take([signed.envelope for signed in entries], at(cell_ns))
    gathered.store.commit()
    return gathered


@given(
    st.lists(st.tuples(st.sampled_from((Kind.ORDER, Kind.READING)), st.booleans()), min_size=1, max_size=8)
)
def test_a_head_reaches_to_the_last_entry_before_the_first_late_order(rows: list[tuple[Kind, bool]]) -> None:
    gathered, lateness = gathering(), 0
    entries = feed([kind for kind, _ in rows])
    for signed, (_, late) in zip(entries, rows, strict=True):
        lateness = max(lateness, int(late))
        take(gathered, [signed], GATE_NS + lateness)
    seen_late = [bool(sum(late for _, late in rows[: place + 1])) for place in range(len(rows))]
    late_orders = [place for place, (kind, _) in enumerate(rows) if kind is Kind.ORDER and seen_late[place]]
    last = (late_orders[0] if late_orders else len(rows)) - 1
    expected = () if last < 0 else (Head(MEMBER, 0, last, entries[last].id),)
    assert gathered.heads_for(FIRST_INTERVAL, GATE_NS) == expected


def test_a_late_order_for_another_interval_cuts_nothing() -> None:
    gathered = take(gathering(), feed([Kind.ORDER]), GATE_NS + 1)
    assert len(gathered.heads_for(FIRST_INTERVAL + 1, GATE_NS)) == 1


def test_what_was_seen_first_counts_however_often_it_comes_again() -> None:
    gathered = take(take(gathering(), feed([Kind.ORDER]), 5), feed([Kind.ORDER]), GATE_NS + 9)
    (order,) = gathered.orders_for(FIRST_INTERVAL)
    assert order.first_seen_ns == 5


def test_an_anchored_interval_needs_its_orders_no_more() -> None:
    entries = feed([Kind.ORDER])
    gathered = take(gathering(), entries)
    gathered.anchor(gathered.membership, [Head(MEMBER, 0, 0, entries[0].id)], FIRST_INTERVAL, at(9))
    assert gathered.orders_for(FIRST_INTERVAL) == ()


def test_a_bad_envelope_changes_nothing_and_is_blamed_on_its_sender() -> None:
    gathered = gathering()
    (signed,) = feed([Kind.ORDER])
    result = gathered.take([signed.envelope[:-1], b"", signed.envelope], at(1))
    assert (len(result.faults), result.appended) == (2, [signed])


def test_orders_that_no_block_anchored_are_found_again_after_a_restart() -> None:
    gathered = take(gathering(), feed([Kind.READING, Kind.ORDER]), 7)
    tip, feeds = reopen(gathered.store, GENESIS, EnergyCell())
    again = Gathering(feeds, tip.membership, gathered.store)
    again.restore()
    assert again.orders_for(FIRST_INTERVAL) == gathered.orders_for(FIRST_INTERVAL)


def test_entries_that_left_memory_come_from_the_store() -> None:
    entries = feed([Kind.READING] * 40)
    gathered = take(gathering(), entries)
    gathered.anchor(gathered.membership, [Head(MEMBER, 0, 39, entries[-1].id)], FIRST_INTERVAL, at(9))
    assert gathered.entries(MEMBER, 0, -1, 1) == entries[:2]


@pytest.mark.parametrize("other_first", [False, True])
def test_an_entry_of_the_other_branch_proves_the_fork_when_the_feed_goes_on(other_first: bool) -> None:
    held, other = feed([Kind.ORDER] * 3), feed([Kind.ORDER] * 3, time_ns=2)
    gathered = take(gathering(), held[:2])
    steps = [other[2], held[2]] if other_first else [held[2], other[2]]
    evidence = [found for each in steps for found in gathered.take([each.envelope], at(3)).evidence]
    assert [found.check(CELL_ID, gathered.membership) for found in evidence] == [MEMBER]


def test_a_block_that_names_the_other_branch_can_be_judged_and_is_followed() -> None:
    held, other = feed([Kind.ORDER] * 3), feed([Kind.ORDER] * 3, time_ns=2)
    gathered = take(take(gathering(), held), other, 8)
    named = Head(MEMBER, 0, 2, other[2].id)
    tip = genesis_tip(GENESIS, EnergyCell())
    assert gathered.naming(tip, [named]).entries(MEMBER, 0, -1, 2) == other
    gathered.anchor(gathered.membership, [named], FIRST_INTERVAL, at(9))
    assert gathered.feeds.head(MEMBER) == named
    assert gathered.store.entries(MEMBER, 0, -1, 2) == other


def test_heads_are_those_of_all_members() -> None:
    gathered = take(gathering(), [*feed([Kind.READING]), *feed([Kind.READING], keys=KEYS[1])])
    heads = gathered.heads_for(FIRST_INTERVAL, GATE_NS)
    assert {head.member for head in heads} == {keys.member for keys in KEYS}
