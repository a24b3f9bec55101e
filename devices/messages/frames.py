"""Frames on the control socket: a length of four bytes, big-endian, then one message as JSON."""

from typing import Any, cast, get_args

from devices.errors import MessageError
from devices.json_codec import from_json_union, to_json
from devices.messages.control_messages import Downward, Message, Upward

FRAME_BYTES = 64 * 1024
"""An image of 64 devices has about 16 KiB; anything larger is no message of ours."""

_DOWNWARD: tuple[type[Any], ...] = get_args(Downward)
_UPWARD: tuple[type[Any], ...] = get_args(Upward)


def encode_frame(message: Message) -> bytes:
    """One message with its length in front."""
    body = to_json(message)
    return len(body).to_bytes(4, "big") + body


def decode_downward(body: bytes) -> Downward:
    """A message from the daemon. Raises MessageError."""
    return cast(Downward, from_json_union(_DOWNWARD, body))


def decode_upward(body: bytes) -> Upward:
    """A message from control. Raises MessageError."""
    return cast(Upward, from_json_union(_UPWARD, body))


class FrameReader:
    """Cuts a stream of bytes into the bodies of its frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies completed by `data`. Raises MessageError for a length beyond the bound."""
        self._pending += data
        bodies: list[bytes] = []
        while len(self._pending) >= 4:
            length = int.from_bytes(self._pending[:4], "big")
            if length > FRAME_BYTES:
                raise MessageError(f"a frame of {length} bytes; at most {FRAME_BYTES} are allowed")
            if len(self._pending) < 4 + length:
                break
            bodies.append(bytes(self._pending[4 : 4 + length]))
            del self._pending[: 4 + length]
        return bodies
