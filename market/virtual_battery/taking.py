"""What entries about virtual batteries do to a draft; they hold from the auction after the block's own on."""

from ledger.records.entries import SignedEntry
from market.draft import StateDraft
from market.federation.intake import is_gateway
from market.outcomes import Refusal
from market.virtual_battery.payloads import decode_aggregation, decode_delegation


def take_delegation(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A metering point names its aggregator, which sits on the same branch, or trades for itself again."""
    aggregator = decode_delegation(signed.entry.payload)
    refusal = _refusal(draft, member, () if aggregator is None else (aggregator,))
    if refusal is not None:
        return refusal
    draft.virtual_batteries = draft.virtual_batteries.with_delegation(member, aggregator)
    return None


def take_aggregation(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A metering point names those it trades for, who sit on its branch; whoever is left out trades for itself."""
    members = decode_aggregation(signed.entry.payload)
    refusal = _refusal(draft, member, members)
    if refusal is not None:
        return refusal
    draft.virtual_batteries = draft.virtual_batteries.with_aggregation(member, members)
    return None


def _refusal(draft: StateDraft, member: bytes, others: tuple[bytes, ...]) -> Refusal | None:
    """Why a member cannot be in a virtual battery with these; None if it can."""
    rule = draft.rules.member(member)
    if rule is None:
        return Refusal.NO_METERING_POINT
    if member in others:
        return Refusal.MALFORMED
    for each in others:
        other = draft.rules.member(each)
        if other is None:
            return Refusal.UNKNOWN_MEMBER
        if is_gateway(draft, member) or is_gateway(draft, each):
            return Refusal.UNPROVEN
        if other.branch != rule.branch:
            return Refusal.OTHER_BRANCH
    return None
