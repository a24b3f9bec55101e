"""From stored entries to the list of alarms: the one way in which commands and pages read them. Pure.

An acknowledgement counts if it is the alarm's own member's, or an operator's or dso's. One alarm is what the same
member says under the same code and device until it clears; raised again it is another one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.administration.payloads import AlarmState, Urgency, decode_acknowledgement
from market.errors import MalformedPayload
from market.payloads import Kind
from node.alarms.alarm_codes import alarm_name
from node.alarms.alarm_feed import read_notice


@dataclass(frozen=True, slots=True)
class LedgerAlarm:
    """One alarm; times are cell time in ns, None for what has not happened.

    `id` is the id of the entry that raised it, by which it is acknowledged. `device` is the key of the device (see
    `market.administration.payloads.device_key`), None for the whole node. `momentary` alarms are never cleared.
    """

    id: bytes
    member: bytes
    member_name: str
    code: int
    name: str
    urgency: Urgency
    device: bytes | None
    raised_ns: int
    momentary: bool = False
    cleared_ns: int | None = None
    acknowledged_ns: int | None = None
    acknowledged_by: str | None = None

    @property
    def standing(self) -> bool:
        """Whether its cause is there still."""
        return not self.momentary and self.cleared_ns is None

    @property
    def open(self) -> bool:
        """Whether somebody should look at it: it stands, or nobody has acknowledged it."""
        return self.standing or self.acknowledged_ns is None


def alarms_of(entries: Iterable[tuple[bytes, SignedEntry]], membership: Membership) -> list[LedgerAlarm]:
    """Every alarm that entries tell of, oldest first; entries of one member (by id) in the order of its feed."""
    names = {member.id: member.name.decode() for member in membership.everyone}
    alarms: dict[bytes, LedgerAlarm] = {}
    standing: dict[tuple[bytes, int, bytes | None], bytes] = {}
    seen: list[tuple[bytes, SignedEntry]] = []
    for member, signed in entries:
        if signed.entry.kind == Kind.ACKNOWLEDGEMENT:
            seen.append((member, signed))
        notice = read_notice(signed.entry.payload) if signed.entry.kind == Kind.ALARM else None
        if notice is None:
            continue
        which = (member, notice.code, notice.device)
        if notice.state is AlarmState.CLEARED:
            if (raised := standing.pop(which, None)) is not None:
                alarms[raised] = replace(alarms[raised], cleared_ns=notice.cell_ns)
            continue
        momentary = notice.state is AlarmState.HAPPENED
        if which in standing and not momentary:
            continue
        alarms[signed.id] = LedgerAlarm(
            signed.id,
            member,
            names.get(member, member.hex()[:16]),
            notice.code,
            alarm_name(notice.code),
            notice.urgency,
            notice.device,
            notice.cell_ns,
            momentary,
        )
        if not momentary:
            standing[which] = signed.id
    for member, signed in seen:
        _acknowledge(alarms, member, signed, membership, names)
    return sorted(alarms.values(), key=lambda alarm: (alarm.raised_ns, alarm.id))


def _acknowledge(
    alarms: dict[bytes, LedgerAlarm],
    member: bytes,
    signed: SignedEntry,
    membership: Membership,
    names: dict[bytes, str],
) -> None:
    try:
        alarm = alarms.get(decode_acknowledgement(signed.entry.payload))
    except MalformedPayload:
        return
    known = membership.by_id(member)
    may = known is not None and bool(known.roles & (Role.OPERATOR | Role.DSO))
    if alarm is None or alarm.acknowledged_ns is not None or not (may or member == alarm.member):
        return
    alarms[alarm.id] = replace(
        alarm,
        acknowledged_ns=signed.entry.time_ns,
        acknowledged_by=names.get(member, member.hex()[:16]),
    )
