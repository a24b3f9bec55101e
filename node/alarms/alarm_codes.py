"""The numbers of alarms in the ledger, which never change their meaning, and what each says in words.

The words of the control process stay on the node: they may name appliances and what they draw.
"""

from typing import Final

from devices.messages.control_messages import AlarmCode

NUMBERS: Final[dict[AlarmCode, int]] = {
    AlarmCode.STATE_OF_CHARGE_UNKNOWN: 1,
    AlarmCode.POWER_UNKNOWN: 2,
    AlarmCode.SETPOINT_REFUSED: 3,
    AlarmCode.SETPOINT_NOT_REACHED: 4,
    AlarmCode.LIMIT_NOT_HELD: 5,
    AlarmCode.LEASE_REFUSED: 6,
    AlarmCode.DAEMON_LOST: 7,
    AlarmCode.RECORDS_DROPPED: 8,
    AlarmCode.STATE_NOT_SAVED: 9,
    AlarmCode.GRID_UNKNOWN: 10,
    AlarmCode.GRID_LOST: 11,
    AlarmCode.ARMED_NOT_AVAILABLE: 12,
    AlarmCode.FORMER_FAILED: 13,
    AlarmCode.SWITCH_REFUSED: 14,
    AlarmCode.CIRCUIT_OVER_CURRENT: 20,
    AlarmCode.CIRCUIT_SHORT_CIRCUIT: 21,
    AlarmCode.CIRCUIT_EARTH_FAULT: 22,
    AlarmCode.CIRCUIT_OVER_TEMPERATURE: 23,
    AlarmCode.CIRCUIT_BLIND: 24,
    AlarmCode.UNIT_HOT: 30,
    AlarmCode.UNIT_COLD: 31,
    AlarmCode.UNIT_VOLTAGE: 32,
    AlarmCode.UNIT_WORN: 33,
    AlarmCode.UNIT_IMPLAUSIBLE: 34,
    AlarmCode.UNIT_DRIFTING: 35,
    AlarmCode.UNIT_UNREADABLE: 36,
    AlarmCode.UPS_ON_BATTERY: 40,
    AlarmCode.UPS_LOW_BATTERY: 41,
    AlarmCode.TROUBLE_EXPECTED: 50,
}
MOMENTARY: Final = frozenset({AlarmCode.LEASE_REFUSED, AlarmCode.RECORDS_DROPPED})
"""What happens and does not last: it is never cleared."""
LOCAL: Final = frozenset({AlarmCode.TROUBLE_EXPECTED})
"""What is of no concern to the cell and no fault: it comes and goes often, tells of the home's habits, and stays in the
node's own log and on its page."""

_NAMES: Final = {number: code.value for code, number in NUMBERS.items()}


def alarm_name(number: int) -> str:
    """The name of an alarm, or its number where a newer version wrote it."""
    return _NAMES.get(number, f"alarm-{number}")
