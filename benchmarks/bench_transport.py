"""What the transport carries between processes-to-be: frames, requests and gossip over real libp2p on loopback.

    python benchmarks/bench_transport.py [--nodes 5] [--seconds 3]

All nodes run in one process, so a figure is what one core does for all ends together; between processes each end
has its own. Reference in the same run: the same frames over a bare TCP connection.
"""

import argparse
import functools
import hashlib
import json
import resource
import statistics
import struct
import time

import trio
from nacl.signing import SigningKey

from node.constants import RateLimits
from node.transport.interface import Frame, Gossip, TransportEvent
from node.transport.libp2p.adapter import Libp2pTransport

CELL_ID = hashlib.sha256(b"benchmark cell").digest()
FRAME = bytes(300)
GOSSIP_PER_S = 20
UNLIMITED = RateLimits(
    frames_per_peer=1e9,
    frames_burst=1e9,
    requests_per_peer=1e9,
    requests_burst=1e9,
    bytes_per_peer=1e12,
    bytes_burst=1e12,
)


def cpu_seconds() -> float:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def frames_per_second(one: Libp2pTransport, other: Libp2pTransport, seconds: float) -> float:
    """300-byte frames from one to the other, as fast as the queue takes them."""
    received = 0

    async def count() -> None:
        nonlocal received
        async for event in other.events:
            received += isinstance(event, Frame)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        with trio.move_on_after(seconds):
            while True:
                if not one.send(other.own_key, FRAME):
                    await trio.sleep(0.002)
        nursery.cancel_scope.cancel()
    return received / seconds


async def requests_per_second(one: Libp2pTransport, other: Libp2pTransport, seconds: float) -> float:
    """Small requests, one after the other."""
    answered = 0
    with trio.move_on_after(seconds):
        while True:
            await one.request(other.own_key, FRAME, 5.0)
            answered += 1
    return answered / seconds


async def gossip_latency(nodes: list[Libp2pTransport], seconds: float) -> dict[str, float]:
    """Milliseconds from publishing at the first node to delivery at the others, and the share delivered."""
    latencies: list[float] = []

    def note(event: TransportEvent) -> None:
        if isinstance(event, Gossip):
            latencies.append(time.perf_counter() - struct.unpack_from("d", event.data)[0])

    async def collect(node: Libp2pTransport) -> None:
        async for event in node.events:
            note(event)

    published, before = 0, cpu_seconds()
    async with trio.open_nursery() as nursery:
        for node in nodes[1:]:
            nursery.start_soon(collect, node)
        with trio.move_on_after(seconds):
            while True:
                await nodes[0].publish("entries", struct.pack("d", time.perf_counter()) + FRAME)
                published += 1
                await trio.sleep(1 / GOSSIP_PER_S)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    ordered = sorted(latencies)
    return {
        "gossip_delivered": len(latencies) / (published * (len(nodes) - 1)),
        "gossip_ms_p50": 1000 * statistics.median(ordered),
        "gossip_ms_p99": 1000 * ordered[int(len(ordered) * 0.99)],
        "gossip_cpu_ms_per_delivery": 1000 * (cpu_seconds() - before) / len(latencies),
    }


async def bare_tcp_frames_per_second(seconds: float) -> float:
    """The reference: the same frames, each written and counted at the other end, without any of this."""
    received = 0

    async def count(stream: trio.SocketStream) -> None:
        nonlocal received
        async for data in stream:
            received += len(data)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(functools.partial(trio.serve_tcp, count, 0, host="127.0.0.1"))
        stream = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
        with trio.move_on_after(seconds):
            while True:
                await stream.send_all(FRAME)
        nursery.cancel_scope.cancel()
    return received / len(FRAME) / seconds


async def main(count: int, seconds: float) -> None:
    """Run everything and print one JSON object."""

    async def echo(_peer: bytes, request: bytes) -> bytes:
        return request

    keys = [SigningKey(hashlib.sha256(b"%d" % number).digest()) for number in range(count)]
    nodes = [Libp2pTransport(key, CELL_ID, ["/ip4/127.0.0.1/tcp/0"], rates=UNLIMITED) for key in keys]
    figures: dict[str, float] = {
        "nodes": count,
        "bare_tcp_frames_per_s": await bare_tcp_frames_per_second(seconds),
    }
    async with trio.open_nursery() as nursery:
        addresses = {node.own_key: await nursery.start(node.run) for node in nodes}
        started = time.perf_counter()
        for node in nodes:
            node.serve(echo)
            node.set_members(addresses)
        while any(len(node.peers()) < count - 1 for node in nodes):
            await trio.sleep(0.01)
        figures["all_connected_s"] = time.perf_counter() - started
        figures["frames_per_s"] = await frames_per_second(nodes[0], nodes[1], seconds)
        figures["requests_per_s"] = await requests_per_second(nodes[0], nodes[1], seconds)
        before = cpu_seconds()
        await trio.sleep(seconds)
        figures["idle_cpu_share_per_node"] = (cpu_seconds() - before) / seconds / count
        figures |= await gossip_latency(nodes, seconds)
        nursery.cancel_scope.cancel()
    print(json.dumps({name: round(figure, 4) for name, figure in figures.items()}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    trio.run(main, arguments.nodes, arguments.seconds)
