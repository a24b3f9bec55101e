"""Shell: what the node needs of a network, and nothing more, so that the network can be replaced.

A peer is named by its 32-byte ed25519 public key, which is the member's feed key. Only members, as last told
by `set_members`, are ever connected. Nothing here is reliable: gossip and frames may be lost and requests may
fail; replication repairs what gossip lost and agreement rebroadcasts what frames lost.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import trio

from node.transport.errors import (
    AddressInUse,
    MessageTooLarge,
    RequestFailed,
    RequestRefused,
    TransportError,
)

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the stubs the checker sees lack trio.TaskStatus

__all__ = [
    "AddressInUse",
    "Frame",
    "Gossip",
    "MessageTooLarge",
    "PeerDown",
    "PeerUp",
    "RequestFailed",
    "RequestHandler",
    "RequestRefused",
    "Transport",
    "TransportError",
    "TransportEvent",
]


@dataclass(frozen=True, slots=True)
class Gossip:
    """A message of another member that reached us through any number of hops; `author` signed it."""

    topic: str
    author: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a directly connected peer, once; in order while it comes over one path alone."""

    peer: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class PeerUp:
    """The peer is reached, maybe again: it may have restarted since, and what was queued for it may be lost."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class PeerDown:
    """The last path to the peer is gone; always preceded by a PeerUp of the same peer."""

    peer: bytes


TransportEvent = Gossip | Frame | PeerUp | PeerDown

RequestHandler = Callable[[bytes, bytes], Awaitable[bytes]]
"""(peer, request) -> reply. Raise RequestRefused not to answer; any other exception ends `Transport.run`."""


class Transport(Protocol):
    """A network of the cell's members. Sizes, rates and queues are bounded by `node.constants`."""

    @property
    def own_key(self) -> bytes:
        """Our 32-byte ed25519 public key."""

    @property
    def events(self) -> trio.MemoryReceiveChannel[TransportEvent]:
        """What happened, oldest first. Bounded: while nobody reads, gossip is dropped and frames wait."""

    @property
    def counters(self) -> Mapping[str, int]:
        """How often each thing happened since the start, by name; a live view."""

    async def run(self, *, task_status: "TaskStatus[tuple[str, ...]]" = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled, then close everything; `started` gets the addresses listened on.

        Raises AddressInUse when another process holds our port.
        """

    def set_members(self, addresses: Mapping[bytes, tuple[str, ...]]) -> None:
        """Allow exactly these keys and keep a connection to each; the others are disconnected and unheard.

        The addresses of a member are tried in turn, and with several a second path is kept over another one; a
        member without any may only call us. Our own key is ignored. May be called before and while `run` runs.
        """

    def serve(self, handler: RequestHandler) -> None:
        """Answer the requests of members with `handler`; before this is called requests are refused."""

    async def publish(self, topic: str, data: bytes) -> None:
        """Gossip to all members that are reachable, never to ourselves. Raises MessageTooLarge."""

    async def request(self, peer: bytes, data: bytes, timeout_s: float) -> bytes:
        """Ask one peer and wait for its reply. Raises RequestFailed, or MessageTooLarge for our request."""

    def send(self, peer: bytes, frame: bytes) -> bool:
        """Queue a frame for a peer and return at once; False when it is not up or its queue is full.

        Raises MessageTooLarge.
        """

    def broadcast(self, frame: bytes) -> int:
        """Queue a frame for every peer that is up; the number of queues that took it."""

    def peers(self) -> frozenset[bytes]:
        """The members that are up now."""
