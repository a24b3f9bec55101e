"""What strikes a cell of four: one loses power silently, one turns hostile, and then all are killed at once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, double_votes, ended, found
from wires import Wire

from ledger.directory import IDENTITY_KEY_FILE
from ledger.keys import load_key
from node.founding import CONFIG_FILE
from node.transport.libp2p.adapter import Libp2pTransport
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

DIES = str(Path(__file__).parent / "processes" / "daemon_that_dies.py")


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    """A cell of four, not started; nothing of it survives the test."""
    cell = found(tmp_path / "cell", 4)
    with ended(cell):
        yield cell


def port_of(daemon: Daemon) -> int:
    """Where a daemon listens."""
    text = (daemon.directory / CONFIG_FILE).read_text("utf-8")
    return int(text.split("listen = ")[1].split("/tcp/")[1].split('"')[0])


def reroute(daemon: Daemon, port: int, through: int) -> None:
    """Let a daemon reach whoever listens on a port through another one."""
    path = daemon.directory / CONFIG_FILE
    head, peers = path.read_text("utf-8").split("[network.peers]")
    assert f'/tcp/{port}"' in peers
    path.write_text(f"{head}[network.peers]" + peers.replace(f'/tcp/{port}"', f'/tcp/{through}"'), "utf-8")


async def wired(cell: Cell, victim: Daemon, nursery: trio.Nursery) -> list[Wire]:
    """Put a wire into every connection of one daemon, whoever opens it."""
    wires = []
    for other in cell.others(victim):
        for dialler, target in ((other, victim), (victim, other)):
            port = port_of(target)
            wire = Wire(lambda port=port: port)  # type: ignore[misc]
            await nursery.start(wire.run)
            reroute(dialler, port, wire.port)
            wires.append(wire)
    return wires


async def test_a_node_that_lost_power_without_closing_its_connections_trades_within_ten_seconds(
    cell: Cell,
) -> None:
    victim = cell.daemons[1]
    async with trio.open_nursery() as nursery:
        wires = await wired(cell, victim, nursery)
        await cell.start()
        await cell.blocks(1)
        for wire in wires:
            wire.cut()
        victim.cut_power()
        await victim.ended()
        await cell.blocks(1, cell.others(victim))
        await cell.restart(victim)
        await cell.trades_again(victim, timeout_s=10)
        assert set((await cell.stop()).values()) == {0}
        nursery.cancel_scope.cancel()
    cell.expect_sound()


async def test_a_hostile_member_is_counted_and_the_others_go_on(cell: Cell, nursery: trio.Nursery) -> None:
    hostile, *honest = cell.daemons
    await cell.start_some(honest)
    key = load_key(hostile.directory / IDENTITY_KEY_FILE, None)
    attacker = Libp2pTransport(key, cell.prepared.genesis.cell_id, [f"/ip4/127.0.0.1/tcp/{port_of(hostile)}"])
    attacker.set_members(
        {
            founding.feed_key: (f"/ip4/127.0.0.1/tcp/{port_of(daemon)}",)
            for daemon in honest
            for founding in cell.prepared.genesis.members
            if founding.name.decode() == daemon.name
        }
    )
    await nursery.start(attacker.run)
    await cell.wait(lambda: len(attacker.peers()) == len(honest), 20, "the hostile member is connected")
    for number in range(40):
        garbage = bytes((number * 7 + place) % 256 for place in range(number * 5))
        await attacker.publish("entries", garbage)
        await attacker.publish("capacity", garbage)
        attacker.broadcast(garbage)
    refused = 0
    for peer in attacker.peers():
        try:
            await attacker.request(peer, b"\x9f\xff garbage", 3.0)
        except Exception:  # noqa: BLE001 - any refusal will do
            refused += 1
    assert refused == len(honest)
    await cell.blocks(3, honest)
    await cell.stop()
    for daemon in honest:
        dropped = daemon.view.usage["dropped"]
        assert isinstance(dropped, dict)
        assert {name.partition("_")[0] for name in dropped} >= {"entry", "gossip", "frame", "request"}
    assert double_votes(honest) == []


async def test_a_block_decided_just_before_a_common_blackout_is_decided_again(cell: Cell) -> None:
    for daemon in cell.daemons:
        daemon.start(program=(DIES, "a block is decided and not committed"))
    await cell.wait(lambda: all(daemon.view.ready for daemon in cell.daemons), 90, "all are ready")
    cell.prepared.start_clock(time.time_ns(), 4.0)
    await cell.wait(lambda: sum(daemon.running for daemon in cell.daemons) <= 1, 60, "the lights are out")
    for daemon in cell.daemons:
        daemon.cut_power()
        await daemon.ended()
    async with trio.open_nursery() as nursery:
        for daemon in cell.daemons:
            nursery.start_soon(cell.restart, daemon)
    await cell.trades_again(cell.daemons[0])
    assert set((await cell.stop()).values()) == {0}
    cell.expect_sound()
