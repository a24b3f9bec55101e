"""Shell: keeps a connection to every member, whatever happened to the last one, and a second over another address.

Only the member with the smaller peer id dials at once, so that two rarely dial each other at the same time; the other
follows after a moment, because a rebooted member must not wait for its peer to notice, and some can only be left, not
reached. The addresses of a member are tried in turn, each a moment after the one before. Who dialled the first
connection dials the one beside it, at an address that the first does not use; the other end does when that fails.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.peer.id import ID
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # no stubs
from multiaddr.exceptions import Error as MultiaddrError  # type: ignore[import-untyped]  # no stubs

from node.constants import Patience
from node.transport.counters import Counters
from node.transport.libp2p.identity import peer_id_of
from node.transport.libp2p.swarm import MembersSwarm
from node.transport.libp2p.yamux import YamuxConnection


@dataclass(slots=True, eq=False)
class _Path:
    """One of the two connections to a member: whether it is up, where we dialled it, else from which host it came."""

    is_up: bool = False
    changed: trio.Event = field(default_factory=trio.Event)
    dialled: str | None = None
    host: str = ""

    def connected(self, connection: SwarmConn) -> None:
        muxed = connection.muxed_conn
        self.dialled, self.host = None, ""
        if isinstance(muxed, YamuxConnection):
            remote = muxed.get_remote_address()
            self.dialled, self.host = muxed.dialled, "" if remote is None else remote[0]
        self._change(True)

    def disconnected(self) -> None:
        self._change(False)

    async def until(self, is_up: bool) -> None:
        while self.is_up != is_up:
            await self.changed.wait()

    def _change(self, is_up: bool) -> None:
        self.is_up = is_up
        self.changed.set()
        self.changed = trio.Event()


@dataclass(slots=True, eq=False)
class _Member:
    peer_id: ID
    addresses: tuple[str, ...]
    dials_first: bool
    watched: trio.CancelScope = field(default_factory=trio.CancelScope)
    first: _Path = field(default_factory=_Path)
    beside: _Path = field(default_factory=_Path)
    moved: trio.Event = field(default_factory=trio.Event)

    def in_order(self) -> tuple[str, ...]:
        """The addresses; where the connection beside is up, its own before the others."""
        used = self.beside.dialled if self.beside.is_up else None
        return tuple(sorted(self.addresses, key=lambda address: address != used))

    def elsewhere(self) -> tuple[str, ...]:
        """The addresses for a connection beside the first; none while there is one, or no other address."""
        first, beside = self.first, self.beside
        together = first.dialled is not None and first.dialled == beside.dialled
        if len(self.addresses) < 2 or (beside.is_up and not together):
            return ()
        if first.dialled is not None:
            return tuple(address for address in self.addresses if address != first.dialled)
        return tuple(address for address in self.addresses if f"/{first.host}/" not in address)


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
                if known.addresses != places:
                    known.addresses = places
                    known.moved.set()
                    known.moved = trio.Event()
                continue
            peer_id = peer_id_of(key)
            member = _Member(peer_id, places, self._own_id.to_bytes() < peer_id.to_bytes())
            self._members[key] = member
            if self._nursery is not None:
                self._nursery.start_soon(self._watch, key, member)

    def connected(self, key: bytes, connection: SwarmConn, *, beside: bool) -> None:
        """A connection to the member was admitted."""
        member = self._members.get(key)
        if member is not None:
            (member.beside if beside else member.first).connected(connection)

    def disconnected(self, key: bytes, *, beside: bool) -> None:
        """The member's last connection of this kind has ended."""
        member = self._members.get(key)
        if member is not None:
            (member.beside if beside else member.first).disconnected()

    async def run(self) -> None:
        """Watch the members until cancelled."""
        async with trio.open_nursery() as self._nursery:
            for key, member in self._members.items():
                self._nursery.start_soon(self._watch, key, member)
            await trio.sleep_forever()

    async def _watch(self, key: bytes, member: _Member) -> None:
        with member.watched:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_first, key, member)
                nursery.start_soon(self._keep_beside, key, member)

    async def _keep_first(self, key: bytes, member: _Member) -> None:
        first = member.first
        delay_s = self._patience.redial_s
        while True:
            if not member.dials_first:
                await self._wait_until(first, True, self._patience.fallback_dial_s)
            while not first.is_up:
                if self._may_dial(key):
                    await self._dial(member, first, member.in_order())
                await self._wait_until(first, True, delay_s)
                delay_s = min(delay_s * 1.5, self._patience.redial_longest_s)
            up_s = trio.current_time()
            await first.until(False)
            if trio.current_time() - up_s >= self._patience.redial_longest_s:
                delay_s = self._patience.redial_s
            else:  # it takes connections and drops them: that must not cost us more than a silent member
                await self._wait_until(first, True, delay_s)

    async def _keep_beside(self, key: bytes, member: _Member) -> None:
        first, beside = member.first, member.beside
        delay_s = self._patience.redial_s
        while True:
            await first.until(True)
            if first.dialled is None:
                await self._wait_until(beside, True, 2 * self._patience.fallback_dial_s)
            places = member.elsewhere()
            if not places:
                up_s = trio.current_time()
                await _any(first.changed, beside.changed, member.moved)
                if trio.current_time() - up_s >= self._patience.redial_longest_s:
                    delay_s = self._patience.redial_s
                else:
                    await self._wait_until(first, False, delay_s)
                continue
            if self._may_dial(key):
                await self._dial(member, beside, places, beside=True)
            await self._wait_until(first, False, delay_s)
            delay_s = min(delay_s * 1.5, self._patience.redial_longest_s)

    async def _wait_until(self, path: _Path, is_up: bool, timeout_s: float) -> None:
        with trio.move_on_after(timeout_s * random.uniform(0.7, 1.3)):
            await path.until(is_up)

    async def _dial(
        self, member: _Member, path: _Path, places: tuple[str, ...], *, beside: bool = False
    ) -> None:
        """The library would try only the first address; it is not asked."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, path.changed, nursery.cancel_scope)
            async with trio.open_nursery() as attempts:
                for text in places:
                    try:
                        address = Multiaddr(text)
                    except (MultiaddrError, ValueError):
                        self._counters.add("addresses_invalid")
                        continue
                    self._counters.add("dials")
                    ended = trio.Event()
                    attempts.start_soon(self._attempt, address, member.peer_id, beside, ended)
                    with trio.move_on_after(self._patience.stagger_s):
                        await ended.wait()
            nursery.cancel_scope.cancel()

    async def _attempt(self, address: Multiaddr, peer_id: ID, beside: bool, ended: trio.Event) -> None:
        await self._swarm.dial_once(address, peer_id, **({"beside": True} if beside else {}))
        ended.set()


async def _any(*events: trio.Event) -> None:
    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(_cancel_when, event, nursery.cancel_scope)


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    """A member reached us first, for instance: a second connection of its kind would only be closed again."""
    await event.wait()
    scope.cancel()
