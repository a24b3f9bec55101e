"""Messages on the control socket: they come back equal, and hostile bytes are one declared error."""

from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.image import DerKind
from devices.json_codec import from_json, to_json
from devices.leases import Lease
from devices.limits import PowerRange
from devices.messages import control_messages as messages
from devices.messages.control_messages import Mode, Position
from devices.messages.frames import FRAME_BYTES, FrameReader, decode_downward, decode_upward, encode_frame
from devices.response.service_files import find_curve

Granted = TypeVar("Granted")


def lease(value: Granted, reversion: Granted) -> Lease[Granted]:
    return Lease(value, reversion, 1, 2, "daemon", 3)


DOWNWARD = (
    messages.Heartbeat(lease(True, False)),
    messages.GrantPosition(Lease(Position(4, -500), None, 1, 2, "daemon", 3)),
    messages.GrantLimits(lease(PowerRange(-1.0, 2.5), PowerRange(0.0, 0.0))),
    messages.GrantArming(Lease(messages.Arming(find_curve("fcr-ce"), 1.0, 2.0), None, 1, 2, "daemon", 3)),
    messages.ChangeMode(Mode.EMERGENCY_STOP),
    messages.Acknowledge(-4),
    messages.Stop(),
)
UPWARD = (
    messages.Attached(12, 1.0, 2.0, 3.0),
    messages.ImageReport(
        real_ns=1,
        cell_ns=2,
        interval=3,
        connection_w=None,
        chargeable_wh=1.5,
        dischargeable_wh=None,
        mode=Mode.STANDBY,
        wish="position",
        binding="reserve",
        settled=False,
        devices=(messages.DeviceReport("roof", DerKind.PV, 1.0, None, None, 2.0),),
    ),
    messages.MeterRecord(7, 1, 2, True, (messages.DeviceEnergy("house", DerKind.LOAD, 0, 2),)),
    messages.Alarm(messages.AlarmCode.DAEMON_LOST, messages.Severity.WARNING, True, None, "gone", 5),
)


@pytest.mark.parametrize("message", DOWNWARD, ids=lambda each: type(each).__name__)
def test_what_goes_down_comes_back_equal(message: messages.Downward) -> None:
    assert decode_downward(encode_frame(message)[4:]) == message


@pytest.mark.parametrize("message", UPWARD, ids=lambda each: type(each).__name__)
def test_what_goes_up_comes_back_equal(message: messages.Upward) -> None:
    assert decode_upward(encode_frame(message)[4:]) == message


@pytest.mark.parametrize("message", UPWARD, ids=lambda each: type(each).__name__)
def test_what_goes_up_is_nothing_that_goes_down(message: messages.Upward) -> None:
    with pytest.raises(MessageError):
        decode_downward(encode_frame(message)[4:])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_one_declared_error(data: bytes) -> None:
    with pytest.raises(MessageError):
        decode_downward(data)


@given(st.sampled_from(DOWNWARD), st.data())
def test_a_message_with_a_changed_byte_is_a_message_or_one_declared_error(
    message: messages.Downward, data: st.DataObject
) -> None:
    body = bytearray(encode_frame(message)[4:])
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_downward(bytes(body))
    except MessageError:
        return


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"Acknowledge","interval":1.5}',
        b'{"type":"Acknowledge","interval":true}',
        b'{"type":"Acknowledge","interval":99999999999999999999}',
        b'{"type":"Acknowledge"}',
        b'{"type":"Acknowledge","interval":1,"more":2}',
        b'{"type":"ChangeMode","mode":"party"}',
        b"[" * 100_000,
        b"null",
    ],
    ids=lambda body: body[:45].decode(),
)
def test_wrong_types_and_unknown_fields_are_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        decode_downward(body)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b'"1"', b"null", b"true"])
def test_a_power_is_a_finite_number(number: bytes) -> None:
    with pytest.raises(MessageError):
        from_json(PowerRange, b'{"type":"PowerRange","minimum_w":0,"maximum_w":%s}' % number)


def test_an_object_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(MessageError, match="no power lies between"):
        from_json(PowerRange, b'{"type":"PowerRange","minimum_w":2,"maximum_w":1}')


def test_a_number_that_is_not_finite_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(replace(UPWARD[0], charge_w=float("nan")))


@given(st.lists(st.sampled_from(DOWNWARD), max_size=6), st.lists(st.integers(1, 40), max_size=40))
def test_frames_are_cut_the_same_however_the_stream_arrives(
    sent: list[messages.Downward], sizes: list[int]
) -> None:
    stream = b"".join(map(encode_frame, sent))
    reader = FrameReader()
    bodies: list[bytes] = []
    for size in [*sizes, len(stream)]:
        bodies += reader.feed(stream[:size])
        stream = stream[size:]
    assert [decode_downward(body) for body in bodies] == sent


def test_a_frame_beyond_the_bound_is_refused_before_it_arrives() -> None:
    with pytest.raises(MessageError):
        FrameReader().feed((FRAME_BYTES + 1).to_bytes(4, "big"))
