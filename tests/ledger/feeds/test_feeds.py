"""Feeds are the same chains whatever the order of arrival, bounded in memory, and never fork silently."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.errors import MissingEntries
from ledger.feeds.feeds import Anchored, Appended, Duplicate, Feeds, Fork, Gap, OfferResult, Refused
from ledger.heads import Head
from ledger.limits import HELD_ENTRIES, REMEMBERED_ENTRIES, REORDER_ENTRIES
from ledger.membership.members import Membership
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from ledger.signing import MessageType, identifier

NAMES = ("ada", "bob", "cleo")
KEYS = {name: SigningKey(sha256(name.encode()).digest()) for name in NAMES}
IDS = {name: member_id(key.verify_key.encode()) for name, key in KEYS.items()}
FOUNDERS = tuple(
    FoundingMember(
        name.encode(),
        KEYS[name].verify_key.encode(),
        sha256(name.encode()).digest() if name == "ada" else None,
        int(Role.VALIDATOR if name == "ada" else Role.PROSUMER),
    )
    for name in NAMES
)
GENESIS = Genesis(b"cell", 0, 0, (), FOUNDERS, ())
CELL = GENESIS.cell_id
MEMBERSHIP = Membership.founding(GENESIS)
ADA = IDS["ada"]


def sign(
    name: str, sequence: int, previous: bytes | None, *, incarnation: int = 0, note: int = 0
) -> SignedEntry:
    key = KEYS[name]
    entry = Entry(key.verify_key.encode(), incarnation, sequence, previous, 32, 1, 1, (note,))
    return author_entry(key, CELL, entry)


def chain(name: str, length: int, *, incarnation: int = 0, note: int = 0) -> list[SignedEntry]:
    entries: list[SignedEntry] = []
    for sequence in range(length):
        previous = entries[-1].id if entries else None
        entries.append(sign(name, sequence, previous, incarnation=incarnation, note=note))
    return entries


def branch(trunk: list[SignedEntry], length: int, note: int = 1) -> list[SignedEntry]:
    """Another continuation of ada's trunk."""
    entries = list(trunk)
    for _ in range(length):
        entries.append(sign("ada", len(entries), entries[-1].id if entries else None, note=note))
    return entries


def head_of(entries: list[SignedEntry], name: str = "ada") -> Head:
    last = entries[-1]
    return Head(IDS[name], last.entry.incarnation, last.entry.sequence, last.id)


def fed(entries: list[SignedEntry]) -> Feeds:
    feeds = Feeds(CELL, MEMBERSHIP)
    for now_ns, signed in enumerate(entries):
        assert isinstance(feeds.offer(signed, now_ns), Appended)
    return feeds


CHAINS = {name: chain(name, 12) for name in NAMES}
LONG = chain("ada", REORDER_ENTRIES + 10)


def test_entries_in_order_are_appended_one_by_one() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    assert feeds.heads() == ()
    assert feeds.head(ADA) is None
    for signed in CHAINS["ada"]:
        assert feeds.offer(signed, 5) == Appended((signed,))
    assert feeds.head(ADA) == head_of(CHAINS["ada"])
    assert feeds.entries(ADA, 0, -1, 11) == CHAINS["ada"]
    assert feeds.entries(ADA, 0, 3, 5) == CHAINS["ada"][4:6]
    assert feeds.entries(ADA, 0, 5, 5) == []


@given(st.data())
def test_any_order_of_arrival_with_duplicates_gives_the_same_feeds(data: st.DataObject) -> None:
    lengths = {name: data.draw(st.integers(0, 12)) for name in NAMES}
    sent = [signed for name in NAMES for signed in CHAINS[name][: lengths[name]]]
    extra = data.draw(st.lists(st.sampled_from(sent), max_size=10)) if sent else []
    arrivals = data.draw(st.permutations(sent + extra))
    feeds = Feeds(CELL, MEMBERSHIP)
    appended: list[SignedEntry] = []
    for now_ns, signed in enumerate(arrivals):
        result = feeds.offer(signed, now_ns)
        assert isinstance(result, Appended | Duplicate | Gap)
        if isinstance(result, Appended):
            appended.extend(result.entries)
    expected = [head_of(CHAINS[name][: lengths[name]], name) for name in NAMES if lengths[name]]
    assert list(feeds.heads()) == sorted(expected, key=lambda head: head.member)
    assert sorted(signed.id for signed in appended) == sorted(signed.id for signed in sent)
    for name in NAMES:
        in_order = [signed for signed in appended if signed.entry.author == KEYS[name].verify_key.encode()]
        assert in_order == CHAINS[name][: lengths[name]]
        assert feeds.entries(IDS[name], 0, -1, lengths[name] - 1) == in_order
    for signed in sent:
        assert feeds.first_seen(signed.id) == arrivals.index(signed)


def test_a_late_predecessor_brings_those_that_waited_along() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    first, second, third = CHAINS["ada"][:3]
    assert feeds.offer(third, 1) == Gap(ADA, 0, 0)
    assert feeds.offer(second, 2) == Gap(ADA, 0, 0)
    assert feeds.offer(third, 3) == Duplicate()
    assert feeds.offer(first, 4) == Appended((first, second, third))
    assert [feeds.first_seen(signed.id) for signed in (first, second, third)] == [4, 2, 1]


def test_few_entries_wait_for_a_missing_one_and_the_latest_go_first() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    for signed in reversed(LONG[1:]):
        assert feeds.offer(signed, 1) == Gap(ADA, 0, 0)
    kept = LONG[1 : REORDER_ENTRIES + 1]
    assert [signed for signed in LONG if feeds.first_seen(signed.id) is not None] == kept
    assert feeds.offer(LONG[0], 2) == Appended((LONG[0], *kept))
    assert feeds.offer(LONG[REORDER_ENTRIES + 1], 3) == Appended((LONG[REORDER_ENTRIES + 1],))


def unsigned_chain(length: int) -> list[SignedEntry]:
    """A long chain of ada's at no cost: feeds rely on signatures that were checked and never look at them."""
    entries: list[SignedEntry] = []
    for sequence in range(length):
        previous = entries[-1].id if entries else None
        entry = Entry(KEYS["ada"].verify_key.encode(), 0, sequence, previous, 32, 1, 1, ())
        body = b"%d" % sequence
        entries.append(SignedEntry(entry, body, bytes(64), identifier(MessageType.ENTRY, CELL, body)))
    return entries


def test_entries_that_wait_for_a_block_are_bounded() -> None:
    entries = unsigned_chain(HELD_ENTRIES + 3)
    feeds = fed(entries[:HELD_ENTRIES])
    assert isinstance(feeds.offer(entries[HELD_ENTRIES], 0), Refused)
    feeds.offer(entries[HELD_ENTRIES + 1], 0)
    feeds.forget_through(head_of(entries[: HELD_ENTRIES - 5]))
    resumed = feeds.offer(entries[HELD_ENTRIES], 0)
    assert resumed == Appended(tuple(entries[HELD_ENTRIES : HELD_ENTRIES + 2]))
    with pytest.raises(MissingEntries):
        feeds.entries(ADA, 0, -1, 0)


def test_what_waited_does_not_exceed_the_bound_either() -> None:
    entries = unsigned_chain(HELD_ENTRIES + 2)
    feeds = fed(entries[: HELD_ENTRIES - 1])
    feeds.offer(entries[HELD_ENTRIES], 0)
    assert feeds.offer(entries[HELD_ENTRIES - 1], 0) == Appended((entries[HELD_ENTRIES - 1],))
    assert feeds.first_seen(entries[HELD_ENTRIES].id) is None
    assert isinstance(feeds.offer(entries[HELD_ENTRIES], 0), Refused)


def test_strangers_frozen_members_and_other_incarnations_are_refused() -> None:
    stranger = SigningKey(bytes(32))
    entry = replace(CHAINS["ada"][0].entry, author=stranger.verify_key.encode())
    offers: list[tuple[Membership, SignedEntry, str]] = [
        (MEMBERSHIP, author_entry(stranger, CELL, entry), "no member"),
        (MEMBERSHIP.with_frozen([ADA], 3), CHAINS["ada"][0], "frozen"),
        (MEMBERSHIP, sign("ada", 0, None, incarnation=1), "incarnation 1"),
        (MEMBERSHIP.with_incarnation(ADA, 2), sign("ada", 0, None, incarnation=1), "incarnation 1"),
    ]
    for membership, signed, reason in offers:
        feeds = Feeds(CELL, membership)
        result = feeds.offer(signed, 1)
        assert isinstance(result, Refused)
        assert reason in result.reason
        assert feeds.heads() == ()
        assert feeds.first_seen(signed.id) is None


def test_a_fork_makes_evidence_against_its_author_and_changes_nothing() -> None:
    feeds = fed(CHAINS["ada"])
    for other in branch(CHAINS["ada"][:6], 3)[6:]:
        result = feeds.offer(other, 99)
        if isinstance(result, Fork):
            assert result.evidence.check(CELL, MEMBERSHIP) == ADA
        assert feeds.head(ADA) == head_of(CHAINS["ada"])
    assert isinstance(feeds.offer(branch(CHAINS["ada"][:6], 1)[6], 99), Fork)
    assert isinstance(feeds.offer(sign("ada", 0, None, note=9), 99), Fork)


def test_a_fork_is_seen_while_both_branches_wait() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    feeds.offer(CHAINS["ada"][5], 1)
    result = feeds.offer(branch(CHAINS["ada"][:5], 1)[5], 2)
    assert isinstance(result, Fork)
    assert result.evidence.check(CELL, MEMBERSHIP) == ADA


def test_an_entry_after_the_other_branch_asks_for_its_predecessor_which_proves_the_fork() -> None:
    feeds = fed(CHAINS["ada"][:6])
    other = branch(CHAINS["ada"][:5], 2)
    assert feeds.offer(other[6], 9) == Gap(ADA, 0, 5)
    assert isinstance(feeds.offer(other[5], 9), Fork)


def test_a_waiting_entry_of_another_branch_is_dropped_when_its_turn_comes() -> None:
    feeds = fed(CHAINS["ada"][:5])
    other = branch(CHAINS["ada"][:5], 2)
    feeds.offer(other[6], 9)
    assert feeds.offer(CHAINS["ada"][5], 9) == Appended((CHAINS["ada"][5],))
    assert feeds.first_seen(other[6].id) is None
    assert feeds.offer(CHAINS["ada"][6], 9) == Appended((CHAINS["ada"][6],))


@settings(max_examples=60)
@given(st.data())
def test_a_forked_author_is_always_found_out_once_all_entries_have_arrived_twice(data: st.DataObject) -> None:
    fork_at = data.draw(st.integers(0, 8))
    honest, other = CHAINS["ada"][:9], branch(CHAINS["ada"][:fork_at], 9 - fork_at)
    arrivals = data.draw(st.permutations(honest + other[fork_at:]))
    feeds = Feeds(CELL, MEMBERSHIP)
    results: list[OfferResult] = [feeds.offer(signed, 0) for signed in [*arrivals, *arrivals]]
    forks = [result for result in results if isinstance(result, Fork)]
    assert forks
    assert all(fork.evidence.check(CELL, MEMBERSHIP) == ADA for fork in forks)
    head = feeds.head(ADA)
    assert head is not None
    held = feeds.entries(ADA, 0, -1, head.sequence)
    assert held in (honest[: len(held)], other[: len(held)])


@given(st.data())
def test_honest_authors_are_never_accused(data: st.DataObject) -> None:
    """Whatever is lost, repeated, reordered, anchored or restored, one chain per incarnation makes no evidence."""
    feeds = Feeds(CELL, MEMBERSHIP)
    for _ in range(data.draw(st.integers(1, 30))):
        entries = CHAINS[data.draw(st.sampled_from(NAMES))]
        signed = data.draw(st.sampled_from(entries))
        if data.draw(st.integers(0, 5)) == 0:
            name = next(name for name in NAMES if CHAINS[name] is entries)
            feeds.forget_through(head_of(entries[: signed.entry.sequence + 1], name))
        assert not isinstance(feeds.offer(signed, 0), Fork | Refused)
    for head in feeds.heads():
        name = next(name for name in NAMES if IDS[name] == head.member)
        assert head == head_of(CHAINS[name][: head.sequence + 1], name)


def test_anchored_entries_leave_all_but_the_last_few() -> None:
    feeds = fed(LONG)
    anchor = 40
    feeds.forget_through(head_of(LONG[: anchor + 1]))
    oldest = anchor - REMEMBERED_ENTRIES + 1
    assert feeds.head(ADA) == head_of(LONG)
    assert feeds.entries(ADA, 0, oldest - 1, anchor) == LONG[oldest : anchor + 1]
    with pytest.raises(MissingEntries):
        feeds.entries(ADA, 0, oldest - 2, anchor)
    assert feeds.first_seen(LONG[oldest - 1].id) is None
    assert feeds.offer(LONG[oldest], 1) == Duplicate()
    assert feeds.offer(LONG[oldest - 1], 1) == Anchored(ADA, 0, oldest - 1)
    assert isinstance(feeds.offer(branch(LONG[:anchor], 1)[anchor], 1), Fork)


def test_what_no_block_has_anchored_is_listed_in_order() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    assert feeds.unanchored(ADA) == []
    for signed in reversed(CHAINS["ada"]):
        feeds.offer(signed, 1)
    assert feeds.unanchored(ADA) == CHAINS["ada"]
    feeds.forget_through(head_of(CHAINS["ada"][:5]))
    assert feeds.unanchored(ADA) == CHAINS["ada"][5:]


def test_a_feed_continues_from_its_anchored_head_after_a_restart() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    feeds.forget_through(head_of(LONG[:41]))
    assert feeds.heads() == (head_of(LONG[:41]),)
    assert feeds.offer(LONG[40], 1) == Duplicate()
    assert feeds.offer(branch(LONG[:40], 1)[40], 1) == Anchored(ADA, 0, 40)
    assert feeds.offer(LONG[42], 1) == Gap(ADA, 0, 41)
    assert feeds.offer(LONG[41], 1) == Appended((LONG[41], LONG[42]))


def test_an_anchored_head_takes_the_place_of_another_branch() -> None:
    feeds = fed(branch(CHAINS["ada"][:5], 4))
    feeds.offer(branch(CHAINS["ada"][:5], 6)[10], 1)
    feeds.forget_through(head_of(CHAINS["ada"][:8]))
    assert feeds.head(ADA) == head_of(CHAINS["ada"][:8])
    assert feeds.offer(CHAINS["ada"][8], 1) == Appended((CHAINS["ada"][8],))


def test_an_older_anchor_changes_nothing() -> None:
    feeds = fed(LONG)
    feeds.forget_through(head_of(LONG[:41]))
    feeds.forget_through(head_of(LONG[:11]))
    assert feeds.entries(ADA, 0, 40, 50) == LONG[41:51]
    assert feeds.offer(LONG[40], 1) == Duplicate()


def test_an_anchor_of_no_granted_feed_is_refused() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    for head in (Head(bytes(32), 0, 0, bytes(32)), Head(ADA, 1, 0, bytes(32))):
        with pytest.raises(ValueError, match="grants"):
            feeds.forget_through(head)


def test_a_decided_branch_can_start_at_the_first_entry_or_at_the_anchor() -> None:
    feeds = fed(branch([], 3))
    feeds.adopt(CHAINS["ada"][:2], 1)
    assert feeds.entries(ADA, 0, -1, 1) == CHAINS["ada"][:2]
    restored = Feeds(CELL, MEMBERSHIP)
    restored.forget_through(head_of(CHAINS["ada"][:3]))
    restored.adopt(CHAINS["ada"][3:5], 1)
    assert restored.head(ADA) == head_of(CHAINS["ada"][:5])


def test_what_is_no_chain_or_undoes_an_anchor_is_not_adopted() -> None:
    feeds = fed(branch(CHAINS["ada"][:5], 4))
    feeds.forget_through(head_of(CHAINS["ada"][:3]))
    before = feeds.heads()
    stranger = SigningKey(bytes(32))
    entry = replace(CHAINS["ada"][0].entry, author=stranger.verify_key.encode())
    for entries in (
        [CHAINS["ada"][5], CHAINS["ada"][7]],
        [CHAINS["ada"][6], CHAINS["ada"][5]],
        [CHAINS["ada"][11]],
        [CHAINS["ada"][6]],
        branch(CHAINS["ada"][:2], 2)[2:],
        [CHAINS["ada"][5], CHAINS["bob"][6]],
        [author_entry(stranger, CELL, entry)],
        [sign("ada", 0, None, incarnation=1)],
    ):
        with pytest.raises(ValueError, match=r"branch|anchored"):
            feeds.adopt(entries, 1)
        assert feeds.heads() == before


def test_a_decided_head_is_followed_on_its_branch_wherever_the_fork_was() -> None:
    decided = CHAINS["ada"][:9]
    for fork_at in range(9):
        feeds = fed(branch(CHAINS["ada"][:fork_at], 9 - fork_at))
        assert feeds.follow(head_of(decided), [*reversed(decided), *CHAINS["bob"]], 7) == tuple(
            decided[fork_at:]
        )
        assert feeds.entries(ADA, 0, -1, 8) == decided
        assert feeds.follow(head_of(decided), decided, 8) == ()
        assert feeds.first_seen(decided[fork_at].id) == 7
        assert isinstance(feeds.offer(branch(CHAINS["ada"][:fork_at], 1)[fork_at], 9), Fork)


def test_a_decided_head_is_followed_from_the_anchor_after_a_restart() -> None:
    feeds = Feeds(CELL, MEMBERSHIP)
    feeds.forget_through(head_of(CHAINS["ada"][:4]))
    assert feeds.follow(head_of(CHAINS["ada"][:7]), CHAINS["ada"], 1) == tuple(CHAINS["ada"][4:7])
    assert feeds.head(ADA) == head_of(CHAINS["ada"][:7])


def test_a_head_that_the_entries_do_not_reach_is_not_followed() -> None:
    other = branch(CHAINS["ada"][:5], 4)
    feeds = fed(other)
    feeds.forget_through(head_of(other[:7]))
    decided = head_of(CHAINS["ada"][:9])
    foreign = [Head(bytes(32), 0, 0, bytes(32)), Head(ADA, 1, 8, decided.id), Head(ADA, 0, 9, decided.id)]
    for head in (decided, *foreign, head_of(CHAINS["ada"][:3])):
        assert feeds.follow(head, CHAINS["ada"], 1) == ()
        assert feeds.head(ADA) == head_of(other)
    assert fed(other).follow(decided, CHAINS["ada"][6:], 1) == ()


def test_a_granted_incarnation_starts_an_empty_feed_and_the_old_one_is_over() -> None:
    feeds = fed(CHAINS["ada"])
    feeds.offer(CHAINS["bob"][0], 1)
    feeds.set_membership(MEMBERSHIP.with_incarnation(ADA, 1))
    assert feeds.head(ADA) is None
    assert feeds.head(IDS["bob"]) == head_of(CHAINS["bob"][:1], "bob")
    assert all(feeds.first_seen(signed.id) is None for signed in CHAINS["ada"])
    feeds.forget_through(head_of(CHAINS["ada"]))
    assert feeds.head(ADA) is None
    renewed = chain("ada", 3, incarnation=1)
    assert feeds.offer(renewed[0], 2) == Appended((renewed[0],))
    with pytest.raises(MissingEntries):
        feeds.entries(ADA, 0, -1, 0)
    assert isinstance(feeds.offer(CHAINS["ada"][1], 3), Refused)


def test_a_frozen_feed_keeps_what_it_has_and_forgets_what_waited() -> None:
    feeds = fed(CHAINS["ada"][:3])
    feeds.offer(CHAINS["ada"][5], 1)
    feeds.set_membership(MEMBERSHIP.with_frozen([ADA], 2))
    assert feeds.first_seen(CHAINS["ada"][5].id) is None
    assert feeds.entries(ADA, 0, -1, 2) == CHAINS["ada"][:3]
    assert feeds.head(ADA) == head_of(CHAINS["ada"][:3])
