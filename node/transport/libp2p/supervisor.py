"""Shell: keeps a connection to every member, whatever happened to the last one.

Only the member with the smaller peer id dials at once, so that two rarely dial each other at the same time; the other
follows after a moment, because a rebooted member must not wait for its peer to notice, and some can only be left, not
reached. The addresses of a member are tried in turn.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio
from libp2p.peer.id import ID
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # no stubs
from multiaddr.exceptions import Error as MultiaddrError  # type: ignore[import-untyped]  # no stubs

from node.constants import Patience
from node.transport.counters import Counters
from node.transport.libp2p.identity import peer_id_of
from node.transport.libp2p.swarm import MembersSwarm


@dataclass(slots=True, eq=False)
class _Member:
    peer_id: ID
    addresses: tuple[str, ...]
    dials_first: bool
    watched: trio.CancelScope = field(default_factory=trio.CancelScope)
    up: trio.Event = field(default_factory=trio.Event)
    down: trio.Event = field(default_factory=trio.Event)


class Supervisor:
    """Dials members that are not connected; `may_dial` is asked before each attempt."""

    def __init__(
        self,
        swarm: MembersSwarm,
        own_key: bytes,
        *,
        may_dial: Callable[[bytes], bool],
        patience: Patience,
        counters: Counters,
    ) -> None:
        self._swarm = swarm
        self._own_id = peer_id_of(own_key)
        self._may_dial = may_dial
        self._patience = patience
        self._counters = counters
        self._members: dict[bytes, _Member] = {}
        self._nursery: trio.Nursery | None = None

    def set_members(self, addresses: Mapping[bytes, tuple[str, ...]]) -> None:
        """Watch exactly these members; those no longer among them are disconnected."""
        for key in self._members.keys() - addresses.keys():
            member = self._members.pop(key)
            member.watched.cancel()
            self._swarm.disconnect(member.peer_id)
        for key, places in addresses.items():
            known = self._members.get(key)
            if known is not None:
                known.addresses = places
                continue
            peer_id = peer_id_of(key)
            member = _Member(peer_id, places, self._own_id.to_bytes() < peer_id.to_bytes())
            self._members[key] = member
            if self._nursery is not None:
                self._nursery.start_soon(self._watch, key, member)

    def connected(self, key: bytes) -> None:
        """A connection to the member was admitted."""
        member = self._members.get(key)
        if member is not None:
            member.up.set()
            member.down = trio.Event()

    def disconnected(self, key: bytes) -> None:
        """The member's last connection has ended."""
        member = self._members.get(key)
        if member is not None:
            member.up = trio.Event()
            member.down.set()

    async def run(self) -> None:
        """Watch the members until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for key, member in self._members.items():
                self._nursery.start_soon(self._watch, key, member)
            await trio.sleep_forever()

    async def _watch(self, key: bytes, member: _Member) -> None:
        with member.watched:
            while True:
                if not member.dials_first:
                    await self._wait_for_connection(member, self._patience.fallback_dial_s)
                delay_s = self._patience.redial_s
                while not member.up.is_set():
                    if self._may_dial(key):
                        await self._dial(member)
                    await self._wait_for_connection(member, delay_s)
                    delay_s = min(delay_s * 1.5, self._patience.redial_longest_s)
                await member.down.wait()

    async def _wait_for_connection(self, member: _Member, timeout_s: float) -> None:
        with trio.move_on_after(timeout_s * random.uniform(0.7, 1.3)):
            await member.up.wait()

    async def _dial(self, member: _Member) -> None:
        """The library would try only the first address; it is not asked."""
        for text in member.addresses:
            if member.up.is_set():
                return
            try:
                address = Multiaddr(text)
            except (MultiaddrError, ValueError):
                self._counters.add("addresses_invalid")
                continue
            self._counters.add("dials")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when, member.up, nursery.cancel_scope)
                await self._swarm.dial_once(address, member.peer_id)
                nursery.cancel_scope.cancel()


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    """The member reached us first: a second connection would only be closed again."""
    await event.wait()
    scope.cancel()
