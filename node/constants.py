"""Limits of the node, each with its unit and its reason.

Specification constants are part of what members agree on: a node that sends more is at fault. Implementation
constants only shape one node and may differ between members.
"""

from dataclasses import dataclass
from typing import Final

# Specification: what a well-behaved member never exceeds.

ENTRIES: Final = "entries"
CAPACITY: Final = "capacity"
ADDRESSES: Final = "addresses"
VERSIONS: Final = "versions"
TOPICS: Final = (ENTRIES, CAPACITY, ADDRESSES, VERSIONS)
"""Gossip topics of a cell. Anything else is refused."""

ADDRESSES_PER_MEMBER: Final = 8
"""addresses of one member; two networks with IPv4 and IPv6 each, twice over."""

ADDRESS_BYTES: Final = 300
"""of one address; a domain name has at most 253."""

GOSSIP_BYTES: Final = 4 * 1024
"""bytes per gossiped message; the largest signed entry is 1 KiB and its envelope stays well below four."""

FRAME_BYTES: Final = 64 * 1024
"""bytes per frame; votes and proposals are below 512 bytes, certificates of 100 members below 16 KiB."""

REQUEST_BYTES: Final = 64 * 1024
"""bytes per request; the heads of 500 members are 44 KiB."""

REPLY_BYTES: Final = 1024 * 1024
"""bytes per reply; the limit of one replication page."""

GOSSIP_PER_AUTHOR_PER_S: Final = 50.0
"""messages per second and author, whoever relays them; an honest member writes a handful per interval."""

GOSSIP_PER_AUTHOR_BURST: Final = 200.0
"""messages; a member that caught up after an outage may republish what it wrote meanwhile."""

GOSSIP_PER_PEER_PER_S: Final = 500.0
"""messages per second that one peer may relay to us; a busy cell of 100 members and all its topics."""

GOSSIP_PER_PEER_BURST: Final = 2000.0
"""messages; what a mesh repairs at once after a partition of some seconds."""

FRAMES_PER_PEER_PER_S: Final = 1000.0
"""frames per second; 100 validators' votes of two steps, relayed once, for two rounds of one second each."""

FRAMES_PER_PEER_BURST: Final = 4000.0
"""frames; the votes of a few rounds that arrive together after a stall."""

REQUESTS_PER_PEER_PER_S: Final = 50.0
"""requests per second; replication asks every peer a few times per interval."""

REQUESTS_PER_PEER_BURST: Final = 200.0
"""requests; catching up pages through history without pauses."""

BYTES_PER_PEER_PER_S: Final = 4.0 * 1024 * 1024
"""payload bytes per second received from one peer over everything; four replication pages."""

BYTES_PER_PEER_BURST: Final = 32.0 * 1024 * 1024
"""bytes; a batch of replication pages."""

# Implementation: how this node bounds its own memory and patience.


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """Bounded queues of a transport; what does not fit is dropped and counted."""

    events: int = 4096
    """events the node has not read yet; some seconds of a busy cell of 100."""

    frames_per_peer: int = 1024
    """frames waiting for one slow peer; above this the newest frame is refused."""

    frame_bytes_per_peer: int = 4 * 1024 * 1024
    """bytes of those frames."""

    gossip_copies: int = 256
    """gossip packets waiting for the second path to a member; above this only the first carries them."""

    requests_in_progress: int = 64
    """requests served at one time over all peers; the rest is refused, not queued."""

    requests_in_progress_per_peer: int = 8
    """requests of one peer served at one time, so that one member cannot take all slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Rates per second and bursts accepted from others; the defaults are the specification's."""

    gossip_per_author: float = GOSSIP_PER_AUTHOR_PER_S
    gossip_burst: float = GOSSIP_PER_AUTHOR_BURST
    gossip_per_peer: float = GOSSIP_PER_PEER_PER_S
    gossip_per_peer_burst: float = GOSSIP_PER_PEER_BURST
    frames_per_peer: float = FRAMES_PER_PEER_PER_S
    frames_burst: float = FRAMES_PER_PEER_BURST
    requests_per_peer: float = REQUESTS_PER_PEER_PER_S
    requests_burst: float = REQUESTS_PER_PEER_BURST
    bytes_per_peer: float = BYTES_PER_PEER_PER_S
    bytes_burst: float = BYTES_PER_PEER_BURST


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the node waits for others, in real seconds."""

    ping_every_s: float = 5.0
    """between pings of an idle or busy connection; finds a stopped peer within eight seconds."""

    ping_timeout_s: float = 3.0
    """for a ping's echo; far above a loaded machine's pauses."""

    hedge_s: float = 1.0
    """for a reply before the same is asked over the second path to a member, if there is one."""

    stagger_s: float = 0.5
    """for a handshake at one address of a member before its next one is tried as well."""

    stall_s: float = 5.0
    """for a peer to read what we send; then it is disconnected, because it holds our memory."""

    fallback_dial_s: float = 0.5
    """until the member with the larger key dials too: the other may be behind a firewall, hold a dead connection, or
    have tried before we listened; long enough for a handshake, so that two rarely dial each other at once."""

    dial_timeout_s: float = 5.0
    """for one address: TCP, Noise and Yamux together."""

    redial_s: float = 0.2
    """after the first failed attempt to reach a member, which may be starting too; half as long again after each
    further one, and spread by 30 % so that a cell does not dial in step."""

    redial_longest_s: float = 5.0
    """between attempts after many failures: a member that comes back is reached within ten seconds."""

    handshake_timeout_s: float = 8.0
    """for a stranger's connection to become a member's; afterwards it is closed."""

    close_timeout_s: float = 3.0
    """for closing sockets while being cancelled."""

    serve_timeout_s: float = 10.0
    """for a peer to send the rest of its request and to take our reply."""

    offences: int = 20
    """messages over a limit within the memory below before the peer is disconnected."""

    offence_memory_s: float = 10.0
    """after which an offence is forgotten."""

    ban_s: float = 30.0
    """that a repeated offender stays disconnected; it is still a member, so not for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection, or all unfinished ones, may take from us."""

    streams: int = 64
    """open streams per connection; a member needs about six."""

    streams_per_s: float = 20.0
    """streams a peer opens per second, as each costs a task and a negotiation."""

    streams_burst: float = 100.0
    """streams at once, after connecting."""

    stream_window: int = 256 * 1024
    """bytes of one stream that may wait unread; the initial window of Yamux, and it never grows."""

    unread_bytes: int = 4 * 1024 * 1024
    """bytes of all streams of one connection that may wait unread."""

    control_frames: int = 1024
    """answers of the multiplexer itself that may wait to be sent to a peer that does not read."""

    gossip_batch_bytes: int = 256 * 1024
    """bytes of one gossip packet; some dozens of messages, or the ids of five thousand."""

    gossip_batch_messages: int = 512
    """messages of one gossip packet, as each costs a signature check before anything else can run."""

    gossip_queue: int = 1024
    """gossip packets waiting for one slow peer; above this they are dropped and repaired by replication."""

    handshakes: int = 256
    """connections that have not proven to be a member's yet; the oldest makes room for the newest."""

    handshakes_per_address: int = 64
    """of those from one address, so that one machine cannot crowd out the others."""


BLOCK_IN_FRAME_BYTES: Final = 32 * 1024
"""bytes of a block that still travels with its proposal; a larger one is pulled by those who lack it."""

BLOCKS_HELD: Final = 32
"""blocks of one height held at one time; each needs a signed proposal or a quorum's votes to be kept."""

IMAGE_AGE_NS: Final = 3_000_000_000
"""ns of real time after which a process image says nothing about storage; thirty control cycles."""

SYNC_EVERY_NS: Final = 1_000_000_000
"""ns of real time between routine questions for missing entries; one peer each time, in turn."""

POSITIONS_COMPARED: Final = 64
"""feeds named in a routine question, others each time: 5 kB a second, and in a cell of 200 every feed every 4 s."""

PEERS_COMPARED: Final = 2
"""peers who are shown what we hold of an open height, each time others; one of them may be silent."""

ANSWERS_EVERY_NS: Final = 100_000_000
"""ns of real time between answers to one peer's standing; an honest peer shows it far less often."""

STATUS_EVERY_NS: Final = 1_000_000_000
"""ns of real time between saying how high we are; who lags hears it within a second."""

CAPACITY_EVERY_NS: Final = 1_000_000_000
"""ns of real time between looks at what our devices can do; a change is known in the cell seconds later."""

CAPACITY_CHANGE: Final = 50
"""a part in so many of the greatest headroom that was said: less of a change is not worth a message."""

CAPACITY_AGAIN_NS: Final = 10_000_000_000
"""ns of real time after which the same is said again, for those who came since or missed it."""

CAPACITY_PER_MEMBER_NS: Final = 500_000_000
"""the same in large cells, for each member: each second brings the news of two, 25 kbit/s through the mesh."""

ADDRESSES_EVERY_S: Final = 300.0
"""real seconds between saying where we are; who missed it, or came back, hears it then at the latest."""

ADDRESSES_SOON_S: Final = 2.0
"""real seconds after a member has come up until it is told too: gossip reaches it a heartbeat after its connection,
and many that come together are told once."""

INPUTS_WAITING: Final = 4096
"""inputs that wait for their turn; above this their senders wait, and the transport drops what it must."""

INPUTS_PER_TURN: Final = 256
"""inputs taken into one turn and one commit; a few tens of milliseconds of work."""

PUBLISH_WAITING: Final = 1024
"""messages waiting to be gossiped; what does not fit is found by replication."""

REQUESTS_OPEN: Final = 64
"""requests of ours under way at one time."""

REQUEST_TIMEOUT_S: Final = 5.0
"""real seconds for a reply; a page of a megabyte takes far less."""

STALL_NS: Final = 250_000_000
"""ns by which a timer may be late before the node says that it did not watch: less than a usual gate margin."""

SNAPSHOT_EVERY_BLOCKS: Final = 64
"""blocks between snapshots of the state: a start replays at most so many, about a second for a cell of fifty."""

WITNESS_EVERY_S: Final = 2.0
"""real seconds between looks for blocks that witnesses have not cosigned; a question costs them a certificate."""

WITNESS_BLOCKS_PER_LOOK: Final = 256
"""blocks read before others have their turn; some ten milliseconds."""

WITNESS_REQUESTS_PER_PEER_PER_S: Final = 2.0
"""questions per second of a neighbouring cell's node; each may cost a certificate of two hundred signatures, 10 ms."""

WITNESS_REQUESTS_PER_PEER_BURST: Final = 20.0
"""questions; what a node asks in a row that has to show many changes of validators."""
