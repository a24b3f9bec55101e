"""Shell: makes a light proof out of a node's ledger: replays it, and keeps of it what a light client needs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ledger.chain.chain import Tip, genesis_tip
from ledger.chain.commitments import APPLICATION_PREFIX, state_leaves
from ledger.chain.epochs import CertifiedHeader, EpochLink, changes_validators
from ledger.chain.header_log import HeaderLog
from ledger.chain.proofs import prove_head, prove_outcome, prove_record, prove_state
from ledger.chain.replay import Replayed, first_tip, replay, stored_cover
from ledger.heads import Head
from ledger.membership.members import Member, Membership
from ledger.proofs.absence import prove_absence
from ledger.proofs.light_proof import AbsenceClaim, Claim, EntryClaim, LightProof, OutcomeClaim, StateClaim
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Genesis
from ledger.store.store import Store
from ledger.witnesses.witnessed_header import WitnessedHeader
from market.cell import EnergyCell
from market.cell_state import CellState, account_key, member_account
from market.outcomes import CONFIRMATION_KEY, PART_KEY, BlockOutcomes
from market.payloads import Kind
from node.errors import InputRefusedError
from node.views.ledger_view import cosignatures, find_member, opened

_Block = Replayed[CellState]
_Heads = Mapping[bytes, Head]


class What(StrEnum):
    """What can be proved of a member."""

    BALANCE = "balance"
    FILL = "fill"
    READING = "reading"


@dataclass(frozen=True, slots=True)
class _Found:
    """The block under whose certificate something is proved, the heads and the number of epochs before it."""

    before: _Block | None
    heads: _Heads
    block: _Block
    epochs: int
    entry: SignedEntry | None = None


def prove(directory: Path, name: str, what: What, interval: int | None) -> LightProof:
    """The proof of one fact about a member, from a node's or a testnet's first node's ledger.

    A balance is the one after the block that covers the interval, the last block without one. A fill is
    proved by the block that confirmed (or voided) it, the one after its auction; a reading by the block that
    anchored the newest entry of the member for the interval that was not refused. Raises `InputRefusedError`.
    """
    if interval is None and what is not What.BALANCE:
        raise InputRefusedError(f"which interval? name the {what.value}'s with --interval")
    with opened(directory) as (genesis, store):
        tip = first_tip(store, genesis, EnergyCell())
        links = list(_links_before(store, genesis, tip))
        found: _Found | None = None
        before: _Block | None = None
        log = HeaderLog(tip.log)
        matches = _matcher(what, name, interval, store)
        for block in replay(store, genesis, EnergyCell(), tip):
            log.append(block.tip.header_id)
            matching = matches(before, tip.heads, block)
            if matching is not None:
                found = _Found(before, tip.heads, block, len(links), matching[0])
            if changes_validators(block.block.header):
                links.append(EpochLink(_certified(block), block.tip.validators.keys))
            before, tip = block, block.tip
        member = find_member(tip.membership, name)
        if found is None:
            raise InputRefusedError(_why_not_found(member, what, interval, before, log.begins))
        claim = _claim(member, what, found, store)
        height = found.block.tip.height
        return LightProof(
            genesis.cell_id,
            tuple(links[: found.epochs]),
            _certified(found.block),
            claim,
            tuple(_witnessed(directory, height, log)),
        )


_Matcher = Callable[[_Block | None, _Heads, _Block], tuple[SignedEntry | None] | None]
"""Whether a block, after the one and the heads before it, is where to prove: a tuple with the entry, if it is
about one.
"""


def _links_before(store: Store, genesis: Genesis, tip: Tip[CellState]) -> tuple[EpochLink, ...]:
    """The changes of validators up to where a pruned ledger begins, which its snapshot has."""
    if not tip.height:
        return ()
    founders = genesis_tip(genesis, EnergyCell()).validators
    return stored_cover(store, tip.height, genesis, founders).epochs


def _matcher(what: What, name: str, interval: int | None, store: Store) -> _Matcher:
    def balance(before: _Block | None, heads: _Heads, block: _Block) -> tuple[None] | None:
        header = block.block.header
        covers = interval is None or header.first_interval <= interval <= header.last_interval
        return (None,) if covers else None

    def fill(before: _Block | None, heads: _Heads, block: _Block) -> tuple[None] | None:
        auctioned = before is not None and before.block.header.last_interval == interval
        return (None,) if auctioned else None

    def reading(before: _Block | None, heads: _Heads, block: _Block) -> tuple[SignedEntry] | None:
        member = _member_called(block.tip.membership, name)
        if member is None:
            return None
        for signed in reversed(list(_anchored(heads, block, member, store))):
            if (signed.entry.kind, signed.entry.interval) == (Kind.READING, interval):
                return None if _refused(block, signed) else (signed,)
        return None

    return {What.BALANCE: balance, What.FILL: fill, What.READING: reading}[what]


def _claim(member: Member, what: What, found: _Found, store: Store) -> Claim:
    match what:
        case What.BALANCE:
            return _balance(member, found.block)
        case What.FILL:
            return _fill(member, found)
        case What.READING:
            return _reading(member, found, store)


def _balance(member: Member, block: _Block) -> Claim:
    key = account_key(member_account(member.id))
    try:
        return StateClaim(prove_state(block.tip, EnergyCell(), key))
    except KeyError:
        leaves = state_leaves(block.tip.membership, EnergyCell().leaves(block.tip.state))
        return AbsenceClaim(
            prove_absence(leaves, APPLICATION_PREFIX + key),
            prove_record(block.tip, EnergyCell(), member.id),
        )


def _fill(member: Member, found: _Found) -> Claim:
    assert found.before is not None
    header = found.before.block.header
    try:
        part = prove_outcome(found.before.outcomes, PART_KEY + member.id)
    except KeyError:
        who = member.name.decode()
        raise InputRefusedError(
            f"{who} had no order in the auction of interval {header.last_interval}"
        ) from None
    return OutcomeClaim(header, part, prove_outcome(found.block.outcomes, CONFIRMATION_KEY))


def _reading(member: Member, found: _Found, store: Store) -> Claim:
    assert found.entry is not None
    sequence = found.entry.entry.sequence
    anchored = list(_anchored(found.heads, found.block, member, store))
    return EntryClaim(
        prove_head(found.block.tip.heads, member.id),
        tuple(each.body for each in reversed(anchored) if each.entry.sequence > sequence),
        found.entry.envelope,
    )


def _witnessed(directory: Path, height: int, log: HeaderLog) -> Iterator[WitnessedHeader]:
    """What this node holds of witnesses that have seen the block at a height, in this history."""
    for each in cosignatures(directory):
        seen = each.checkpoint
        if max(height, log.begins) <= seen.size <= log.size and log.root(seen.size) == seen.root:
            yield WitnessedHeader(each.signer, each.envelope, log.inclusion(height - 1, seen.size))


def _anchored(heads: _Heads, block: _Block, member: Member, store: Store) -> Iterator[SignedEntry]:
    """The entries of a member that a block anchors after these heads, in order."""
    head = next((head for head in block.block.heads if head.member == member.id), None)
    if head is None:
        return
    anchor = heads.get(member.id)
    known = anchor is not None and anchor.incarnation == head.incarnation
    after = anchor.sequence if anchor is not None and known else -1
    yield from store.entries(member.id, head.incarnation, after, head.sequence)


def _refused(block: _Block, signed: SignedEntry) -> bool:
    assert isinstance(block.outcomes, BlockOutcomes)
    return any(refused.entry_id == signed.id for refused in block.outcomes.rejected)


def _certified(block: _Block) -> CertifiedHeader:
    return CertifiedHeader(block.block.header, block.certificate)


def _member_called(membership: Membership, name: str) -> Member | None:
    try:
        return find_member(membership, name)
    except InputRefusedError:
        return None


def _why_not_found(member: Member, what: What, interval: int | None, last: _Block | None, base: int) -> str:
    who = member.name.decode()
    pruned = f"; it begins after block {base}: ask a node that keeps more" if base else ""
    if last is None:
        return f"the ledger holds no block yet{pruned}"
    header = last.block.header
    if what is What.FILL and interval is not None and interval == header.last_interval:
        return (
            f"the auction of interval {interval} is not confirmed yet: prove it once block"
            f" {header.height + 1} is decided"
        )
    if what is What.READING:
        return f"the ledger anchors no reading of {who} for interval {interval} that counted{pruned}"
    if what is What.FILL:
        return f"no block held an auction for interval {interval}: the last was for {header.last_interval}{pruned}"
    return f"interval {interval} is in no block: the ledger reaches interval {header.last_interval}{pruned}"
