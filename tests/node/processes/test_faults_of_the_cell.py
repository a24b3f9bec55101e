"""Power cuts in a cell of four: of one, whose connections stay open and silent, and of all at once."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, ended, found, port_of
from wires import Wire

from node.founding.founding import CONFIG_FILE
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

DIES = str(Path(__file__).parent / "daemon_that_dies.py")


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    """A cell of four, not started; nothing of it survives the test."""
    cell = found(tmp_path / "cell", 4)
    with ended(cell):
        yield cell


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
