"""Shell: readers of what members say in entries: every kind of payload, each read and written back."""

from collections.abc import Callable
from typing import TypeVar

from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed, PeerError
from ledger.limits import ENTRY_BYTES
from ledger.records.protocols import read_support, support_payload
from market.administration.payloads import (
    Action,
    AlarmNotice,
    AlarmState,
    DeviceCommand,
    DeviceRights,
    Right,
    Urgency,
    decode_acknowledgement,
    decode_alarm,
    decode_command,
    decode_rights,
    encode_acknowledgement,
    encode_alarm,
    encode_command,
    encode_rights,
)
from market.emergency.payloads import (
    Declaration,
    Observation,
    Seen,
    decode_declaration,
    decode_observation,
    decode_priority,
    encode_declaration,
    encode_observation,
    encode_priority,
)
from market.emergency.priority import Priority
from market.federation.transfer_proof import decode_part
from market.payloads import (
    Curve,
    Reading,
    Step,
    decode_deposit,
    decode_limit,
    decode_meter,
    decode_order,
    decode_reading,
    decode_record,
    decode_tariff,
    encode_deposit,
    encode_limit,
    encode_meter,
    encode_order,
    encode_reading,
    encode_record,
    encode_tariff,
)
from market.services.payloads import (
    ArmedCapacity,
    Cause,
    ServiceReport,
    ServiceRequest,
    ServiceTerms,
    Sharing,
    decode_armed,
    decode_report,
    decode_request,
    decode_terms,
    decode_withdrawal,
    encode_armed,
    encode_report,
    encode_request,
    encode_terms,
    encode_withdrawal,
)
from market.virtual_battery.payloads import (
    decode_aggregation,
    decode_delegation,
    encode_aggregation,
    encode_delegation,
)
from node.operation.versions import RunningVersion
from sim.fuzzing.target import Target

Payload = tuple[Value, ...]
Content = TypeVar("Content")
MEMBER = b"m" * 32
DEVICE = b"d" * 16
INTERVAL = 1000


def payload_targets() -> tuple[Target, ...]:
    """All of them, in a fixed order. Each has a payload as it should be, to be spoilt."""
    order = encode_order(Curve(buys=(Step(70, 100),), sells=(Step(60, 500),)))
    alarm = AlarmNotice(3, AlarmState.RAISED, Urgency.WARNING, 10**18, DEVICE)
    terms = ServiceTerms(b"village-flex", True, 5_000, 4_000, 100, 90, 300_000, -20_000)
    armed = ArmedCapacity(b"fcr-ce", INTERVAL + 95, 5_000, 4_000)
    report = ServiceReport(b"fcr-ce", 990_000, 10, 20, 9, 19)
    request = ServiceRequest(b"village-flex", Cause.PEAK, -7_000, 10**18, 900, 1, 2, Sharing.EQUALISED)
    running = RunningVersion(10**18, "0.1.0", (1,)).encode()
    return (
        _target("order", decode_order, encode_order, order),
        _target("reading", decode_reading, encode_reading, encode_reading(Reading(5, 7))),
        _target("record", decode_record, encode_record, encode_alarm_payload(alarm)),
        _target(
            "alarm",
            lambda read: decode_alarm(decode_record(read)),
            encode_alarm_payload,
            encode_alarm_payload(alarm),
        ),
        _target("deposit", decode_deposit, encode_deposit, (MEMBER, b"\x01\x00")),
        _target("tariff", lambda read: decode_tariff(read, INTERVAL), encode_tariff, (300_000, 40_000)),
        _target("limit", decode_limit, encode_limit, (1, INTERVAL, INTERVAL + 4, 2_000_000)),
        _target("withdrawable limit", decode_limit, encode_limit, (1, INTERVAL, INTERVAL + 4, 2_000_000, 1)),
        _target("branch reading", decode_meter, encode_meter, (1, 5, 7)),
        _target("terms", decode_terms, encode_terms, encode_terms(terms)),
        _target("armed", decode_armed, encode_armed, encode_armed(armed)),
        _target("report", decode_report, encode_report, encode_report(report)),
        _target("request", decode_request, encode_request, encode_request(request)),
        _target("withdrawal", decode_withdrawal, encode_withdrawal, encode_withdrawal(MEMBER)),
        _target(
            "acknowledgement", decode_acknowledgement, encode_acknowledgement, encode_acknowledgement(MEMBER)
        ),
        _target(
            "rights", decode_rights, encode_rights, encode_rights(DeviceRights(MEMBER, DEVICE, 3, Right.DSO))
        ),
        _target(
            "command", decode_command, encode_command, encode_command(DeviceCommand(Action.STOP, MEMBER))
        ),
        _target(
            "observation",
            decode_observation,
            encode_observation,
            encode_observation(Observation(Seen.DEAD_BUS, 10**18)),
        ),
        _target(
            "declaration",
            decode_declaration,
            encode_declaration,
            encode_declaration(Declaration(True, INTERVAL)),
        ),
        _target(
            "priority",
            decode_priority,
            lambda said: encode_priority(*said),
            encode_priority(MEMBER, Priority(5, 7)),
        ),
        _target("delegation", decode_delegation, encode_delegation, encode_delegation(MEMBER)),
        _target("aggregation", decode_aggregation, encode_aggregation, encode_aggregation((MEMBER,))),
        _target("part of a proof", decode_part, None, (0, 1, b"proof")),
        _target("support", _support, support_payload, support_payload((1, 2))),
        Target("running version", lambda data: RunningVersion.decode(data).encode(), PeerError, (running,)),
    )


def encode_alarm_payload(notice: AlarmNotice) -> Payload:
    """An alarm as the payload of its entry."""
    return encode_record(encode_alarm(notice))


def _support(payload: Payload) -> tuple[int, ...]:
    """What is no announcement is ignored by the ledger; here that is a refusal."""
    versions = read_support(payload)
    if versions is None:
        raise Malformed("no announcement of versions")
    return versions


def _target(
    name: str, read: Callable[[Payload], Content], write: Callable[[Content], Payload] | None, seed: Payload
) -> Target:
    """A reader of payloads, and its writer where it has one: what was read is written as it came."""

    def run(data: bytes) -> bytes:
        payload = decode(data, max_bytes=ENTRY_BYTES)
        if not isinstance(payload, tuple):
            raise Malformed("a payload is an array")
        content = read(payload)
        return data if write is None else encode(write(content))

    return Target(f"payload: {name}", run, PeerError, (encode(seed),))
