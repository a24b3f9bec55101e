"""Shell: people who look at a node's page: `python -m sim.measuring.page_viewers ADDRESS VIEWERS`.

Each reads the live stream as a browser does, and comes back when it is dropped. One more, on top, asks for the stream
and never reads. It prints one JSON line once all are served, and another with what they heard since whenever it is sent
a line and when its standard input ends.
"""

import json
import os
import socket
import sys
from collections import Counter
from urllib.parse import urlsplit

import trio

NICENESS = 10
"""Viewers are elsewhere: here they only get what everybody else leaves."""
APART_S = 0.03
"""Between two who come: below the 50 requests a second that one address may make."""
SMALL_BUFFER = 4096


class Viewers:
    """Readers of the live stream of one web server."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.counts: Counter[str] = Counter()
        self.served: set[int] = set()

    async def run(self, viewers: int) -> None:
        """Look until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._never_read)
            for number in range(viewers):
                nursery.start_soon(self._view, number)
                await trio.sleep(APART_S)

    async def _view(self, number: int) -> None:
        while True:
            try:
                async with await trio.open_tcp_stream(self._host, self._port) as stream:
                    await stream.send_all(self._request())
                    while data := await stream.receive_some(65_536):
                        self.counts["bytes"] += len(data)
                        self.counts["events"] += data.count(b"\nevent: ")
                        if b"event: " in data:
                            self.served.add(number)
            except (OSError, trio.BrokenResourceError):
                pass
            self.counts["came back"] += 1
            await trio.sleep(1.0)

    async def _never_read(self) -> None:
        held = trio.socket.socket()
        # A small buffer is full at once, so that the server has to wait for this one.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        await held.connect((self._host, self._port))
        await held.send(self._request())
        await trio.sleep_forever()

    def _request(self) -> bytes:
        return f"GET /api/v1/stream HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n\r\n".encode()


async def _run(address: str, viewers: int) -> None:
    place = urlsplit(address)
    assert place.hostname is not None and place.port is not None
    crowd = Viewers(place.hostname, place.port)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run, viewers)
        while len(crowd.served) < viewers:
            await trio.sleep(0.1)
        _say({"served": len(crowd.served)})
        crowd.counts.clear()
        asked = sys.stdin.fileno()
        while True:
            await trio.lowlevel.wait_readable(asked)
            ended = not os.read(asked, 64)
            _say(dict(crowd.counts))
            if ended:
                break
        nursery.cancel_scope.cancel()


def _say(value: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.nice(NICENESS)
    trio.run(_run, sys.argv[1], int(sys.argv[2]))
