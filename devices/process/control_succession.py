"""Shell: one control process hands the devices to another, and takes them back if that one dies.

Both run: the successor has read everything it needs before it asks. It asks over the control socket; the holder closes
its drivers, sends what holds, and with it the open lock of the directory, which is never free in between. It stands
by on the same connection. The successor says when it ends in order; a connection that ends without that word is a
successor that died, and the one before it holds the devices again.
"""

import os
import select
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from devices.control.hand_over import HandOver
from devices.errors import MessageError, NotHandedOverError
from devices.json_codec import from_json, to_json
from devices.messages.control_messages import Downward, TakeOver
from devices.messages.frames import FrameReader, decode_downward, encode_frame
from devices.process.control_files import name_holder
from devices.process.control_socket import SOCKET_NAME

ANSWER_S: Final = 15.0
"""Real seconds until a holder has handed over: it finishes a cycle, closes its drivers, and may wait for a boundary."""

STAND_BY_S: Final = 120.0
"""Real seconds for which a process stands by: a successor that lived so long has proved itself."""

IN_ORDER: Final = b"e"
READ_BYTES: Final = 64 * 1024
HANDED_BYTES: Final = 16 * 1024 * 1024
"""A month of meter records has a few MB."""


@dataclass(slots=True)
class Taken:
    """What a successor got: the lock, what holds, the leases, and the connection to the one that stands by."""

    lock: IO[str]
    handed: HandOver
    leases: tuple[Downward, ...]
    _link: socket.socket

    def release(self) -> None:
        """The one before may go: we end in order, or hand over ourselves."""
        with suppress(OSError):
            self._link.send(IN_ORDER)
        self._link.close()


@dataclass(slots=True)
class Heir:
    """The connection of a successor that has asked."""

    link: socket.socket

    def give(self, lock: IO[str], handed: HandOver, leases: Sequence[Downward]) -> None:
        """Send everything. A successor that does not take it shows in `outlived`."""
        body = to_json(handed)
        data = len(body).to_bytes(8, "big") + body + b"".join(encode_frame(each) for each in leases)
        self.link.settimeout(ANSWER_S)
        try:
            socket.send_fds(self.link, [data[:1]], [lock.fileno()])
            self.link.sendall(data[1:])
            self.link.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def outlived(self) -> bool:
        """Stand by. True when the successor has died and the devices are ours again; False when we may go."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        try:
            readable, _, _ = select.select([self.link], [], [], STAND_BY_S)
            return bool(readable) and self.link.recv(1) != IN_ORDER
        except OSError:
            return True
        finally:
            self.link.close()


def succeed(directory: Path) -> Taken:
    """Ask the control process of a directory for the devices. Raises NotHandedOverError; then it keeps them."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(ANSWER_S)
    place = os.open(directory, os.O_RDONLY)
    try:
        # A socket's path may have 107 bytes; through the descriptor it always fits.
        link.connect(f"/proc/self/fd/{place}/{SOCKET_NAME}")
        link.sendall(encode_frame(TakeOver()))
        first, descriptors, _, _ = socket.recv_fds(link, 1, 1)
        if not descriptors:
            raise NotHandedOverError(f"{directory}: the control process there does not hand over")
        lock = os.fdopen(descriptors[0], "a+", encoding="ascii")
        handed, leases = _read(first + _rest(link))
    except (OSError, MessageError) as fault:
        raise NotHandedOverError(f"{directory}: {fault}") from fault
    finally:
        os.close(place)
    name_holder(lock)
    return Taken(lock, handed, leases, link)


def _rest(link: socket.socket) -> bytes:
    data = bytearray()
    while part := link.recv(READ_BYTES):
        data += part
        if len(data) > HANDED_BYTES:
            raise MessageError("more was handed over than a control process holds")
    return bytes(data)


def _read(data: bytes) -> tuple[HandOver, tuple[Downward, ...]]:
    length = int.from_bytes(data[:8], "big")
    if len(data) < 8 + length:
        raise MessageError("what was handed over is cut off")
    handed = from_json(HandOver, data[8 : 8 + length])
    return handed, tuple(decode_downward(body) for body in FrameReader().feed(data[8 + length :]))
