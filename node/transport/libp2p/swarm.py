"""Shell: the library's connections, held to members only, and none for ever unfinished.

A member has one connection that the library knows of, and at most one beside it, over another path, that only we know
of. Which one it is, the dialling end says when the multiplexer is chosen.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

import trio
from libp2p.abc import IMuxedConn, INetConn, INetStream, IRawConnection, ISecureConn
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import StreamHandlerFn, TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.identity.identify_push.identify_push import ID_PUSH as IDENTIFY_PUSH
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.auto_connector import AutoConnector
from libp2p.network.config import ConnectionConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.muxer_multistream import MuxerMultistream
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # no stubs
from nacl.signing import SigningKey

from node.constants import ConnectionLimits, Patience
from node.transport.counters import Counters
from node.transport.errors import AddressInUse, UnsupportedLibrary
from node.transport.libp2p.containment import Contained
from node.transport.libp2p.identity import peer_id_of
from node.transport.libp2p.tcp import BufferedTcpStream, TcpTransport
from node.transport.libp2p.yamux import YamuxConnection

LIBRARY_VERSION = "0.8.1"

YAMUX_BESIDE = "/wattswarm/yamux-beside/1"
"""Yamux on a connection that is to stay beside the first."""

_YOUNG_S = 3.0
"""seconds in which two connections of one pair are taken for simultaneous dials rather than for a reboot."""


def check_library() -> None:
    """Raise UnsupportedLibrary unless the exact version is installed that the hardening is written for."""
    installed = version("libp2p")
    if installed != LIBRARY_VERSION:
        raise UnsupportedLibrary(
            f"libp2p {installed} is installed, but this version of wattswarm needs exactly {LIBRARY_VERSION}: "
            f"run `pip install libp2p=={LIBRARY_VERSION}`"
        )


class RefusedError(SwarmException):
    """A connection that we closed on purpose, and counted by its reason."""


class MembersSwarm(Swarm):
    """The library's swarm with a gate, bounded handshakes, and one connection per member and one beside it.

    `allowed` says who may connect now and counts whom it refuses, `on_connection` takes each new connection, and
    `on_replaced` the peer whose connections are about to be replaced by a newer one; both return at once.
    """

    def __init__(
        self,
        signing_key: SigningKey,
        *,
        allowed: Callable[[ID], bool],
        on_connection: Callable[[SwarmConn], None],
        on_replaced: Callable[[ID], None],
        limits: ConnectionLimits,
        patience: Patience,
        counters: Counters,
    ) -> None:
        own_id = peer_id_of(bytes(signing_key.verify_key))
        key_pair = create_new_key_pair(bytes(signing_key))
        peerstore = PeerStore()
        peerstore.add_key_pair(own_id, key_pair)
        noise = NoiseTransport(key_pair, noise_privkey=create_noise_key_pair().private_key)
        upgrader = TransportUpgrader({NOISE: noise}, {})
        upgrader.muxer_multistream = _YamuxOnly(limits, patience, counters)
        self._beside_muxer = _YamuxOnly(limits, patience, counters, (YAMUX_BESIDE,))
        self._beside: dict[ID, SwarmConn] = {}
        self._tcp = TcpTransport(counters)
        self._allowed = allowed
        self._on_connection = on_connection
        self._on_replaced = on_replaced
        self._patience = patience
        self._counters = counters
        self._handshakes = _Handshakes(limits, patience, counters)
        self._connected_at_s: dict[SwarmConn, float] = {}
        self._admitting: dict[ID, trio.Lock] = {}
        super().__init__(
            own_id,
            peerstore,
            upgrader,
            transports=[self._tcp],
            connection_config=ConnectionConfig(
                max_connections=4096,
                min_connections=0,
                low_watermark=0,
                high_watermark=4096,
                max_connections_per_peer=4,
                inbound_upgrade_timeout=patience.handshake_timeout_s,
                outbound_upgrade_timeout=patience.dial_timeout_s,
                inbound_stream_protocol_negotiation_timeout=patience.stall_s,
                outbound_stream_protocol_negotiation_timeout=patience.stall_s,
            ),
        )
        self.auto_connector = _NoAutoConnector(self)

    def set_stream_handler(self, stream_handler: StreamHandlerFn) -> None:
        """Called by the library's host; whatever a handler raises ends its stream and nothing else."""

        async def contained_handler(stream: INetStream) -> None:
            with Contained(self._counters, "streams_failed") as outcome:
                await stream_handler(stream)
            if outcome.failed:
                with Contained(self._counters, "resets_failed"):
                    await stream.reset()

        super().set_stream_handler(contained_handler)

    async def listen_at(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Listen at all of these; returns those that no interface has now, if any has another of them.

        Raises AddressInUse.
        """
        absent: list[str] = []
        for address in map(Multiaddr, addresses):
            if await self.listen(address):
                continue
            if str(address) not in self._tcp.absent:
                raise AddressInUse(f"cannot listen on {address}: the port is in use")
            absent.append(str(address))
        if absent and not self.listeners:
            raise AddressInUse(f"cannot listen on {', '.join(absent)}: no interface of this machine has it")
        return tuple(absent)

    async def dial_once(self, address: Multiaddr, peer_id: ID, *, beside: bool = False) -> None:
        """One attempt at one address, with neither the library's retries nor its penalty for a failure.

        Whether it worked shows in the connections; a failure is counted.
        """
        connection: IRawConnection | ISecureConn | None = None
        muxer = self._beside_muxer if beside else self.upgrader.muxer_multistream
        with trio.move_on_after(self._patience.dial_timeout_s), Contained(self._counters, "dials_failed"):
            try:
                connection = await self._tcp.dial(address)
                connection = await self.upgrader.upgrade_security(connection, True, peer_id)
                muxed = await muxer.new_conn(connection, peer_id)
                if isinstance(muxed, YamuxConnection):
                    muxed.dialled = str(address)
                with suppress(RefusedError):
                    await self.add_conn(muxed, "outbound")
                connection = None
            finally:
                if connection is not None:
                    await _close_now(connection)

    async def _handle_inbound_connection(self, read_write_closer: ReadWriteCloser, maddr: Multiaddr) -> None:
        """Serve one accepted socket; the library's own never gives back its slots and is deaf after 250."""
        muxed: IMuxedConn | None = None
        remote = read_write_closer.get_remote_address()

        def fault() -> str:
            left = isinstance(read_write_closer, BufferedTcpStream) and read_write_closer.left_by_peer
            return "handshakes_abandoned" if left else "handshakes_failed"

        with (
            self._handshakes.slot(remote[0] if remote else ""),
            Contained(self._counters, fault),
            suppress(RefusedError),
        ):
            muxed = await self.upgrade_inbound_raw_conn(RawConnection(read_write_closer, False), maddr)
        if isinstance(muxed, YamuxConnection):
            await muxed.event_closed.wait()

    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> SwarmConn:
        """Admit an authenticated connection, or close it and raise RefusedError.

        Of each kind the newest connection of a peer wins, because a peer that lost power comes back while its old
        connection still looks alive. Only of two simultaneous dials the one of the smaller id wins, on both ends.
        """
        peer_id = muxed_conn.peer_id
        if not self._allowed(peer_id):
            await _close_now(muxed_conn)
            raise RefusedError(f"{peer_id} is not a member, or shut out for now")
        async with self._admitting.setdefault(peer_id, trio.Lock()):
            if isinstance(muxed_conn, YamuxConnection) and muxed_conn.beside:
                connection = await self._admit_beside(muxed_conn, direction)
            else:
                connection = await self._admit(muxed_conn, direction)
        if not self._allowed(peer_id):
            self.disconnect(peer_id)
            raise RefusedError(f"{peer_id} ceased to be a member meanwhile")
        return connection

    def remove_conn(self, swarm_conn: SwarmConn) -> None:
        """Called by the library when a connection has ended."""
        self._connected_at_s.pop(swarm_conn, None)
        if self._beside.get(swarm_conn.muxed_conn.peer_id) is swarm_conn:
            del self._beside[swarm_conn.muxed_conn.peer_id]
        super().remove_conn(swarm_conn)

    def disconnect(self, peer_id: ID) -> None:
        """Close all connections of a peer soon."""
        self._close_soon(*self.connections.get(peer_id, ()))
        if peer_id in self._beside:
            self._close_soon(self._beside[peer_id])

    async def close(self) -> None:
        """Called by the library's host at the end."""
        for connection in tuple(self._beside.values()):
            await self._close_contained(connection)
        await super().close()

    async def _admit(self, muxed_conn: IMuxedConn, direction: str) -> SwarmConn:
        peer_id = muxed_conn.peer_id
        await self._prefer_one_dial(muxed_conn, self.connections.get(peer_id, ()))
        if self.connections.get(peer_id):
            self._close_soon(*self.connections[peer_id])
            del self.connections[peer_id]
            self._on_replaced(peer_id)
        connection = await super().add_conn(muxed_conn, direction)
        self._connected_at_s[connection] = trio.current_time()
        self._counters.add("connections")
        self._on_connection(connection)
        return connection

    async def _admit_beside(self, muxed_conn: YamuxConnection, direction: str) -> SwarmConn:
        """As the library admits a connection, but without its tables: gossip and closing go by the first alone."""
        peer_id = muxed_conn.peer_id
        older = self._beside.get(peer_id)
        await self._prefer_one_dial(muxed_conn, () if older is None else (older,))
        connection = self._beside[peer_id] = _BesideConn(muxed_conn, self, direction)
        if older is not None:
            self._close_soon(older)
        try:
            self.manager.run_task(muxed_conn.start)
            await muxed_conn.event_started.wait()
            self.manager.run_task(connection.start)
            await connection.event_started.wait()
        except BaseException:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._patience.close_timeout_s):
                await self._close_contained(connection)
            raise
        self._connected_at_s[connection] = trio.current_time()
        self._counters.add("connections_beside")
        self._on_connection(connection)
        return connection

    async def _prefer_one_dial(self, muxed_conn: IMuxedConn, present: Iterable[INetConn]) -> None:
        """Raise RefusedError if the connection loses against a simultaneous one that the other end dialled."""
        if self._loses_against_simultaneous_dial(muxed_conn, present):
            self._counters.add("simultaneous_dials_refused")
            await _close_now(muxed_conn)
            raise RefusedError(f"{muxed_conn.peer_id} is being connected the other way round")

    def _loses_against_simultaneous_dial(self, muxed_conn: IMuxedConn, present: Iterable[INetConn]) -> bool:
        smaller_is_us = self.self_id.to_bytes() < muxed_conn.peer_id.to_bytes()
        if muxed_conn.is_initiator == smaller_is_us:
            return False
        return any(
            connection.muxed_conn.is_initiator == smaller_is_us
            and not connection.is_closed
            and trio.current_time() - self._connected_at_s.get(connection, -_YOUNG_S) < _YOUNG_S
            for connection in present
            if isinstance(connection, SwarmConn)
        )

    def _close_soon(self, *connections: INetConn) -> None:
        for connection in connections:
            self.manager.run_task(self._close_contained, connection)

    async def _close_contained(self, connection: INetConn) -> None:
        with Contained(self._counters, "closes_failed"):
            await connection.close()


class _BesideConn(SwarmConn):
    """A connection beside the first. The library takes the end of any connection for the end of the peer's gossip."""

    async def _notify_disconnected(self) -> None:
        await trio.lowlevel.checkpoint()


class MembersHost(BasicHost):
    """The library's host: answers identify and ping, and asks nobody who they are or where else they live.

    The resource manager's limits and circuit breaker stay off, as the swarm and the multiplexer have their own.
    """

    def __init__(self, swarm: MembersSwarm) -> None:
        super().__init__(
            swarm, resource_manager=None, announce_addrs=[], disable_identify_address_discovery=True
        )
        self.remove_stream_handler(IDENTIFY_PUSH)

    def _schedule_identify(self, peer_id: ID, *, reason: str) -> None:
        """Not done: a member's key is proven and its addresses come from the cell."""


class _NoAutoConnector(AutoConnector):
    """The library's dials every address it has heard of when connections are few; the supervisor dials members."""

    async def maybe_connect(self) -> None:
        """Do nothing."""


class _YamuxOnly(MuxerMultistream):
    """Negotiates Yamux and nothing else; the library ignores the class that is asked for and builds its own."""

    def __init__(
        self,
        limits: ConnectionLimits,
        patience: Patience,
        counters: Counters,
        names: tuple[str, ...] = (YAMUX, YAMUX_BESIDE),
    ) -> None:
        super().__init__({TProtocol(name): YamuxConnection for name in names}, int(patience.dial_timeout_s))
        self._limits = limits
        self._patience = patience
        self._counters = counters

    async def new_conn(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        """Agree with the other end and wrap the connection."""
        name, _ = await self._selector.select(conn, conn.is_initiator, self.negotiate_timeout)
        return YamuxConnection(
            conn,
            peer_id,
            limits=self._limits,
            patience=self._patience,
            counters=self._counters,
            beside=name == YAMUX_BESIDE,
        )


class _Handshakes:
    """Connections that have not proven to be a member's: bounded in number and time.

    When there are too many the oldest is given up, not the newest refused: an honest handshake takes milliseconds,
    and a silent connection must not keep others out.
    """

    def __init__(self, limits: ConnectionLimits, patience: Patience, counters: Counters) -> None:
        self._limits = limits
        self._patience = patience
        self._counters = counters
        self._waiting: dict[str, deque[trio.CancelScope]] = {}

    @contextmanager
    def slot(self, address: str) -> Iterator[None]:
        """Hold a slot; what runs inside is cancelled when time is up or the slot is needed."""
        mine = self._waiting.setdefault(address, deque())
        if len(mine) >= self._limits.handshakes_per_address:
            mine[0].cancel()
        elif sum(map(len, self._waiting.values())) >= self._limits.handshakes:
            max(self._waiting.values(), key=len)[0].cancel()
        with trio.move_on_after(self._patience.handshake_timeout_s) as scope:
            mine.append(scope)
            try:
                yield
            finally:
                mine.remove(scope)
                if not mine:
                    self._waiting.pop(address, None)
        if scope.cancelled_caught:
            self._counters.add("handshakes_expired")


async def _close_now(connection: IMuxedConn | ISecureConn | IRawConnection) -> None:
    """Close also while being cancelled, without waiting for the peer."""
    with trio.CancelScope(shield=True):
        await (connection.secured_conn if isinstance(connection, YamuxConnection) else connection).close()
