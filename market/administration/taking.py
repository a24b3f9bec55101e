"""What entries about devices do to a draft: rights and commands hold if their author may say them."""

from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.administration.payloads import decode_acknowledgement, decode_command, decode_rights
from market.draft import StateDraft
from market.outcomes import RecordedEntry, Refusal
from market.payloads import Kind


def take_acknowledgement(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """Somebody has seen an alarm; whose word counts for it is for the reader (`node.alarms.alarm_log`)."""
    decode_acknowledgement(signed.entry.payload)
    _record(draft, member, signed, Kind.ACKNOWLEDGEMENT, 0)
    return None


def take_rights(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """The owner, or who has the right, says what holds for a device."""
    said = decode_rights(signed.entry.payload)
    if draft.rules.member(said.member) is None:
        return Refusal.NO_METERING_POINT
    if not draft.administration.may_set(member, _roles(draft, member), said):
        return Refusal.NOT_ENTITLED
    after = draft.administration.with_rights(said)
    if after is None:
        return Refusal.FULL
    draft.administration = after
    return None


def take_command(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """A command by who may give it."""
    command = decode_command(signed.entry.payload)
    if command.member is not None and draft.block.membership.by_id(command.member) is None:
        return Refusal.UNKNOWN_MEMBER
    if not draft.administration.may_command(member, _roles(draft, member), command):
        return Refusal.NOT_ENTITLED
    draft.administration = draft.administration.with_command(member, command)
    _record(draft, member, signed, Kind.DEVICE_COMMAND, int(command.action))
    return None


def _roles(draft: StateDraft, member: bytes) -> Role:
    known = draft.block.membership.by_id(member)
    return Role(0) if known is None else Role(known.roles)


def _record(draft: StateDraft, member: bytes, signed: SignedEntry, kind: Kind, code: int) -> None:
    draft.recorded.append(RecordedEntry(member, signed.id, kind, signed.entry.interval, code))
