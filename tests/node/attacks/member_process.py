"""A member in a process of its own, which a test can stop: `member_process.py NUMBER PORT PEER_NUMBER PEER_ADDRESS`."""

import sys

import trio
from transport_cells import CELL_ID, IMPATIENT, public_key, signing_key

from node.transport.libp2p.adapter import Libp2pTransport


async def main(number: int, port: int, peer_number: int, peer_address: str) -> None:
    """Answer every frame of the peer with the same frame, until killed."""
    transport = Libp2pTransport(
        signing_key(number), CELL_ID, [f"/ip4/127.0.0.1/tcp/{port}"], patience=IMPATIENT
    )
    transport.set_members({public_key(peer_number): (peer_address,)})
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        async for event in transport.events:
            data = getattr(event, "data", None)
            if data is not None:
                transport.broadcast(data)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
