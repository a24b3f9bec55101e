"""Shell: the paths to every member: a first connection, and one beside it where the member lists two addresses.

Frames go over both and are taken once, as in IEC 62439-3 (parallel redundancy): when one path dies nothing has to be
noticed first. Gossip has its stream on the first; what it publishes is copied to the other. A request that is not
answered soon is asked over the other as well.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import trio

from node.constants import Patience
from node.transport.counters import Counters
from node.transport.errors import RequestFailed
from node.transport.interface import PeerDown, PeerUp, TransportEvent
from node.transport.libp2p.links import Link


@dataclass(slots=True)
class _Pair:
    first: Link | None = None
    beside: Link | None = None

    def up(self) -> list[Link]:
        return [link for link in (self.first, self.beside) if link is not None and link.is_up]


class Paths:
    """All links by peer. `ended(peer, beside)` is told when a link that was not replaced is over."""

    def __init__(
        self,
        events: trio.MemorySendChannel[TransportEvent],
        ended: Callable[[bytes, bool], None],
        patience: Patience,
        counters: Counters,
    ) -> None:
        self._events = events
        self._ended = ended
        self._patience = patience
        self._counters = counters
        self._pairs: dict[bytes, _Pair] = {}
        self._numbers: dict[bytes, Iterator[int]] = {}

    def peers(self) -> frozenset[bytes]:
        """Who can be reached over any link."""
        return frozenset(peer for peer, pair in self._pairs.items() if pair.up())

    def clear(self) -> None:
        """Forget all links."""
        self._pairs.clear()

    def add(self, link: Link, *, beside: bool) -> None:
        """A new link, in the place of an older one of its kind."""
        pair = self._pairs.setdefault(link.peer, _Pair())
        if beside:
            pair.beside = link
        else:
            pair.first = link

    async def run(self, link: Link) -> None:
        """Serve a link until it ends."""
        await link.run(self._up, self._down)
        pair = self._pairs.get(link.peer)
        if pair is None:
            return
        if pair.first is link:
            pair.first = None
            self._ended(link.peer, False)
        elif pair.beside is link:
            pair.beside = None
            self._ended(link.peer, True)
        if pair.first is None and pair.beside is None:
            del self._pairs[link.peer]

    def send(self, peer: bytes, frame: bytes) -> bool:
        """Queue a frame on every link to the peer; False when none took it."""
        links = self._links(peer)
        if not links:
            self._counters.add("frames_unsendable")
            return False
        number = next(self._numbers.setdefault(peer, itertools.count()))
        accepted = [link.send(number, frame) for link in links]
        if not any(accepted):
            self._counters.add("frames_dropped")
        return any(accepted)

    def copy_gossip(self, peer: bytes, packet: bytes) -> None:
        """Send a packet that gossip queued for its stream over the other link too."""
        pair = self._pairs.get(peer)
        if pair is not None and pair.beside is not None:
            pair.beside.copy_gossip(packet)

    async def request(self, peer: bytes, data: bytes, timeout_s: float) -> bytes:
        """Ask over one link, and if no reply comes soon over the other too. Raises RequestFailed."""
        links = self._links(peer)
        if not links:
            await trio.lowlevel.checkpoint()
            raise RequestFailed(peer, "not connected")
        self._counters.add("requests_sent")
        if len(links) == 1:
            return await links[0].requests.request(data, timeout_s)
        return await self._ask_both(links, data, timeout_s)

    async def _ask_both(self, links: list[Link], data: bytes, timeout_s: float) -> bytes:
        replies: list[bytes] = []
        faults: list[RequestFailed] = []
        first_failed = trio.Event()

        async def ask(link: Link, rest_s: float) -> None:
            try:
                replies.append(await link.requests.request(data, rest_s))
            except RequestFailed as fault:
                faults.append(fault)
                first_failed.set()
            else:
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, links[0], timeout_s)
            asked_s = trio.current_time()
            with trio.move_on_after(min(self._patience.hedge_s, timeout_s)):
                await first_failed.wait()
            rest_s = timeout_s - (trio.current_time() - asked_s)
            if rest_s > 0:
                self._counters.add("requests_over_both")
                nursery.start_soon(ask, links[1], rest_s)
        if replies:
            return replies[0]
        raise faults[0]

    def _links(self, peer: bytes) -> list[Link]:
        pair = self._pairs.get(peer)
        return [] if pair is None else pair.up()

    async def _up(self, link: Link) -> None:
        """Also told when another was up already: the peer may have rebooted, and not remember what it was told."""
        self._counters.add("links_up")
        pair = self._pairs.get(link.peer)
        if pair is not None and (pair.first is link or pair.up() == [link]):
            self._counters.add("peers_up")
            await self._events.send(PeerUp(link.peer))

    async def _down(self, link: Link) -> None:
        """Not told while another is up: the peer is still reached."""
        pair = self._pairs.get(link.peer)
        if pair is not None and not pair.up():
            self._counters.add("peers_down")
            await self._events.send(PeerDown(link.peer))
