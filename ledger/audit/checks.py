"""The checks of an audit: what each stored row must say, given the genesis and the rows before it.

Each check raises `AuditFault` at the first thing that is wrong, naming the row, what was expected and what
was found.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.errors import LedgerError, MissingEntries, PeerError
from ledger.files.sign_guard import GuardState
from ledger.heads import Head
from ledger.membership.evidence import Evidence
from ledger.membership.members import Member, Membership
from ledger.records.entries import SignedEntry, open_entry
from ledger.records.rows import EntryRow, VoteRow, first_seen_check
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Proposal, Step, Vote, open_proposal, open_vote


@dataclass(frozen=True, slots=True)
class AuditFailure:
    """The first thing wrong: where it is, what should be there and what is."""

    where: str
    expected: str
    found: str


class AuditFault(LedgerError):  # noqa: N818 - as in `ledger.errors`
    """Raised to end an audit at its first failure."""

    def __init__(self, where: str, expected: str, found: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}")
        self.failure = AuditFailure(where, expected, found)


@dataclass(slots=True)
class AuditedEntries:
    """All entries that passed, as a source for the chain; those that `base` anchors are in `kept` instead."""

    base: Mapping[bytes, Head] = field(default_factory=dict)
    by_feed: dict[tuple[bytes, int], list[SignedEntry]] = field(default_factory=dict)
    kept: dict[bytes, list[SignedEntry]] = field(default_factory=dict)
    count: int = 0

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        """The entries with sequence in `after + 1 .. through`; raises `MissingEntries`."""
        feed = self.by_feed.get((member, incarnation), [])
        before = self.anchored(member, incarnation)
        first = 0 if before is None else before.sequence + 1
        if through - first >= len(feed) or after + 1 < first:
            raise MissingEntries((Head(member, incarnation, through, b""),))
        return feed[after + 1 - first : through + 1 - first]

    def by_id(self, member: bytes, entry_id: bytes) -> SignedEntry | None:
        """A member's entry by id."""
        feeds = [feed for (author, _), feed in self.by_feed.items() if author == member]
        feeds.append(self.kept.get(member, []))
        return next((signed for feed in feeds for signed in feed if signed.id == entry_id), None)

    def anchored(self, member: bytes, incarnation: int) -> Head | None:
        """The head of the base in this very incarnation."""
        head = self.base.get(member)
        return head if head is not None and head.incarnation == incarnation else None

    def take(self, where: str, member: bytes, signed: SignedEntry) -> None:
        """Join an entry to what came before it."""
        entry = signed.entry
        head = self.base.get(member)
        self.count += 1
        if head is not None and (entry.incarnation, entry.sequence) <= (head.incarnation, head.sequence):
            if (entry.incarnation, entry.sequence) == (head.incarnation, head.sequence):
                _require(f"{where}: id of the snapshot's head", head.id, signed.id)
            self._keep(where, member, signed)
            return
        anchored = self.anchored(member, entry.incarnation)
        feed = self.by_feed.setdefault((member, entry.incarnation), [])
        first, before = (0, None) if anchored is None else (anchored.sequence + 1, anchored.id)
        _require(f"{where}: next sequence of the feed", first + len(feed), entry.sequence)
        _require(f"{where}: previous id", feed[-1].id if feed else before, entry.previous)
        _require(f"{where}: author", feed[-1].entry.author if feed else entry.author, entry.author)
        feed.append(signed)

    def _keep(self, where: str, member: bytes, signed: SignedEntry) -> None:
        """An entry of what was pruned: it joins the one before it, where that is kept too."""
        kept = self.kept.setdefault(member, [])
        entry, last = signed.entry, kept[-1] if kept else None
        if last is not None and (last.entry.incarnation, last.entry.sequence + 1) == (
            entry.incarnation,
            entry.sequence,
        ):
            _require(f"{where}: previous id", last.id, entry.previous)
        kept.append(signed)


def check_entries(rows: Iterable[EntryRow], cell_id: bytes, base: Mapping[bytes, Head]) -> AuditedEntries:
    """Every row's columns against its envelope, and every feed as a hash chain under one key: from sequence 0 or, in
    a pruned ledger, from the head that the snapshot at its base names.

    Rows come sorted by member, incarnation and sequence. Whose key it is only the blocks tell: `check_authors`.
    """
    audited = AuditedEntries(base)
    for row in rows:
        where = f"entry {row.sequence} of member {row.member.hex()}, incarnation {row.incarnation}"
        try:
            signed = open_entry(row.envelope, cell_id)
        except PeerError as fault:
            raise AuditFault(where, "a signed entry of this cell", str(fault)) from fault
        entry = signed.entry
        _require(f"{where}: column incarnation", entry.incarnation, row.incarnation)
        _require(f"{where}: column sequence", entry.sequence, row.sequence)
        _require(f"{where}: column id", signed.id, row.id)
        check = first_seen_check(row.id, row.first_seen_ns)
        _require(f"{where}: column first_seen_check", check, row.first_seen_check)
        audited.take(where, row.member, signed)
    return audited


def check_authors(audited: AuditedEntries, membership: Membership) -> None:
    """Every feed is under a key of its member, one in force or one of the past."""
    authors = membership.feed_keys(ever=True)
    kept = ((member, signed) for member, entries in audited.kept.items() for signed in entries)
    first = ((member, feed[0]) for (member, _), feed in audited.by_feed.items() if feed)
    for member, signed in (*kept, *first):
        entry = signed.entry
        where = f"entry {entry.sequence} of member {member.hex()}, incarnation {entry.incarnation}"
        author = authors.get(entry.author)
        if author is None:
            raise AuditFault(where, "a member as author", f"the key {entry.author.hex()}")
        _require(f"{where}: column member", author, member)


def check_votes(
    rows: Iterable[VoteRow], cell_id: bytes, validators: Mapping[int, ValidatorSet]
) -> dict[tuple[int, int, int, int], set[bytes]]:
    """Every kept vote and proposal against its envelope and the validators of its height.

    The bodies of those that passed, by (height, round, step, validator).
    """
    bodies: dict[tuple[int, int, int, int], set[bytes]] = {}
    for row in rows:
        place = (row.height, row.round, row.step, row.validator)
        where = "vote of height {}, round {}, step {}, validator {}".format(*place)
        known = validators.get(row.height)
        if known is None:
            raise AuditFault(where, f"a height of 1 to {max(validators)}", str(row.height))
        vote: Vote | Proposal
        try:
            if row.step == Step.PROPOSE:
                proposal = open_proposal(row.envelope, cell_id, known)
                vote, body = proposal.proposal, proposal.body
            else:
                signed = open_vote(row.envelope, cell_id, known)
                vote, body = signed.vote, signed.body
        except PeerError as fault:
            raise AuditFault(where, "a signed vote of this cell", str(fault)) from fault
        signed_place = (vote.height, vote.round, int(vote.step), vote.validator)
        _require(f"{where}: columns height, round, step, validator", signed_place, place)
        bodies.setdefault(place, set()).add(body)
    return bodies


def check_evidence(rows: Iterable[tuple[bytes, bytes]], cell_id: bytes, membership: Membership) -> int:
    """Every piece of kept evidence proves something; how many there are."""
    count = 0
    for row_id, data in rows:
        where = f"evidence {row_id.hex()}"
        _require(f"{where}: column id", sha256(data).digest(), row_id)
        try:
            Evidence.decode(data).offender(
                cell_id, membership.feed_keys(ever=True), membership.consensus_keys(ever=True)
            )
        except PeerError as fault:
            raise AuditFault(where, "a proof of equivocation", str(fault)) from fault
        count += 1
    return count


def check_guard_height(guard: GuardState, height: int) -> None:
    """The blocks before the one that this node voted on last are in its ledger."""
    if guard.height > height + 1:
        raise AuditFault(
            "guard", f"blocks up to {guard.height - 1}, as it voted at {guard.height}", f"up to {height}"
        )


def check_own_feed(
    guard: GuardState,
    entries: AuditedEntries,
    membership: Membership,
) -> Member | None:
    """The last entry that this node signed is in its ledger. The member whose guard it is, if it has spoken.

    The guard names the head of the own feed, which also tells whose directory this is.
    """
    if guard.feed_head is None:
        return None
    for anchored in entries.base.values():
        if anchored.id == guard.feed_head:
            _require("guard: place of the own feed's head", anchored.sequence, guard.feed_sequence)
            return membership.by_id(anchored.member) or membership.former(anchored.member)
    owner = next(
        (m for m in membership.everyone if entries.by_id(m.id, guard.feed_head) is not None),
        None,
    )
    if owner is None:
        raise AuditFault(
            "guard",
            f"entry {guard.feed_sequence} of incarnation {guard.feed_incarnation} of the own feed,"
            f" id {guard.feed_head.hex()}",
            "no such entry: rows were lost",
        )
    head = entries.by_id(owner.id, guard.feed_head)
    assert head is not None
    place = (head.entry.incarnation, head.entry.sequence)
    _require("guard: place of the own feed's head", place, (guard.feed_incarnation, guard.feed_sequence))
    return owner


def check_own_votes(
    guard: GuardState,
    consensus_keys: Iterable[bytes],
    validators: Mapping[int, ValidatorSet],
    bodies: Mapping[tuple[int, int, int, int], set[bytes]],
) -> None:
    """No own vote is later than the guard, and at the guard's place there is none but the guard's.

    `consensus_keys` are all that the member ever had: it has one guard for all of them.
    """
    own = frozenset(consensus_keys)
    last = (guard.height, guard.round, int(guard.step))
    for (height, round_, step, validator), found in bodies.items():
        if validators[height].keys[validator] not in own:
            continue
        where = f"own vote of height {height}, round {round_}, step {step}"
        if (height, round_, step) > last:
            raise AuditFault(where, f"nothing signed after {last}, which the guard holds", "a vote")
        if (height, round_, step) == last and found != {guard.body}:
            raise AuditFault(where, f"the body {guard.body.hex()}", ", ".join(b.hex() for b in sorted(found)))


def _require(where: str, expected: object, found: object) -> None:
    if found != expected:
        raise AuditFault(where, _readable(expected), _readable(found))


def _readable(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
