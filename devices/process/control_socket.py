"""Shell: control's end of the local socket. One daemon at a time: the newest that says something valid.

A connection is nobody until its first valid message, so garbage never displaces the daemon; it is closed and
counted.
"""

import os
import select
import socket
from dataclasses import dataclass, field
from pathlib import Path

from devices.errors import MessageError
from devices.messages.control_messages import Downward, ImageReport, TakeOver, Upward
from devices.messages.frames import FrameReader, decode_downward, encode_frame

SOCKET_NAME = "control.sock"
READ_BYTES = 64 * 1024
PENDING_BYTES = 4 * 1024 * 1024
"""What may wait for a slow daemon: all the records that are kept; more, and it is dropped."""
MOST_STRANGERS = 4
"""Connections that have said nothing yet; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class DaemonAttached:
    """A daemon has said its first word; an earlier one is gone."""


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    reader: FrameReader = field(default_factory=FrameReader)
    pending: bytearray = field(default_factory=bytearray)


class ControlSocket:
    """Listens on `control.sock` in the current directory, readable by the owner only."""

    def __init__(self) -> None:
        """The caller holds the directory's lock, so a socket file that is there is a dead process's."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        Path(SOCKET_NAME).unlink(missing_ok=True)
        # Sockets take their mode from the umask when bound: a later chmod would leave it open for a moment.
        umask = os.umask(0o177)
        try:
            self._listener.bind(SOCKET_NAME)
        finally:
            os.umask(umask)
        self._listener.listen(MOST_STRANGERS)
        self._daemon: _Connection | None = None
        self._heir: _Connection | None = None
        self._strangers: list[_Connection] = []
        self.refused = 0
        """Connections closed for what they sent."""

    @property
    def attached(self) -> bool:
        """Whether a daemon is connected."""
        return self._daemon is not None

    def wait(self, timeout_s: float) -> list[Downward | DaemonAttached]:
        """What daemons said, in order, until something came or the time is over."""
        connections = self._strangers + ([self._daemon] if self._daemon else [])
        by_descriptor = {connection.socket.fileno(): connection for connection in connections}
        writing = [descriptor for descriptor, each in by_descriptor.items() if each.pending]
        readable, writable, _ = select.select(
            [self._listener.fileno(), *by_descriptor], writing, [], max(0.0, timeout_s)
        )
        for descriptor in writable:
            self._flush(by_descriptor[descriptor])
        heard: list[Downward | DaemonAttached] = []
        for descriptor in readable:
            if descriptor == self._listener.fileno():
                self._accept()
            else:
                heard += self._read(by_descriptor[descriptor])
        return heard

    def send(self, message: Upward) -> None:
        """Tell the daemon, if there is one. Images are dropped for a daemon that does not read."""
        if self._daemon is None:
            return
        frame = encode_frame(message)
        if len(self._daemon.pending) + len(frame) > PENDING_BYTES:
            if not isinstance(message, ImageReport):
                self._drop(self._daemon)
            return
        self._daemon.pending += frame
        self._flush(self._daemon)

    def heir(self) -> socket.socket:
        """The connection of who asked for the devices; only after a `TakeOver` was heard. It outlives `close`."""
        assert self._heir is not None, "somebody asked"
        return self._heir.socket

    def close(self) -> None:
        """Close every connection and remove the socket."""
        for connection in [*self._strangers, *([self._daemon] if self._daemon else [])]:
            self._drop(connection)
        self._listener.close()
        Path(SOCKET_NAME).unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        accepted.setblocking(False)
        self._strangers.append(_Connection(accepted))
        if len(self._strangers) > MOST_STRANGERS:
            self._drop(self._strangers[0])

    def _read(self, connection: _Connection) -> list[Downward | DaemonAttached]:
        heard: list[Downward | DaemonAttached] = []
        if connection.socket.fileno() < 0:
            return heard
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return heard
        except ConnectionError:
            data = b""
        if not data:
            self._drop(connection)
            return heard
        try:
            for body in connection.reader.feed(data):
                message = decode_downward(body)
                if isinstance(message, TakeOver):
                    if self._heir is not None or connection is self._daemon:
                        raise MessageError("the devices change hands already")
                    self._strangers.remove(connection)
                    self._heir = connection
                    return [*heard, message]
                if connection is not self._daemon:
                    self._promote(connection)
                    heard.append(DaemonAttached())
                heard.append(message)
        except MessageError:
            self.refused += 1
            self._drop(connection)
        return heard

    def _promote(self, connection: _Connection) -> None:
        if self._daemon is not None:
            self._drop(self._daemon)
        self._strangers.remove(connection)
        self._daemon = connection

    def _flush(self, connection: _Connection) -> None:
        try:
            sent = connection.socket.send(connection.pending)
        except BlockingIOError:
            return
        except ConnectionError:
            self._drop(connection)
            return
        del connection.pending[:sent]

    def _drop(self, connection: _Connection) -> None:
        connection.socket.close()
        connection.pending.clear()
        if connection is self._daemon:
            self._daemon = None
        elif connection in self._strangers:
            self._strangers.remove(connection)
