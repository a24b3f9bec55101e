"""What a member that turned hostile can do to another: be dropped, counted and shut out for a while."""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import trio
from attackers import ENTRIES, FRAMES, REQUESTS, Attacker, packet
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.swarm import Swarm
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from transport_cells import Libp2pCell, Running, connected, public_key, until

from node.constants import FRAME_BYTES, GOSSIP_BYTES, REQUEST_BYTES, ConnectionLimits, RateLimits
from node.transport.libp2p.gossip import MembersPubsub
from node.transport.libp2p.swarm import MembersSwarm

HOSTILE = 66
SOON_S = 6.0
"""within which a node under attack serves a member; gossip may need a heartbeat or two."""
DATA, WINDOW_UPDATE, SYN = 0, 1, 1
RATES = RateLimits(
    frames_per_peer=50, frames_burst=100, gossip_per_author=5, gossip_burst=20, requests_burst=50
)


@dataclass
class Scene:
    victim: Running
    friend: Running
    hostile: Attacker

    def count(self, name: str) -> int:
        return self.victim.transport.counters[name]

    async def survives(self) -> None:
        """Frames, requests and gossip still pass between the victim and its friend, and soon."""
        assert not self.victim.ended.is_set()
        mark = os.urandom(8)
        with trio.fail_after(SOON_S):
            await connected(self.victim, self.friend)
            assert self.friend.transport.send(self.victim.key, mark)
            await until(lambda: mark in self.victim.frames(self.friend))
            assert await self.friend.transport.request(self.victim.key, mark, SOON_S) == mark
            await self.friend.transport.publish("entries", mark)
            await until(lambda: (self.friend.key, mark) in self.victim.gossip())


async def echo(_peer: bytes, request: bytes) -> bytes:
    return request


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """The hostile member serves the frame protocol too, or the victim would leave it at once."""
    async with trio.open_nursery() as nursery:
        cell = Libp2pCell(nursery)
        victim, friend = await cell.start(0, rates=RATES), await cell.start(1)
        victim.transport.serve(echo)
        cell.introduce(victim, friend)
        members = {friend.key: friend.addresses, public_key(HOSTILE): ()}
        victim.transport.set_members(members)
        await connected(victim, friend)
        async with Attacker(HOSTILE).running() as hostile:
            await hostile.connect(victim)
            await until(lambda: public_key(HOSTILE) in victim.transport.peers())
            yield Scene(victim, friend, hostile)
        nursery.cancel_scope.cancel()


GARBAGE_PACKETS = {
    "not a packet": b"\x08\xff\xff\xff\xff\xff\xff\xff\xff",
    "a length without end": b"\xff" * 16,
    "a giant announced": b"\x80\x80\x80\x08" + bytes(1000),
    "a giant": packet(rpc_pb2.RPC(publish=[rpc_pb2.Message(data=bytes(900_000), topicIDs=[ENTRIES])])),
    "a garbage key": packet(
        rpc_pb2.RPC(
            publish=[
                rpc_pb2.Message(
                    data=b"x",
                    topicIDs=[ENTRIES],
                    from_id=b"\xff\x01",
                    seqno=bytes(8),
                    signature=b"x",
                    key=b"\xff\xff",
                )
            ]
        )
    ),
    "subscriptions to thousands of topics": packet(
        rpc_pb2.RPC(subscriptions=[rpc_pb2.RPC.SubOpts(subscribe=True, topicid=str(n)) for n in range(3000)])
    ),
}


@pytest.mark.parametrize("name", GARBAGE_PACKETS)
async def test_garbage_in_the_gossip_protocol_ends_its_stream_only(scene: Scene, name: str) -> None:
    stream = await scene.hostile.open_gossip()
    with contextlib.suppress(BaseLibp2pError):
        await stream.write(GARBAGE_PACKETS[name])
    await until(lambda: scene.count("gossip_malformed") >= 1)
    await scene.survives()
    assert scene.hostile.is_connected


@pytest.mark.parametrize("name", ["not a packet", "a garbage key"])
async def test_without_the_fixes_one_packet_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(MembersPubsub, "continuously_read_stream", Pubsub.continuously_read_stream)
    monkeypatch.setattr(MembersPubsub, "push_msg", Pubsub.push_msg)
    monkeypatch.setattr(MembersSwarm, "set_stream_handler", Swarm.set_stream_handler)
    with pytest.raises(BaseExceptionGroup):
        async with trio.open_nursery() as nursery:
            victim = await Libp2pCell(nursery).start(0)
            victim.transport.set_members({public_key(HOSTILE): ()})
            async with Attacker(HOSTILE).running() as hostile:
                await hostile.connect(victim)
                stream = await hostile.open_gossip()
                await stream.write(GARBAGE_PACKETS[name])
                await until(victim.ended.is_set)


async def test_messages_that_no_correct_member_sends_are_neither_delivered_nor_relayed(scene: Scene) -> None:
    forged = scene.hostile.message(1)
    forged.data = b"changed after signing"
    unsigned = scene.hostile.message(2)
    unsigned.ClearField("signature")
    short_sequence = scene.hostile.message(3)
    short_sequence.seqno = b"\1"
    for bad in (forged, unsigned, short_sequence, scene.hostile.message(4, data=bytes(GOSSIP_BYTES + 1))):
        before = scene.count("gossip_malformed")
        stream = await scene.hostile.open_gossip()
        await stream.write(packet(rpc_pb2.RPC(publish=[bad])))
        await until(lambda before=before: scene.count("gossip_malformed") > before)
    await scene.survives()
    assert public_key(HOSTILE) not in {author for author, _ in scene.victim.gossip() + scene.friend.gossip()}


async def test_thousands_of_tiny_messages_in_one_packet_are_refused_unread(scene: Scene) -> None:
    tiny = [scene.hostile.message(0) for _ in range(1)] * 2000
    stream = await scene.hostile.open_gossip()
    with contextlib.suppress(BaseLibp2pError):
        await stream.write(packet(rpc_pb2.RPC(publish=tiny[:1200])))
    await until(lambda: scene.count("gossip_malformed") >= 1)
    assert public_key(HOSTILE) not in {author for author, _ in scene.victim.gossip()}
    await scene.survives()


async def test_a_flood_of_valid_gossip_is_cut_to_the_authors_rate(scene: Scene) -> None:
    stream = await scene.hostile.open_gossip()
    for start in range(0, 200, 50):
        messages = [scene.hostile.message(n) for n in range(start, start + 50)]
        await stream.write(packet(rpc_pb2.RPC(publish=messages)))
    await until(lambda: scene.count("gossip_over_limit") >= 100)
    delivered = [data for author, data in scene.victim.gossip() if author == public_key(HOSTILE)]
    assert len(delivered) <= 60
    await scene.survives()


async def test_one_members_flood_does_not_use_up_anothers_rate(scene: Scene) -> None:
    stream = await scene.hostile.open_gossip()
    impersonated = []
    for number in range(100):
        message = scene.hostile.message(number)
        message.from_id = Attacker(1).peer_id.to_bytes()
        impersonated.append(message)
    with contextlib.suppress(BaseLibp2pError):
        await stream.write(packet(rpc_pb2.RPC(publish=impersonated)))
    await until(lambda: scene.count("gossip_malformed") >= 1)
    await scene.survives()


async def test_grafts_and_recommendations_for_foreign_topics_are_ignored(scene: Scene) -> None:
    stream = await scene.hostile.open_gossip()
    control = rpc_pb2.RPC()
    for number in range(200):
        control.control.graft.add(topicID=f"foreign {number}")
        control.control.prune.add(topicID=f"foreign {number}").peers.add(peerID=b"anybody")
    control.control.ihave.add(topicID=ENTRIES, messageIDs=[os.urandom(46) for _ in range(1000)])
    await stream.write(packet(control))
    await scene.survives()
    router = scene.victim.transport._pubsub.router  # type: ignore[attr-defined]
    assert not [topic for topic in router.back_off if "foreign" in topic]


async def announce_too_much(scene: Scene) -> None:
    await scene.hostile.send_yamux(DATA, 0, 1, 0xFFFFFFFF)


async def send_beyond_the_window(scene: Scene) -> None:
    stream = await scene.hostile.open_stream(FRAMES)
    await stream.write(b"\0\0\0\x08whatever")
    number = stream.muxed_stream.stream_id  # type: ignore[attr-defined]
    frames = b"".join(b"\0\0\0\x08%08d" % number for number in range(5_000))
    for _ in range(200):
        await scene.hostile.send_yamux(DATA, 0, number, len(frames), frames)


async def open_streams_without_end(scene: Scene) -> None:
    for number in range(500):
        await scene.hostile.send_yamux(WINDOW_UPDATE, SYN, 100_001 + 2 * number, 0)


async def open_a_stream_of_ours(scene: Scene) -> None:
    await scene.hostile.send_yamux(WINDOW_UPDATE, SYN, 100_000, 0)


async def send_noise(scene: Scene) -> None:
    await scene.hostile.multiplexer.secured_conn.write(b"\xff" * 4000)


@pytest.mark.parametrize(
    "attack",
    [announce_too_much, send_beyond_the_window, open_streams_without_end, open_a_stream_of_ours, send_noise],
)
async def test_breaking_the_multiplexers_rules_costs_the_connection(
    scene: Scene, attack: Callable[[Scene], Awaitable[None]]
) -> None:
    with contextlib.suppress(BaseLibp2pError):
        await attack(scene)
    await until(lambda: scene.count("violations") >= 1)
    await until(lambda: public_key(HOSTILE) not in scene.victim.transport.peers())
    await scene.survives()


async def test_data_for_a_stream_that_nobody_reads_is_bounded_by_its_window() -> None:
    limits = ConnectionLimits()
    assert limits.stream_window * 2 < limits.unread_bytes < 64 * 1024 * 1024


async def test_half_open_request_streams_are_given_up(scene: Scene) -> None:
    for _ in range(10):
        stream = await scene.hostile.open_stream(REQUESTS)
        await stream.write(b"\0\0\0\x20half")
    await until(lambda: scene.count("request_streams_ended") >= 1)
    await scene.survives()
    reading = scene.victim.transport._request_server._reading  # type: ignore[attr-defined]
    await until(lambda: public_key(HOSTILE) not in {peer for peer, _connection in reading})


@pytest.mark.parametrize(("protocol", "limit"), [(FRAMES, FRAME_BYTES + 8), (REQUESTS, REQUEST_BYTES + 4)])
async def test_a_frame_above_the_limit_ends_its_stream(scene: Scene, protocol: str, limit: int) -> None:
    stream = await scene.hostile.open_stream(protocol)
    await stream.write((limit + 1).to_bytes(4, "big") + b"giant")
    with trio.fail_after(5), contextlib.suppress(BaseLibp2pError):
        while await stream.read(1000):
            pass
    await scene.survives()
    assert scene.victim.frames(scene.friend)


async def test_a_flood_of_frames_is_cut_and_the_offender_shut_out_for_a_while(scene: Scene) -> None:
    stream = await scene.hostile.open_stream(FRAMES)
    with contextlib.suppress(BaseLibp2pError):
        await stream.write(b"\0\0\0\x08whatever")
        await stream.write(b"".join(b"\0\0\0\x0c%08dspam" % number for number in range(2000)))
    await until(lambda: scene.count("bans") >= 1)
    await until(lambda: public_key(HOSTILE) not in scene.victim.transport.peers())
    assert scene.count("frames_received") < 300
    await scene.survives()
    await until(lambda: scene.victim.transport._is_welcome(public_key(HOSTILE)))  # type: ignore[attr-defined]


async def test_a_member_that_never_reads_is_dropped_and_holds_up_nobody(scene: Scene) -> None:
    while public_key(HOSTILE) in scene.victim.transport.peers():
        scene.victim.transport.send(public_key(HOSTILE), bytes(FRAME_BYTES))
        with trio.move_on_after(0.01):
            await trio.testing.wait_all_tasks_blocked()
    assert scene.count("streams_stalled") + scene.count("pings_unanswered") >= 1
    await scene.survives()
