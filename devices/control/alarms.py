"""Which alarms stand: each is told once when it is raised and once when it clears."""

from devices.messages.control_messages import Alarm, AlarmCode, Severity

SEVERITIES = {
    AlarmCode.STATE_OF_CHARGE_UNKNOWN: Severity.CRITICAL,
    AlarmCode.POWER_UNKNOWN: Severity.WARNING,
    AlarmCode.SETPOINT_REFUSED: Severity.CRITICAL,
    AlarmCode.SETPOINT_NOT_REACHED: Severity.CRITICAL,
    AlarmCode.LIMIT_NOT_HELD: Severity.CRITICAL,
    AlarmCode.LEASE_REFUSED: Severity.WARNING,
    AlarmCode.DAEMON_LOST: Severity.WARNING,
    AlarmCode.RECORDS_DROPPED: Severity.WARNING,
    AlarmCode.STATE_NOT_SAVED: Severity.CRITICAL,
    AlarmCode.GRID_UNKNOWN: Severity.CRITICAL,
    AlarmCode.GRID_LOST: Severity.CRITICAL,
    AlarmCode.FORMER_FAILED: Severity.CRITICAL,
    AlarmCode.SWITCH_REFUSED: Severity.CRITICAL,
    AlarmCode.ARMED_NOT_AVAILABLE: Severity.WARNING,
    AlarmCode.CIRCUIT_OVER_CURRENT: Severity.CRITICAL,
    AlarmCode.CIRCUIT_SHORT_CIRCUIT: Severity.CRITICAL,
    AlarmCode.CIRCUIT_EARTH_FAULT: Severity.CRITICAL,
    AlarmCode.CIRCUIT_OVER_TEMPERATURE: Severity.CRITICAL,
    AlarmCode.CIRCUIT_BLIND: Severity.CRITICAL,
    AlarmCode.UNIT_HOT: Severity.CRITICAL,
    AlarmCode.UNIT_COLD: Severity.WARNING,
    AlarmCode.UNIT_VOLTAGE: Severity.CRITICAL,
    AlarmCode.UNIT_WORN: Severity.WARNING,
    AlarmCode.UNIT_IMPLAUSIBLE: Severity.CRITICAL,
    AlarmCode.UNIT_DRIFTING: Severity.WARNING,
    AlarmCode.UNIT_UNREADABLE: Severity.CRITICAL,
    AlarmCode.UPS_ON_BATTERY: Severity.WARNING,
    AlarmCode.UPS_LOW_BATTERY: Severity.CRITICAL,
    AlarmCode.TROUBLE_EXPECTED: Severity.WARNING,
}


class AlarmBoard:
    """The alarms of one node, by code and device."""

    def __init__(self) -> None:
        self._standing: dict[tuple[AlarmCode, str | None], Alarm] = {}
        self._news: list[Alarm] = []

    @property
    def standing(self) -> tuple[Alarm, ...]:
        """Every alarm that is raised now."""
        return tuple(self._standing.values())

    def update(self, code: AlarmCode, device: str | None, cell_ns: int, text: str, *, raised: bool) -> None:
        """Say whether an alarm's cause is there; only a change is news."""
        key = (code, device)
        if raised == (key in self._standing):
            return
        alarm = Alarm(code, SEVERITIES[code], raised, device, text, cell_ns)
        if raised:
            self._standing[key] = alarm
        else:
            del self._standing[key]
        self._news.append(alarm)

    def event(self, code: AlarmCode, cell_ns: int, text: str) -> None:
        """Tell of something that happened and does not last."""
        self._news.append(Alarm(code, SEVERITIES[code], True, None, text, cell_ns))

    def take_news(self) -> tuple[Alarm, ...]:
        """What was raised, cleared or happened since the last call."""
        news = tuple(self._news)
        self._news.clear()
        return news
