"""Alarms, acknowledgements, rights on devices and commands to them: payloads, strictly both ways.

A device is named by a key, `device_key` of its owner and its name, so that what hangs on whose socket never leaves the
node. All raise `MalformedPayload`; a decoded payload encodes to what it came from.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from hashlib import sha256
from typing import Final

from ledger.encoding import Value, decode, encode
from ledger.errors import PeerError
from ledger.limits import ID_BYTES
from market.errors import MalformedPayload
from market.payloads import MAX_RECORD_BYTES, Record

DEVICE_KEY_BYTES: Final = 16
MOST_TIERS: Final = 4
"""Priorities of devices: 0 is the most important."""
LARGEST: Final = 2**31


class AlarmState(IntEnum):
    """What an alarm's entry says: its cause is gone, is there, or was there for a moment."""

    CLEARED = 0
    RAISED = 1
    HAPPENED = 2


class Urgency(IntEnum):
    """How urgent an alarm is."""

    WARNING = 1
    CRITICAL = 2


class Right(IntFlag):
    """Who, besides the owner, may use a device."""

    OPERATOR = 1
    DSO = 2


ALL_RIGHTS: Final = Right.OPERATOR | Right.DSO
"""What holds for a device of which nothing was ever said."""


class Action(IntEnum):
    """What a command does: RELEASE connects a circuit again, the others change what devices may be used for."""

    RELEASE = 1
    STOP = 2
    STAND_BY = 3
    RESUME = 4


@dataclass(frozen=True, slots=True)
class AlarmNotice:
    """An alarm as it stands in the ledger; `code` is a number of `node.alarms.alarm_codes`.

    `device` is the key of the device, None where the alarm concerns the whole node. One alarm is what has the same
    author, code and device. `cell_ns` is when it happened.
    """

    code: int
    state: AlarmState
    urgency: Urgency
    cell_ns: int
    device: bytes | None = None

    def __post_init__(self) -> None:
        _within(self.code, 0, LARGEST, "code")
        _within(self.cell_ns, 0, 2**63 - 1, "cell_ns")
        _device(self.device)


@dataclass(frozen=True, slots=True)
class DeviceRights:
    """What holds for a device of a member from now on; None leaves as it was.

    `priority` is the tier of its load. Only the owner may give or take `rights`.
    """

    member: bytes
    device: bytes
    priority: int | None = None
    rights: Right | None = None

    def __post_init__(self) -> None:
        _id(self.member, "member")
        _device(self.device)
        if self.priority is not None:
            _within(self.priority, 0, MOST_TIERS - 1, "priority")
        if self.priority is None and self.rights is None:
            raise MalformedPayload("rights change a priority, or who may use the device")


@dataclass(frozen=True, slots=True)
class DeviceCommand:
    """A command to one member's devices, or to everybody's; to release, the circuit is named by its key."""

    action: Action
    member: bytes | None
    device: bytes | None = None

    def __post_init__(self) -> None:
        if self.member is not None:
            _id(self.member, "member")
        _device(self.device)
        if (self.action is Action.RELEASE) != (self.device is not None):
            raise MalformedPayload("a device is named where it is released, and only there")
        if self.device is not None and self.member is None:
            raise MalformedPayload("a device is somebody's")


def device_key(member: bytes, name: str) -> bytes:
    """How entries name a device: what a name is cannot be read from it, only tried."""
    return sha256(b"wattswarm/device\0" + member + name.encode()).digest()[:DEVICE_KEY_BYTES]


def encode_alarm(notice: AlarmNotice) -> Record:
    """The record of an ALARM entry."""
    data = (int(notice.state), int(notice.urgency), notice.cell_ns, notice.device)
    return Record(notice.code, encode(data))


def decode_alarm(record: Record) -> AlarmNotice:
    """The alarm in the record of an ALARM entry."""
    try:
        value = decode(record.data, max_bytes=MAX_RECORD_BYTES)
    except PeerError as fault:
        raise MalformedPayload(f"an alarm: {fault}") from fault
    match value:
        case (int(state), int(urgency), int(cell_ns), (bytes() | None) as device) if state in set(
            AlarmState
        ) and urgency in set(Urgency):
            return AlarmNotice(record.code, AlarmState(state), Urgency(urgency), cell_ns, device)
    raise MalformedPayload("an alarm has a state, an urgency, a time and a device or null")


def encode_acknowledgement(alarm: bytes) -> tuple[Value, ...]:
    """Payload of an ACKNOWLEDGEMENT entry: the id of the entry that raised the alarm."""
    return (_id(alarm, "alarm"),)


def decode_acknowledgement(payload: tuple[Value, ...]) -> bytes:
    """The id of the alarm in an ACKNOWLEDGEMENT payload."""
    match payload:
        case (bytes(alarm),):
            return _id(alarm, "alarm")
    raise MalformedPayload("an acknowledgement has the id of an alarm")


def encode_rights(rights: DeviceRights) -> tuple[Value, ...]:
    """Payload of a DEVICE_RIGHTS entry."""
    return (
        rights.member,
        rights.device,
        rights.priority,
        None if rights.rights is None else int(rights.rights),
    )


def decode_rights(payload: tuple[Value, ...]) -> DeviceRights:
    """The rights of a DEVICE_RIGHTS payload."""
    match payload:
        case (bytes(member), bytes(device), (int() | None) as priority, (int() | None) as rights):
            if rights is not None:
                _within(rights, 0, int(ALL_RIGHTS), "rights")
            return DeviceRights(member, device, priority, None if rights is None else Right(rights))
    raise MalformedPayload("rights have a member, a device, a priority and who may use it")


def encode_command(command: DeviceCommand) -> tuple[Value, ...]:
    """Payload of a DEVICE_COMMAND entry."""
    return (int(command.action), command.member, command.device)


def decode_command(payload: tuple[Value, ...]) -> DeviceCommand:
    """The command of a DEVICE_COMMAND payload."""
    match payload:
        case (int(action), (bytes() | None) as member, (bytes() | None) as device) if action in set(Action):
            return DeviceCommand(Action(action), member, device)
    raise MalformedPayload("a command has an action, a member or null, and a device or null")


def _id(value: bytes, name: str) -> bytes:
    if len(value) != ID_BYTES:
        raise MalformedPayload(f"{name} must be an id of {ID_BYTES} bytes")
    return value


def _device(device: bytes | None) -> None:
    if device is not None and len(device) != DEVICE_KEY_BYTES:
        raise MalformedPayload(f"a device is named by {DEVICE_KEY_BYTES} bytes")


def _within(value: int, lowest: int, highest: int, name: str) -> None:
    if not lowest <= value <= highest:
        raise MalformedPayload(f"{name} must be within {lowest}..{highest}, not {value}")
