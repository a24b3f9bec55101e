"""Small cells of transports for tests: in memory, or on loopback with impatient settings."""

import hashlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import trio
import trio.testing
from multiaddr import Multiaddr
from nacl.signing import SigningKey

from node.constants import ConnectionLimits, Patience, QueueLimits, RateLimits
from node.transport.interface import Frame, Gossip, PeerDown, PeerUp, Transport, TransportEvent
from node.transport.libp2p.adapter import Libp2pTransport
from node.transport.libp2p.identity import peer_id_of
from node.transport.memory import MemoryNetwork, MemoryTransport

CELL_ID = hashlib.sha256(b"cell of the transport tests").digest()

IMPATIENT = Patience(
    ping_every_s=1.0,
    ping_timeout_s=1.5,
    stall_s=1.5,
    fallback_dial_s=1.0,
    dial_timeout_s=5.0,
    redial_s=0.2,
    redial_longest_s=0.5,
    handshake_timeout_s=5.0,
    close_timeout_s=1.0,
    serve_timeout_s=1.0,
    ban_s=0.5,
)


async def until(condition: Callable[[], bool], timeout_s: float = 25.0) -> None:
    """Wait for a condition, looking each time that everything in this process has come to rest. TooSlowError."""
    with trio.fail_after(timeout_s):
        while not condition():
            with trio.move_on_after(0.05):
                await trio.testing.wait_all_tasks_blocked(0.01)


def signing_key(number: int) -> SigningKey:
    """The key of a test member, the same in every process."""
    return SigningKey(hashlib.sha256(b"test member %d" % number).digest())


def public_key(number: int) -> bytes:
    """The public key of a test member."""
    return bytes(signing_key(number).verify_key)


@dataclass(eq=False)
class Running:
    """A transport that runs, and what it has reported."""

    transport: Transport
    addresses: tuple[str, ...] = ()
    received: list[TransportEvent] = field(default_factory=list)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)

    @property
    def key(self) -> bytes:
        return self.transport.own_key

    def frames(self, peer: "Running") -> list[bytes]:
        return [event.data for event in self.received if isinstance(event, Frame) and event.peer == peer.key]

    def gossip(self) -> list[tuple[bytes, bytes]]:
        return [(event.author, event.data) for event in self.received if isinstance(event, Gossip)]

    def ups(self, peer: "Running") -> int:
        return self.received.count(PeerUp(peer.key))

    def downs(self, peer: "Running") -> int:
        return self.received.count(PeerDown(peer.key))

    async def stop(self) -> None:
        self.scope.cancel()
        await self.ended.wait()

    async def run(self, reading: bool, *, task_status: trio.TaskStatus[None]) -> None:
        """Run the transport, and note its events when `reading`."""
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    self.addresses = await nursery.start(self.transport.run)
                    task_status.started()
                    if reading:
                        async for event in self.transport.events:
                            self.received.append(event)
        finally:
            self.ended.set()


class Cell(Protocol):
    """Makes and runs members of one cell."""

    async def start(
        self, number: int, *, reading: bool = True, queues: QueueLimits | None = None
    ) -> Running: ...

    def introduce(self, *members: Running) -> None: ...


class MemoryCell:
    """Members on a MemoryNetwork."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.network = MemoryNetwork()
        self._nursery = nursery

    async def start(self, number: int, *, reading: bool = True, queues: QueueLimits | None = None) -> Running:
        transport: MemoryTransport = self.network.transport(public_key(number), queues=queues)
        running = Running(transport)
        await self._nursery.start(running.run, reading)
        return running

    def introduce(self, *members: Running) -> None:
        for member in members:
            member.transport.set_members({other.key: () for other in members})


class Libp2pCell:
    """Members on loopback; a member that is started again has its old port."""

    def __init__(self, nursery: trio.Nursery, *, patience: Patience = IMPATIENT) -> None:
        self._nursery = nursery
        self._patience = patience
        self._ports: dict[int, int] = {}

    async def start(
        self,
        number: int,
        *,
        reading: bool = True,
        queues: QueueLimits | None = None,
        rates: RateLimits | None = None,
        limits: ConnectionLimits | None = None,
        hosts: tuple[str, ...] = ("127.0.0.1",),
    ) -> Running:
        transport = Libp2pTransport(
            signing_key(number),
            CELL_ID,
            [f"/ip4/{host}/tcp/{self.port(number)}" for host in hosts],
            queues=queues,
            rates=rates,
            limits=limits,
            patience=self._patience,
        )
        running = Running(transport)
        await self._nursery.start(running.run, reading)
        return running

    def port(self, number: int) -> int:
        return self._ports.setdefault(number, free_port())

    def introduce(self, *members: Running) -> None:
        for member in members:
            member.transport.set_members({other.key: other.addresses for other in members})


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def dial_and_leave(member: Running, victim: Running, timeout_s: float) -> None:
    """One connection of a member, made and closed again, past the supervisors of both. TooSlowError."""
    own, other = member.transport, victim.transport
    assert isinstance(own, Libp2pTransport) and isinstance(other, Libp2pTransport)
    assert own._swarm is not None and other._swarm is not None
    own._addresses, other._addresses = {other.own_key: ()}, {own.own_key: ()}
    before = other.counters["peers_down"]
    with trio.fail_after(timeout_s):
        await own._swarm.dial_once(Multiaddr(victim.addresses[0]), peer_id_of(other.own_key))
        while own.own_key not in other.peers() or other.own_key not in own.peers():
            await trio.testing.wait_all_tasks_blocked(0.001)
        own._swarm.disconnect(peer_id_of(other.own_key))
        while own.peers() or other.counters["peers_down"] == before:
            await trio.testing.wait_all_tasks_blocked(0.001)


async def connected(*members: Running) -> None:
    """Wait until every member is up with every other."""
    everybody = {member.key for member in members}
    await until(lambda: all(member.transport.peers() >= everybody - {member.key} for member in members))
