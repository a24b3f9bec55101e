"""What entries about emergencies do to a draft: observations and declarations, refused with a reason."""

from dataclasses import replace

from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.draft import StateDraft
from market.emergency.book import (
    MOST_PER_INTERVAL,
    MOST_SPANS,
    STANDS_FOR,
    DeclaredSpan,
    StandingObservation,
)
from market.emergency.payloads import decode_declaration, decode_observation, decode_priority
from market.emergency.priority import NO_PRIORITY
from market.federation.intake import is_gateway
from market.outcomes import Refusal


def take_observation(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A metering point says what its meter sees; the later word replaces the earlier one."""
    seen, interval = decode_observation(signed.entry.payload), signed.entry.interval
    last, rule = draft.block.last_interval, draft.rules.member(member)
    if rule is None or not rule.meters(interval):
        return Refusal.NO_METERING_POINT
    if is_gateway(draft, member):
        return Refusal.UNPROVEN
    if interval > last:
        return Refusal.BEYOND_HORIZON
    if interval + STANDS_FOR < last:
        return Refusal.WINDOW_CLOSED
    before = draft.emergency.observations.get(member)
    if before is not None and interval < before.interval:
        return Refusal.NOT_BETTER
    said = 1 if before is None or before.interval < interval else before.said + 1
    if said > MOST_PER_INTERVAL:
        return Refusal.FULL
    draft.emergency.observations[member] = StandingObservation(interval, seen.seen, seen.since_ns, said)
    return None


def take_declaration(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A dso declares an emergency, or that there is none, for intervals whose gate is not past."""
    declared, first = decode_declaration(signed.entry.payload), signed.entry.interval
    last = draft.block.last_interval
    if not draft.has_role(member, Role.DSO):
        return Refusal.NOT_ENTITLED
    if declared.last < first:
        return Refusal.MALFORMED
    if declared.last < last:
        return Refusal.GATE_CLOSED
    if declared.last > last + draft.rules.order_horizon:
        return Refusal.BEYOND_HORIZON
    spans = draft.emergency.declarations.get(member, ())
    kept = [replace(span, last=min(span.last, first - 1)) for span in spans if span.first < first]
    if len(kept) >= MOST_SPANS:
        return Refusal.FULL
    draft.emergency.declarations[member] = (*kept, DeclaredSpan(first, declared.last, declared.emergency))
    return None


def take_priority(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """An operator grants a metering point power that is served first in an emergency, or takes it back."""
    whose, granted = decode_priority(signed.entry.payload)
    if not draft.has_role(member, Role.OPERATOR):
        return Refusal.NOT_ENTITLED
    if draft.rules.member(whose) is None or whose in draft.frozen:
        return Refusal.UNKNOWN_MEMBER
    if is_gateway(draft, whose):
        return Refusal.UNPROVEN
    draft.emergency.priorities.pop(whose, None)
    if granted != NO_PRIORITY:
        draft.emergency.priorities[whose] = granted
    return None
