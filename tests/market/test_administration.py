"""Who may say what of devices, and what then holds; alarms as they stand in entries."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Value
from ledger.records.genesis import Role
from market.administration.book import AdministrationBook
from market.administration.payloads import (
    ALL_RIGHTS,
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
    device_key,
    encode_acknowledgement,
    encode_alarm,
    encode_command,
    encode_rights,
)
from market.cell import EnergyCell
from market.errors import MalformedPayload
from market.outcomes import Refusal
from market.payloads import Kind, Record

OPERATOR, DSO = 4, 5
ids = st.binary(min_size=32, max_size=32)
keys = st.binary(min_size=16, max_size=16)
notices = st.builds(
    AlarmNotice,
    st.integers(0, 2**31),
    st.sampled_from(AlarmState),
    st.sampled_from(Urgency),
    st.integers(0, 2**63 - 1),
    st.none() | keys,
)


def told(world: Any, author: int, said: DeviceRights) -> list[Refusal]:
    outcomes = world.block(world.entry(author, Kind.DEVICE_RIGHTS, 0, encode_rights(said)))
    return [each.refusal for each in outcomes.rejected]


def commanded(world: Any, author: int, *command: Any) -> list[Refusal]:
    payload = encode_command(DeviceCommand(*command))
    return [
        each.refusal for each in world.block(world.entry(author, Kind.DEVICE_COMMAND, 0, payload)).rejected
    ]


@given(notices)
def test_an_alarm_reads_back(notice: AlarmNotice) -> None:
    assert decode_alarm(encode_alarm(notice)) == notice


@given(ids, keys, st.none() | st.integers(0, 3), st.none() | st.integers(0, 3).map(Right))
def test_rights_read_back(member: bytes, device: bytes, priority: int | None, rights: Right | None) -> None:
    if priority is None and rights is None:
        priority = 1
    said = DeviceRights(member, device, priority, rights)
    assert decode_rights(encode_rights(said)) == said


@given(ids, st.sampled_from([Action.STOP, Action.STAND_BY, Action.RESUME]), st.booleans())
def test_a_command_reads_back(member: bytes, action: Action, all_: bool) -> None:
    command = DeviceCommand(action, None if all_ else member)
    assert decode_command(encode_command(command)) == command
    release = DeviceCommand(Action.RELEASE, member, device_key(member, "kitchen"))
    assert decode_command(encode_command(release)) == release
    assert decode_acknowledgement(encode_acknowledgement(member)) == member


@given(st.lists(st.none() | st.integers(-2, 9) | st.binary(max_size=33), max_size=4).map(tuple))
def test_a_payload_reads_or_is_malformed(payload: tuple[Value, ...]) -> None:
    for decode in (decode_rights, decode_command, decode_acknowledgement):
        try:
            decode(payload)
        except MalformedPayload:
            continue


def test_bytes_that_are_no_alarm_are_malformed() -> None:
    for data in (b"", b"\x80", b"\xff" * 8):
        with pytest.raises(MalformedPayload):
            decode_alarm(Record(1, data))


def test_the_owner_says_who_may_use_its_device(world: Any) -> None:
    owner, device = world.ids[0], device_key(world.ids[0], "battery")
    assert told(world, OPERATOR, DeviceRights(owner, device, priority=0)) == []
    assert told(world, OPERATOR, DeviceRights(owner, device, rights=Right(0))) == [Refusal.NOT_ENTITLED]
    assert told(world, 0, DeviceRights(owner, device, rights=Right.DSO)) == []
    held = world.state.administration.access_to(owner, device)
    assert (held.priority, held.rights) == (0, Right.DSO)
    assert told(world, OPERATOR, DeviceRights(owner, device, priority=2)) == [Refusal.NOT_ENTITLED]
    assert told(world, DSO, DeviceRights(owner, device, priority=2)) == []
    assert told(world, 1, DeviceRights(owner, device, priority=3)) == [Refusal.NOT_ENTITLED]


def test_nobody_fills_the_state_with_devices(world: Any) -> None:
    owner = world.ids[0]
    entries = [
        world.entry(
            0, Kind.DEVICE_RIGHTS, 0, encode_rights(DeviceRights(owner, device_key(owner, str(number)), 1))
        )
        for number in range(65)
    ]
    assert [each.refusal for each in world.block(*entries).rejected] == [Refusal.FULL]


def test_an_operator_stops_everybody_and_does_not_undo_an_owners_stop(world: Any) -> None:
    book = lambda: world.state.administration  # noqa: E731
    owner, other = world.ids[0], world.ids[1]
    assert commanded(world, 1, Action.STOP, None) == [Refusal.NOT_ENTITLED]
    assert commanded(world, DSO, Action.STOP, None) == [Refusal.NOT_ENTITLED]
    assert commanded(world, 0, Action.STOP, owner) == []
    assert commanded(world, OPERATOR, Action.STOP, None) == []
    assert {book().mode_of(each).action for each in world.ids} == {Action.STOP}
    assert commanded(world, OPERATOR, Action.RESUME, None) == []
    assert book().mode_of(other).action is Action.RESUME
    assert book().mode_of(owner).action is Action.STOP
    assert commanded(world, OPERATOR, Action.RESUME, owner) == [Refusal.NOT_ENTITLED]
    assert commanded(world, 0, Action.RESUME, owner) == []
    assert book().mode_of(owner).action is Action.RESUME


def test_a_circuit_is_released_by_its_owner_or_an_operator_that_may(world: Any) -> None:
    owner, device = world.ids[0], device_key(world.ids[0], "kitchen")
    assert commanded(world, OPERATOR, Action.RELEASE, owner, device) == []
    assert commanded(world, DSO, Action.RELEASE, owner, device) == [Refusal.NOT_ENTITLED]
    assert told(world, 0, DeviceRights(owner, device, rights=ALL_RIGHTS ^ Right.OPERATOR)) == []
    assert commanded(world, OPERATOR, Action.RELEASE, owner, device) == [Refusal.NOT_ENTITLED]
    assert commanded(world, 0, Action.RELEASE, owner, device) == []


def test_the_state_reads_back_with_rights_and_commands(world: Any) -> None:
    owner, device = world.ids[0], device_key(world.ids[0], "battery")
    told(world, 0, DeviceRights(owner, device, 2, Right.OPERATOR))
    commanded(world, OPERATOR, Action.STAND_BY, None)
    world.block(world.terms(world.state.last_interval + 2), world.request(5, 0))
    last = world.state.last_interval
    world.block(
        world.arm(0, last + 2, last + 4, 3, 4), world.request(7, world.rules.calendar.start_ns(last + 1))
    )
    assert EnergyCell().restore(world.genesis, sorted(world.leaves())) == world.state
    assert world.state.services.requests and world.state.services.armed


roles = st.sampled_from([Role(0), Role.PROSUMER, Role.OPERATOR, Role.DSO, Role.OPERATOR | Role.DSO])


@given(st.lists(st.tuples(st.integers(0, 3), roles, st.sampled_from(Action), st.integers(0, 4)), max_size=12))
def test_a_standing_stop_of_an_owner_ends_by_the_owner_alone(
    said: list[tuple[int, Role, Action, int]],
) -> None:
    """Whatever others say: as long as the owner does not speak again, its own stop stands."""
    members = [bytes([index]) * 32 for index in range(4)]
    book = AdministrationBook().with_command(members[0], DeviceCommand(Action.STOP, members[0]))
    for author, role, action, target in said:
        if author == 0 or action is Action.RELEASE:
            continue
        command = DeviceCommand(action, None if target == 4 else members[target])
        if action in (Action.STOP, Action.STAND_BY) and target == 0:
            continue
        if book.may_command(members[author], role, command):
            book = book.with_command(members[author], command)
    standing = book.mode_of(members[0])
    assert standing is not None and standing.action is Action.STOP and standing.by_owner
