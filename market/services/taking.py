"""What entries about grid services do to a draft: terms, arming, reports and requests; refused with a reason."""

from bisect import insort
from dataclasses import replace
from operator import attrgetter

from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.draft import StateDraft
from market.errors import MalformedPayload
from market.outcomes import Refusal
from market.services.book import ArmedSpan, StandingRequest, TermsStep, span_at
from market.services.draft import cut_before
from market.services.payloads import (
    ServiceRequest,
    decode_armed,
    decode_report,
    decode_request,
    decode_terms,
    decode_withdrawal,
)

MOST_SERVICES = 64
"""Services that a cell's dso may buy: more than the package has curves for."""
MOST_STEPS = 32
"""Terms, or spans of arming, of one service that may lie ahead or still be open."""
MOST_REQUESTS = 256
"""Requests that may be open: one every five minutes for a day."""


def take_terms(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A dso says what it buys from an interval on; the first to name a service is the one that pays for it."""
    terms, first = decode_terms(signed.entry.payload), signed.entry.interval
    if not draft.has_role(member, Role.DSO):
        return Refusal.NOT_ENTITLED
    if first <= draft.block.last_interval:
        return Refusal.GATE_CLOSED
    steps = draft.services.terms.get(terms.name, ())
    if any(step.payer != member for step in steps):
        return Refusal.NOT_ENTITLED
    if any(step.terms.requested != terms.requested for step in steps):
        return Refusal.MALFORMED
    kept = [step for step in steps if step.from_interval != first]
    if len(kept) >= MOST_STEPS or (not steps and len(draft.services.terms) >= MOST_SERVICES):
        return Refusal.FULL
    insort(kept, TermsStep(first, member, terms), key=attrgetter("from_interval"))
    draft.services.terms[terms.name] = tuple(kept)
    return None


def take_arming(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A member arms, or disarms, from an interval on whose gate is not past."""
    armed, first = decode_armed(signed.entry.payload), signed.entry.interval
    last = draft.block.last_interval
    rule = draft.rules.member(member)
    if rule is None or not rule.meters(first):
        return Refusal.NO_METERING_POINT
    if armed.name not in draft.services.terms:
        return Refusal.UNKNOWN_SERVICE
    if armed.last < first:
        raise MalformedPayload("an arming ends before it begins")
    if first < last:
        return Refusal.GATE_CLOSED
    if armed.last > last + draft.rules.order_horizon:
        return Refusal.BEYOND_HORIZON
    swing_mw = rule.max_injection_mw + rule.max_withdrawal_mw
    if max(armed.up_mw, armed.down_mw) > swing_mw:
        return Refusal.IMPLAUSIBLE
    key = (armed.name, member)
    spans = cut_before(draft.services.armed.get(key, ()), first)
    if armed.up_mw or armed.down_mw:
        if len(spans) >= MOST_STEPS:
            return Refusal.FULL
        spans = (*spans, ArmedSpan(first, armed.last, armed.up_mw, armed.down_mw))
    draft.services.armed[key] = spans
    return None


def take_report(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A member reports on an interval that is over and not settled; the first report counts."""
    report, interval = decode_report(signed.entry.payload), signed.entry.interval
    if not draft.is_over(interval):
        return Refusal.NOT_DELIVERED
    record = draft.records.get(interval)
    if record is None or record.settled:
        return Refusal.WINDOW_CLOSED
    if span_at(draft.services.armed.get((report.name, member), ()), interval) is None:
        return Refusal.NOT_ARMED
    key = (interval, report.name, member)
    if key in draft.services.reports:
        return Refusal.NOT_BETTER
    draft.services.reports[key] = report
    return None


def take_request(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """The dso that pays for a service calls it, no later than before the first interval concerned is settled."""
    request, first = decode_request(signed.entry.payload), signed.entry.interval
    last = draft.block.last_interval
    if not draft.has_role(member, Role.DSO):
        return Refusal.NOT_ENTITLED
    calendar = draft.rules.calendar
    if first != calendar.index_of(request.start_ns) or not _is_of_the_feeder(draft, request):
        return Refusal.MALFORMED
    steps = draft.services.terms.get(request.name, ())
    if not any(step.payer == member and step.terms.requested for step in steps):
        return Refusal.UNKNOWN_SERVICE
    record = draft.records.get(first)
    if first < draft.last_delivered or (record is not None and record.settled):
        return Refusal.GATE_CLOSED
    if calendar.index_of(request.end_ns - 1) > last + draft.rules.order_horizon:
        return Refusal.BEYOND_HORIZON
    if len(draft.services.requests) >= MOST_REQUESTS:
        return Refusal.FULL
    draft.services.requests = (*draft.services.requests, StandingRequest(signed.id, member, request))
    return None


def take_withdrawal(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """The dso takes its own request back, from the time of this entry on; what was given until then is paid."""
    id_ = decode_withdrawal(signed.entry.payload)
    found = next((each for each in draft.services.requests if each.id == id_), None)
    if found is None or found.author != member:
        return Refusal.NOT_ENTITLED
    if signed.entry.interval != draft.rules.calendar.index_of(found.request.start_ns):
        return Refusal.MALFORMED
    ends_ns = max(signed.entry.time_ns, found.request.start_ns)
    ended = draft.rules.calendar.index_of(ends_ns)
    record = draft.records.get(ended)
    if ended < draft.last_delivered or (record is not None and record.settled) or ends_ns >= found.end_ns:
        return Refusal.WINDOW_CLOSED
    draft.services.requests = tuple(
        replace(each, withdrawn_ns=ends_ns) if each.id == id_ else each for each in draft.services.requests
    )
    return None


def _is_of_the_feeder(draft: StateDraft, request: ServiceRequest) -> bool:
    return request.branch is None or request.branch < len(draft.rules.branches)
