"""What the entries of a block do to a draft: orders, readings, tariffs, deposits and limits.

Every entry is a stranger's: whatever is wrong with it is a `Refusal` in the outcomes, never an exception.
"""

from bisect import bisect_left
from collections.abc import Callable

from ledger.records.entries import FIRST_APPLICATION_KIND, SignedEntry
from ledger.records.genesis import Role
from market.administration.taking import take_acknowledgement, take_command, take_rights
from market.draft import StateDraft
from market.emergency.taking import take_declaration, take_observation, take_priority
from market.errors import MalformedPayload
from market.federation.intake import is_gateway, take_transfer
from market.outcomes import RecordedEntry, Refusal, Rejected
from market.payloads import (
    Kind,
    decode_deposit,
    decode_limit,
    decode_meter,
    decode_order,
    decode_reading,
    decode_record,
    decode_tariff,
)
from market.services.payloads import decode_withdrawal
from market.services.taking import take_arming, take_report, take_request, take_terms, take_withdrawal
from market.settlement import Reason, deposit
from market.standing_limits import standing
from market.virtual_battery.taking import take_aggregation, take_delegation

MAX_OPEN_STEPS = 1024
"""Tariff steps, and limits, that may lie ahead: more than a month of hourly ones, and few enough to scan."""
METER_HEADROOM = 2
"""Readings up to this multiple of the nameplate count: a fuse bears an overload, but only for a while."""


def take_entries(draft: StateDraft) -> None:
    """Apply the entries of the draft's block in their order."""
    for member, signed in draft.block.entries:
        if signed.entry.kind < FIRST_APPLICATION_KIND:
            continue
        refusal = _take(draft, member, signed)
        if refusal is not None:
            entry = signed.entry
            draft.rejected.append(Rejected(member, signed.id, entry.kind, entry.interval, refusal))


def _take(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    take = _TAKERS.get(signed.entry.kind)
    if take is None:
        return Refusal.UNKNOWN_KIND
    if member in draft.frozen:
        return Refusal.FROZEN
    try:
        return take(draft, member, signed)
    except MalformedPayload:
        return Refusal.MALFORMED


def _take_order(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    interval = signed.entry.interval
    curve = decode_order(signed.entry.payload)
    last = draft.block.last_interval
    if draft.rules.member(member) is None:
        return Refusal.NO_METERING_POINT
    if is_gateway(draft, member):
        return Refusal.UNPROVEN
    if interval < last:
        return Refusal.GATE_CLOSED
    if interval > last + draft.rules.order_horizon:
        return Refusal.BEYOND_HORIZON
    if interval == last and member in draft.block.voided:
        return Refusal.VOIDED
    if interval == last and member in draft.aggregators(interval):
        return Refusal.DELEGATED
    if curve.is_empty:
        draft.curves.pop((interval, member), None)
    else:
        draft.curves[interval, member] = curve
    return None


def _take_reading(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    interval = signed.entry.interval
    reading = decode_reading(signed.entry.payload)
    rule = draft.rules.member(member)
    if rule is None or not rule.meters(interval):
        return Refusal.NO_METERING_POINT
    if is_gateway(draft, member):
        return Refusal.UNPROVEN
    if not draft.is_over(interval):
        return Refusal.NOT_DELIVERED
    record = draft.records.get(interval)
    if record is None:
        return Refusal.WINDOW_CLOSED
    if reading.contribution > METER_HEADROOM * draft.rules.max_injection(
        rule
    ) or reading.consumption > METER_HEADROOM * draft.rules.max_withdrawal(rule):
        return Refusal.IMPLAUSIBLE
    known = draft.reading_of(record, member)
    if known == reading or (known is not None and reading.quality > known.quality):
        return Refusal.NOT_BETTER
    draft.take_reading(interval, member, reading)
    return None


def _take_meter(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    interval = signed.entry.interval
    metered = decode_meter(signed.entry.payload)
    if not draft.has_role(member, Role.DSO):
        return Refusal.NOT_ENTITLED
    if metered.branch >= len(draft.rules.branches):
        return Refusal.MALFORMED
    if not draft.is_over(interval):
        return Refusal.NOT_DELIVERED
    record = draft.records.get(interval)
    if record is None:
        return Refusal.WINDOW_CLOSED
    if draft.meters_of(record).get(metered.branch) == metered.reading:
        return Refusal.NOT_BETTER
    draft.metered.setdefault(interval, {})[metered.branch] = metered.reading
    return None


def _take_tariff(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    step = decode_tariff(signed.entry.payload, signed.entry.interval)
    if not draft.has_role(member, Role.OPERATOR):
        return Refusal.NOT_ENTITLED
    if step.from_interval <= draft.block.last_interval:
        return Refusal.GATE_CLOSED
    kept = [other for other in draft.tariffs if other.from_interval != step.from_interval]
    if len(kept) >= MAX_OPEN_STEPS:
        return Refusal.FULL
    kept.insert(bisect_left(kept, step.from_interval, key=lambda other: other.from_interval), step)
    draft.tariffs = tuple(kept)
    return None


def _take_deposit(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    booked = decode_deposit(signed.entry.payload)
    if not draft.has_role(member, Role.OPERATOR):
        return Refusal.NOT_ENTITLED
    membership = draft.block.membership
    if membership.by_id(booked.member) is None and membership.former(booked.member) is None:
        return Refusal.UNKNOWN_MEMBER
    draft.post(Reason.DEPOSITED, signed.entry.interval, deposit(booked.member, booked.amount))
    return None


def _take_limit(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    limit = decode_limit(signed.entry.payload)
    if not draft.has_role(member, Role.DSO):
        return Refusal.NOT_ENTITLED
    if limit.branch >= len(draft.rules.branches):
        return Refusal.MALFORMED
    if limit.last < draft.block.last_interval:
        return Refusal.GATE_CLOSED
    if len(draft.limits) >= MAX_OPEN_STEPS:
        return Refusal.FULL
    draft.limits = (*draft.limits, standing(limit, signed.id, member))
    return None


def _take_withdrawal(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """Who said a limit or a request takes it back; a limit that was cleared with stays in that outcome."""
    id_ = decode_withdrawal(signed.entry.payload)
    found = next((each for each in draft.limits if each.id == id_), None)
    if found is None:
        return take_withdrawal(draft, member, signed)
    if found.author != member:
        return Refusal.NOT_ENTITLED
    if signed.entry.interval != found.limit.first:
        return Refusal.MALFORMED
    draft.limits = tuple(each for each in draft.limits if each is not found)
    return None


def _take_record(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    entry = signed.entry
    record = decode_record(entry.payload)
    draft.recorded.append(RecordedEntry(member, signed.id, Kind(entry.kind), entry.interval, record.code))
    return None


_TAKERS: dict[int, Callable[[StateDraft, bytes, SignedEntry], Refusal | None]] = {
    Kind.ORDER: _take_order,
    Kind.READING: _take_reading,
    Kind.TARIFF: _take_tariff,
    Kind.DEPOSIT: _take_deposit,
    Kind.LIMIT: _take_limit,
    Kind.DISPATCH: _take_record,
    Kind.ALARM: _take_record,
    Kind.METER: _take_meter,
    Kind.SERVICE_TERMS: take_terms,
    Kind.ARMING: take_arming,
    Kind.SERVICE_REPORT: take_report,
    Kind.REQUEST: take_request,
    Kind.WITHDRAWAL: _take_withdrawal,
    Kind.ACKNOWLEDGEMENT: take_acknowledgement,
    Kind.DEVICE_RIGHTS: take_rights,
    Kind.DEVICE_COMMAND: take_command,
    Kind.TRANSFER: take_transfer,
    Kind.OBSERVATION: take_observation,
    Kind.DECLARATION: take_declaration,
    Kind.PRIORITY: take_priority,
    Kind.DELEGATION: take_delegation,
    Kind.AGGREGATION: take_aggregation,
}
