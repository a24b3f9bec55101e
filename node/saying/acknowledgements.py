"""Shell: that somebody has seen an alarm of the cell, left for the node to say."""

from ledger.records.genesis import Role
from market.administration.payloads import encode_acknowledgement
from market.payloads import Kind
from node.alarms.alarm_log import LedgerAlarm
from node.saying.speaking import Speaker


def say_seen(said: Speaker, alarm: LedgerAlarm) -> str:
    """Acknowledge an alarm: one of the speaker's own, or as operator or dso any; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    if alarm.member != said.member.id:
        said.require(Role.OPERATOR | Role.DSO, "others' alarms")
    said.leave(Kind.ACKNOWLEDGEMENT, 0, encode_acknowledgement(alarm.id))
    return f"{alarm.name} of {alarm.member_name} acknowledged."
