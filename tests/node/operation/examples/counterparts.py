"""Who a node in operation speaks with, for tests: systemd's end of a socket, a mail server, a web server."""

import queue
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler


class Manager:
    """systemd's end: a datagram socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._messages: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """As the kernel keeps only a few messages, they are taken at once."""
        while True:
            self._messages.put(self._socket.recv(4096))

    def hear(self) -> dict[str, str]:
        """The next message."""
        lines = self._messages.get(timeout=30).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def until(self, heard: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The next message of which this holds."""
        while not heard(message := self.hear()):
            pass
        return message


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs."""

    def handle(self) -> None:
        self.reply("220 here")
        for line in self.rfile:
            command = line.split()[0].upper() if line.split() else b""
            if command == b"DATA":
                self.reply("354 go on")
                data = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    data += part
                self.server.got.append(data)  # type: ignore[attr-defined]
            if command == b"QUIT":
                self.reply("221 bye")
                return
            self.reply("250 ok")

    def reply(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Web(BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        self.server.got.append(self.rfile.read(int(self.headers["Content-Length"])))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[tuple[int, list[bytes]]]:
    """A server in a thread: its port, and what it got."""
    server.got = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], server.got  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
