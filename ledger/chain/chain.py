"""The chain: from a tip and a block to the next tip, deterministically.

`propose` builds a block and `extend` checks one; both derive everything that follows from the block's content
with the same function, so they end in the same tip. Neither judges whose turn it was or whether the block was
timely: those are questions of a fresh proposal and belong to the agreement's caller. Nothing here does I/O:
the entries that a block names come from an `EntrySource`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Generic, Protocol

from ledger.chain.application import Application, BlockInput, Outcomes, State
from ledger.chain.commitments import clearing_hash, feeds_root, state_root
from ledger.errors import InvalidBlock, InvalidCertificate, InvalidEvidence, Malformed, MissingEntries
from ledger.feeds.grants import apply_grants
from ledger.heads import Head
from ledger.limits import BLOCK_BYTES
from ledger.membership.admission import take_changes
from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.merkle import Frontier
from ledger.records.blocks import Block, Header, evidence_root, header_id
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Genesis
from ledger.records.validators import Epoch, ValidatorSet, with_epoch
from ledger.records.votes import Certificate


@dataclass(frozen=True, slots=True)
class Tip(Generic[State]):
    """All that is known after a block, and all that the next one is judged by. Immutable.

    Height 0 is the genesis: its `header_id` is the cell id and its `last_interval` is the one before the
    first. `membership` is in force at `height + 1`. `validators` decide the block at `height + 1` and
    `next_validators` the one after; `deciders` decided this one (None at genesis) and `round` is the one it was
    first proposed in. `heads` maps a member's id to its last anchored entry, of those who left too. `log` is
    the header log up to and including this block, `parent_log` the one before it, to which the block's own
    header commits. `epochs` are the last sets of validators, up to the one of `height + 2`.
    """

    genesis: Genesis
    height: int
    header_id: bytes
    last_interval: int
    time_ns: int
    round: int
    membership: Membership
    deciders: ValidatorSet | None
    validators: ValidatorSet
    next_validators: ValidatorSet
    heads: Mapping[bytes, Head]
    log: Frontier
    state: State
    parent_log: Frontier = field(default_factory=Frontier)
    epochs: tuple[Epoch, ...] = ()

    def validators_at(self, height: int) -> ValidatorSet | None:
        """The validators of a height up to the one after the next; None before the epochs that are kept."""
        return next((e.validators for e in reversed(self.epochs) if e.first_height <= height), None)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a proposer chooses. All else in a block follows from it and the tip.

    `heads` may contain heads that did not move or belong to frozen members, and `evidence` what is already
    known: `propose` leaves them out. A `time_ns` not after the tip's is moved just after it.
    """

    proposer: int
    time_ns: int
    last_interval: int
    heads: tuple[Head, ...]
    evidence: tuple[bytes, ...]
    last_certificate: Certificate | None
    round: int = 0


class EntrySource(Protocol):
    """Where the entries that a block names are taken from. What it returns has verified signatures."""

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> Sequence[SignedEntry]:
        """The member's entries with sequence in `after + 1 .. through`. Raises `MissingEntries`."""
        ...


def genesis_tip(genesis: Genesis, application: Application[State]) -> Tip[State]:
    """The tip before block 1. Raises `InvalidGenesis` when the application refuses its rules."""
    membership = Membership.founding(genesis)
    validators = membership.validators()
    return Tip(
        genesis=genesis,
        height=0,
        header_id=genesis.cell_id,
        last_interval=genesis.first_interval - 1,
        time_ns=-1,
        round=0,
        membership=membership,
        deciders=None,
        validators=validators,
        next_validators=validators,
        heads=MappingProxyType({}),
        log=Frontier(),
        state=application.initial(genesis),
        epochs=(Epoch(1, validators),),
    )


def propose(
    tip: Tip[State], application: Application[State], draft: Draft, source: EntrySource
) -> tuple[Block, Tip[State], Outcomes]:
    """The block that this draft gives on top of `tip`, the tip after it and its outcomes.

    Raises `MissingEntries` when the source lacks entries of the draft's heads, and `InvalidBlock` when the
    draft cannot give a valid block (an interval that is not after the tip's, a certificate of another block).
    """
    evidence, membership = _usable_evidence(tip, draft.evidence)
    movable = (head for head in draft.heads if _why_unmovable(tip, membership, head) is None)
    content = _Content(
        last_interval=draft.last_interval,
        time_ns=max(draft.time_ns, tip.time_ns + 1),
        proposer=draft.proposer,
        round=draft.round,
        heads=tuple(sorted(movable, key=lambda head: head.member)),
        evidence=evidence,
        last_certificate=draft.last_certificate,
    )
    derived = _derive(tip, application, content, source)
    block = Block(derived.header, content.heads, content.evidence, content.last_certificate)
    if len(block.encode()) > BLOCK_BYTES:
        raise InvalidBlock(f"the block would have more than {BLOCK_BYTES} bytes")
    return block, derived.tip, derived.outcomes


def extend(
    tip: Tip[State], application: Application[State], block: Block, source: EntrySource
) -> tuple[Tip[State], Outcomes]:
    """The tip after `block`, and its outcomes.

    Raises `InvalidBlock` with the first reason why the block may not follow `tip`, and `MissingEntries`
    naming every head whose entries the source lacks, so that the caller can fetch them all and ask again.
    """
    header = block.header
    _require("height", header.height, tip.height + 1)
    _require("previous id", header.previous, tip.header_id)
    content = _Content(
        last_interval=header.last_interval,
        time_ns=header.time_ns,
        proposer=header.proposer,
        round=header.round,
        heads=block.heads,
        evidence=block.evidence,
        last_certificate=block.last_certificate,
    )
    derived = _derive(tip, application, content, source)
    for name in Header.__dataclass_fields__:
        _require(name.replace("_", " "), getattr(header, name), getattr(derived.header, name))
    return derived.tip, derived.outcomes


@dataclass(frozen=True, slots=True)
class _Content:
    """What a block says that does not follow from the tip."""

    last_interval: int
    time_ns: int
    proposer: int
    round: int
    heads: tuple[Head, ...]
    evidence: tuple[bytes, ...]
    last_certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class _Derived(Generic[State]):
    """What follows from a tip and a content."""

    header: Header
    tip: Tip[State]
    outcomes: Outcomes


def _derive(
    tip: Tip[State], application: Application[State], content: _Content, source: EntrySource
) -> _Derived[State]:
    _check_frame(tip, content)
    timely = _previous_timely(tip, content.last_certificate)
    frozen = _freeze(tip, content.evidence)
    entries = _anchored_entries(tip, frozen, content.heads, source)
    present, voided = apply_grants(frozen, entries)
    state, outcomes = application.apply(
        tip.state,
        BlockInput(
            height=tip.height + 1,
            first_interval=tip.last_interval + 1,
            last_interval=content.last_interval,
            time_ns=content.time_ns,
            previous_timely=timely,
            entries=entries,
            membership=present,
            voided=voided,
        ),
    )
    membership = take_changes(
        present.at(tip.height + 2), entries, tip.genesis, tip.height + 1, partial(application.accepts, state)
    )
    heads = {**tip.heads, **{head.member: head for head in content.heads}}
    certificate = content.last_certificate
    header = Header(
        version=tip.membership.protocol.version,
        height=tip.height + 1,
        previous=tip.header_id,
        first_interval=tip.last_interval + 1,
        last_interval=content.last_interval,
        time_ns=content.time_ns,
        proposer=content.proposer,
        round=content.round,
        validators_hash=tip.validators.hash(),
        next_validators_hash=tip.next_validators.hash(),
        clearing_hash=clearing_hash(outcomes),
        feeds_root=feeds_root(heads),
        state_root=state_root(membership, application.leaves(state)),
        log_size=tip.log.size,
        log_root=tip.log.root(),
        last_certificate_hash=None if certificate is None else certificate.hash(),
        evidence_root=evidence_root(content.evidence),
    )
    block_id = header_id(header, tip.genesis.cell_id)
    next_validators = membership.expected().validators()
    next_tip = Tip(
        genesis=tip.genesis,
        height=header.height,
        header_id=block_id,
        last_interval=content.last_interval,
        time_ns=content.time_ns,
        round=content.round,
        membership=membership,
        deciders=tip.validators,
        validators=tip.next_validators,
        next_validators=next_validators,
        heads=MappingProxyType(heads),
        log=tip.log.append(block_id),
        state=state,
        parent_log=tip.log,
        epochs=with_epoch(tip.epochs, Epoch(header.height + 2, next_validators)),
    )
    return _Derived(header, next_tip, outcomes)


def _check_frame(tip: Tip[State], content: _Content) -> None:
    if content.last_interval <= tip.last_interval:
        raise InvalidBlock(
            f"last interval {content.last_interval} is not after {tip.last_interval}, covered already"
        )
    if content.time_ns <= tip.time_ns:
        raise InvalidBlock(f"time {content.time_ns} is not after that of the block before, {tip.time_ns}")
    if content.round < 0:
        raise InvalidBlock(f"round {content.round} does not exist")
    if not 0 <= content.proposer < tip.validators.size:
        raise InvalidBlock(f"there is no validator {content.proposer} among {tip.validators.size}")


def _previous_timely(tip: Tip[State], certificate: Certificate | None) -> bool | None:
    """Whether the tip's block was decided in time, judged by the certificate that the next block carries.

    What counts is how many rounds passed since the block was proposed: after an outage a height may have seen
    many rounds before somebody could propose for an open interval, and that block is not late.
    """
    if tip.deciders is None:
        if certificate is not None:
            raise InvalidBlock("block 1 has no block before it, and yet a certificate for one")
        return None
    if certificate is None:
        raise InvalidBlock("the certificate of the block before is missing")
    _require("last certificate's height", certificate.height, tip.height)
    _require("last certificate's block id", certificate.block_id, tip.header_id)
    try:
        certificate.check(tip.genesis.cell_id, tip.deciders)
    except InvalidCertificate as fault:
        raise InvalidBlock(f"the last certificate does not hold: {fault}") from fault
    return certificate.round - tip.round <= tip.genesis.last_timely_round


def _freeze(tip: Tip[State], evidence: tuple[bytes, ...]) -> Membership:
    """The membership after this evidence, each piece of which must freeze somebody."""
    membership = tip.membership
    if any(left >= right for left, right in pairwise(evidence)):
        raise InvalidBlock("evidence is not sorted, or one appears twice")
    for data in evidence:
        try:
            offender = Evidence.decode(data).check(tip.genesis.cell_id, tip.membership)
        except (Malformed, InvalidEvidence) as fault:
            raise InvalidBlock(f"evidence does not hold: {fault}") from fault
        member = membership.by_id(offender)
        if member is None or member.frozen_at is not None:
            raise InvalidBlock(f"evidence against member {offender.hex()}, who is frozen already")
        membership = membership.with_frozen((offender,), tip.height + 1)
    return membership


def _usable_evidence(tip: Tip[State], evidence: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], Membership]:
    """Those pieces of evidence that freeze somebody new, sorted, and the membership after them."""
    usable: tuple[bytes, ...] = ()
    membership = tip.membership
    for data in sorted(set(evidence)):
        try:
            membership = _freeze(tip, (*usable, data))
        except InvalidBlock:
            continue
        usable = (*usable, data)
    return usable, membership


def _anchored_entries(
    tip: Tip[State], membership: Membership, heads: tuple[Head, ...], source: EntrySource
) -> tuple[tuple[bytes, SignedEntry], ...]:
    """The entries between the tip's heads and these, in the order of application."""
    if any(left.member >= right.member for left, right in pairwise(heads)):
        raise InvalidBlock("heads are not sorted by member, or one appears twice")
    for head in heads:
        reason = _why_unmovable(tip, membership, head)
        if reason is not None:
            raise InvalidBlock(f"the head of member {head.member.hex()} {reason}")
    entries: list[tuple[bytes, SignedEntry]] = []
    missing: list[Head] = []
    for head in heads:
        anchor = _anchor(tip, head)
        after = -1 if anchor is None else anchor.sequence
        try:
            found = source.entries(head.member, head.incarnation, after, head.sequence)
        except MissingEntries:
            missing.append(head)
            continue
        if _leads_to(head, anchor, found, tip.membership):
            entries.extend((head.member, signed) for signed in found)
        else:
            # What is held here may be another branch of a fork, so the named one is still to be fetched.
            missing.append(head)
    if missing:
        raise MissingEntries(tuple(missing))
    return tuple(entries)


def _why_unmovable(tip: Tip[State], membership: Membership, head: Head) -> str | None:
    """Why a block on `tip` may not name this head, None when it may. `membership` is after the block's
    evidence.
    """
    member = membership.by_id(head.member)
    if member is None:
        return "is of no member of the cell"
    if member.frozen_at is not None:
        return "moves although the member is frozen"
    if head.incarnation != member.incarnation:
        return f"has incarnation {head.incarnation} where {member.incarnation} is granted"
    anchor = _anchor(tip, head)
    if anchor is not None and head.sequence <= anchor.sequence:
        return f"is at sequence {head.sequence}, not after {anchor.sequence}, which is anchored already"
    return None


def _anchor(tip: Tip[State], head: Head) -> Head | None:
    """The head that the tip anchors in this head's incarnation, None when it starts one."""
    anchor = tip.heads.get(head.member)
    return anchor if anchor is not None and anchor.incarnation == head.incarnation else None


def _leads_to(head: Head, anchor: Head | None, found: Sequence[SignedEntry], membership: Membership) -> bool:
    """Whether `found` is the hash chain from the anchor (exclusive) to the head (inclusive)."""
    member = membership.by_id(head.member)
    assert member is not None
    previous = None if anchor is None else anchor.id
    first = 0 if anchor is None else anchor.sequence + 1
    for sequence, signed in enumerate(found, start=first):
        entry = signed.entry
        if (entry.author, entry.incarnation, entry.sequence, entry.previous) != (
            member.feed_key,
            head.incarnation,
            sequence,
            previous,
        ):
            return False
        previous = signed.id
    return previous == head.id


def _require(name: str, found: object, expected: object) -> None:
    if found != expected:
        raise InvalidBlock(f"{name} is {_readable(found)}, expected {_readable(expected)}")


def _readable(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
