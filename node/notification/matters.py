"""What of a node's state is worth a warning. No I/O; every text is a fixed one.

A message leaves the house over somebody's mail server or push service. So it says what is wrong in words that are the
same for every node, and nothing of the home: no device, no power, no energy, no money, no address, no key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from devices.messages.control_messages import AlarmCode, Mode
from devices.messages.control_messages import Severity as AlarmSeverity
from node.alarms.alarm_codes import LOCAL
from node.operation.health import LATE_INTERVALS, not_alive
from node.operation.status import NodeStatus

LOW_DISK_BYTES: Final = 1_000_000_000
REFERENCE_LENGTH: Final = 8


class Severity(IntEnum):
    """How urgent a matter is; a critical one is told at any hour."""

    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that is so now. `key` tells one from another and never leaves the node; `reference` does."""

    key: str
    severity: Severity
    text: str

    @property
    def reference(self) -> str:
        """A short name for people to acknowledge it by, the same over restarts, that tells nothing."""
        return sha256(b"wattswarm warning\0" + self.key.encode()).hexdigest()[:REFERENCE_LENGTH]


ALARM_TEXTS: Final = {
    AlarmCode.STATE_OF_CHARGE_UNKNOWN: "A battery's state of charge is not known; it rests.",
    AlarmCode.POWER_UNKNOWN: "A device's power is not known.",
    AlarmCode.SETPOINT_REFUSED: "A device refused what it was told.",
    AlarmCode.SETPOINT_NOT_REACHED: "A device does not do what it was told.",
    AlarmCode.LIMIT_NOT_HELD: "The connection's limits cannot be held.",
    AlarmCode.LEASE_REFUSED: "An order to the devices came late or was wrong.",
    AlarmCode.DAEMON_LOST: "The control process has lost its daemon.",
    AlarmCode.RECORDS_DROPPED: "Meter records were lost.",
    AlarmCode.STATE_NOT_SAVED: "The control process cannot save its state.",
    AlarmCode.GRID_UNKNOWN: "Frequency or voltage is not known; a service pauses.",
    AlarmCode.GRID_LOST: "The public grid is gone.",
    AlarmCode.FORMER_FAILED: "The battery that should form the island's grid could not.",
    AlarmCode.SWITCH_REFUSED: "The switchgear refused what it was told.",
    AlarmCode.ARMED_NOT_AVAILABLE: "A service that is offered could not be delivered in full.",
    AlarmCode.CIRCUIT_OVER_CURRENT: "A circuit was switched off: it carried too much.",
    AlarmCode.CIRCUIT_SHORT_CIRCUIT: "A circuit was switched off: short circuit.",
    AlarmCode.CIRCUIT_EARTH_FAULT: "A circuit was switched off: current to earth.",
    AlarmCode.CIRCUIT_OVER_TEMPERATURE: "A circuit was switched off: too hot.",
    AlarmCode.CIRCUIT_BLIND: "A circuit was switched off: its sensor is silent.",
    AlarmCode.UNIT_HOT: "A store is too hot.",
    AlarmCode.UNIT_COLD: "A store is too cold.",
    AlarmCode.UNIT_VOLTAGE: "A store's voltage is outside its limits; it rests.",
    AlarmCode.UNIT_WORN: "A store is worn.",
    AlarmCode.UNIT_IMPLAUSIBLE: "What a store says does not fit its meter; it rests.",
    AlarmCode.UNIT_DRIFTING: "A store loses more, or less, than it used to.",
    AlarmCode.UNIT_UNREADABLE: "A store's sensor does not answer; it rests.",
    AlarmCode.UPS_ON_BATTERY: "A UPS runs on its battery.",
    AlarmCode.UPS_LOW_BATTERY: "A UPS' battery is nearly empty.",
    AlarmCode.TROUBLE_EXPECTED: "Trouble is expected on the grid or at the connection; batteries prepare.",
}
"""One for every alarm of the control process."""

_SEVERITIES: Final = {AlarmSeverity.WARNING: Severity.WARNING, AlarmSeverity.CRITICAL: Severity.CRITICAL}

EVENT_TEXTS: Final = {
    "equivocation": (Severity.WARNING, "A member of the cell signed two things for one place."),
    "witness_fork": (Severity.CRITICAL, "Two histories of one cell exist."),
    "entry_dropped": (Severity.CRITICAL, "What this node had to say was not accepted by its own feed."),
}
"""What happened once since the daemon started and needs somebody; it stays until it is acknowledged."""


def matters_of(status: NodeStatus) -> tuple[Matter, ...]:
    """Everything that is worth a warning now, each once."""
    found: dict[str, Matter] = {}
    for matter in (*_alarms(status), *_events(status), *_state(status)):
        found.setdefault(matter.key, matter)
    return tuple(found.values())


def _alarms(status: NodeStatus) -> Iterator[Matter]:
    for alarm in status.alarms:
        if alarm.code in LOCAL:
            continue
        key = f"alarm {alarm.code.value} {alarm.device or ''}"
        yield Matter(key, _SEVERITIES[alarm.severity], ALARM_TEXTS[alarm.code])


def _events(status: NodeStatus) -> Iterator[Matter]:
    for event, (severity, text) in EVENT_TEXTS.items():
        if status.events.get(event):
            yield Matter(f"event {event}", severity, text)


def _state(status: NodeStatus) -> Iterator[Matter]:
    if not_alive(status):
        yield Matter("silent", Severity.CRITICAL, "The control process is silent or the daemon hangs.")
    if status.read_only is not None:
        yield Matter("read-only", Severity.CRITICAL, "The node only reads: it trades and votes no more.")
    if status.lacks_protocol is not None:
        text = "The cell goes on to a protocol that this node's program does not know; upgrade it."
        yield Matter("protocol", Severity.CRITICAL, text)
    if status.height and status.interval - status.decided_interval > LATE_INTERVALS:
        yield Matter("no-blocks", Severity.CRITICAL, "The cell decides no blocks; nothing trades.")
    if status.peers < status.needed_peers:
        yield Matter("few-peers", Severity.WARNING, "Too few other members are connected.")
    if status.disk_free_bytes < LOW_DISK_BYTES:
        yield Matter("disk", Severity.WARNING, "The disk is nearly full.")
    if status.image is not None and status.image.mode is Mode.EMERGENCY_STOP:
        yield Matter("emergency-stop", Severity.CRITICAL, "The emergency stop is on.")
