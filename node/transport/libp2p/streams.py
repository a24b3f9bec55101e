"""Shell: streams of one protocol on one connection, and the length-prefixed frames on them."""

import math

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from node.constants import Patience
from node.transport.errors import TransportError

LENGTH_BYTES = 4
_READ_BYTES = 64 * 1024


class FrameTooLargeError(TransportError):
    """The peer's fault: it announced a frame above the limit."""


def encode_frame(data: bytes) -> bytes:
    """The data behind its length."""
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


class FrameReader:
    """Reads frames of at most `limit` bytes, many at a time."""

    def __init__(self, stream: INetStream, limit: int, patience: Patience) -> None:
        self._stream = stream
        self._limit = limit
        self._patience = patience
        self._buffer = bytearray()

    async def read(self) -> bytes:
        """The next frame. Raises FrameTooLargeError, the library's StreamError, or TooSlowError for half a frame."""
        while True:
            size = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if len(self._buffer) >= LENGTH_BYTES:
                if size > self._limit:
                    raise FrameTooLargeError(f"frame of {size} bytes, {self._limit} allowed")
                if len(self._buffer) >= LENGTH_BYTES + size:
                    frame = bytes(self._buffer[LENGTH_BYTES : LENGTH_BYTES + size])
                    del self._buffer[: LENGTH_BYTES + size]
                    return frame
            with trio.fail_after(self._patience.serve_timeout_s if self._buffer else math.inf):
                self._buffer += await self._stream.read(_READ_BYTES)


async def open_stream(
    host: BasicHost, connection: SwarmConn, protocol: TProtocol, patience: Patience
) -> INetStream:
    """A stream on this very connection. Raises what the library raises, or TooSlowError."""
    with trio.fail_after(patience.stall_s):
        stream = await connection.new_stream()
        try:
            await host.multiselect_client.select_one_of([protocol], MultiselectCommunicator(stream))
        except BaseException:
            await abandon(stream, patience)
            raise
    stream.set_protocol(protocol)
    return stream


async def abandon(stream: INetStream, patience: Patience) -> None:
    """Reset a stream, also while being cancelled: one that is left half open stays in the tables of both ends."""
    with trio.CancelScope(shield=True, deadline=trio.current_time() + patience.close_timeout_s):
        await stream.reset()
