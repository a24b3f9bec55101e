"""The cell's alarms as the API tells them."""

from ledger.records.genesis import Role
from market.administration.payloads import device_key
from node.alarms.alarm_log import LedgerAlarm
from node.web.cell_alarms import CellAlarms
from node.web.settings_answers import CellAlarm
from node.web.watched_node import WatchedNode, moment

SHORT = 12


def cell_alarms_of(node: WatchedNode, kept: CellAlarms, *, only_open: bool) -> list[CellAlarm]:
    """The alarms of the cell, newest first; devices are named where they are this node's own."""
    member = node.member
    own = None if member is None else member.id
    everything = member is not None and bool(member.roles & (Role.OPERATOR | Role.DSO))
    ders = [str(table.get("name", "")) for table in node.config.site.ders]
    names = {} if own is None else {device_key(own, name): name for name in ders}
    return [
        _told(alarm, names, mine=alarm.member == own, may=everything or alarm.member == own)
        for alarm in reversed(kept.alarms)
        if alarm.open or not only_open
    ]


def _told(alarm: LedgerAlarm, names: dict[bytes, str], *, mine: bool, may: bool) -> CellAlarm:
    device = None if alarm.device is None else names.get(alarm.device, alarm.device.hex()[:SHORT])
    return CellAlarm(
        id=alarm.id.hex(),
        member=alarm.member_name,
        mine=mine,
        code=alarm.name,
        severity=alarm.urgency.name.lower(),
        device=device,
        raised_at=moment(alarm.raised_ns),
        momentary=alarm.momentary,
        cleared_at=None if alarm.cleared_ns is None else moment(alarm.cleared_ns),
        acknowledged_at=None if alarm.acknowledged_ns is None else moment(alarm.acknowledged_ns),
        acknowledged_by=alarm.acknowledged_by,
        may_acknowledge=may and alarm.acknowledged_ns is None,
    )
