"""Every member of a cell of four is on two networks, and one of them dies without a word: no interval is lost."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, anchored, ended, found, port_of
from wires import Wire

from market.payloads import Kind
from node.configuration.config_file import config_text
from node.founding.founding import CONFIG_FILE
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

INTERVALS = 4


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    """A cell of four, not started; nothing of it survives the test."""
    cell = found(tmp_path / "cell", 4)
    with ended(cell):
        yield cell


async def on_two_networks(cell: Cell, nursery: trio.Nursery) -> list[Wire]:
    """Let every daemon listen at two addresses, the first of which others reach through a wire."""
    wires: dict[str, Wire] = {}
    for daemon in cell.daemons:
        port = port_of(daemon)
        wires[daemon.name] = Wire(lambda port=port: port)  # type: ignore[misc]
        await nursery.start(wires[daemon.name].run)
    second = {daemon.name: f"/ip4/127.0.0.2/tcp/{port_of(daemon)}" for daemon in cell.daemons}
    for daemon in cell.daemons:
        path = daemon.directory / CONFIG_FILE
        table = tomllib.loads(path.read_text("utf-8"))
        network = table["network"]
        network["listen"] = [network["listen"], second[daemon.name]]
        network["peers"] = {name: [wires[name].address, second[name]] for name in network["peers"]}
        path.write_text(config_text(table), "utf-8")
    return list(wires.values())


def network_counters(daemon: Daemon) -> dict[str, int]:
    """What the transport of a daemon that has ended counted."""
    counters = daemon.view.usage["network"]
    assert isinstance(counters, dict)
    return counters


async def test_a_network_that_dies_costs_no_member_an_interval(cell: Cell) -> None:
    async with trio.open_nursery() as nursery:
        wires = await on_two_networks(cell, nursery)
        await cell.start()
        await cell.blocks(1)
        for wire in wires:
            wire.die()
        first = cell.height + 1
        await cell.blocks(INTERVALS + 1)
        # Before anybody is told to stop: who is told last sees the others go.
        told = {daemon.name: (daemon.directory / DAEMON_LOG).read_text("utf-8") for daemon in cell.daemons}
        assert set((await cell.stop()).values()) == {0}
        nursery.cancel_scope.cancel()
    cell.expect_sound()
    for daemon in cell.daemons:
        blocks = [daemon.view.blocks[height] for height in range(first, first + INTERVALS)]
        assert [block.interval - blocks[0].interval for block in blocks] == list(range(INTERVALS))
        assert all(block.agreement_ms is not None and block.volume > 0 for block in blocks), blocks
        orders = anchored(cell.prepared, cell.daemons[0], cell.member(daemon), Kind.ORDER)
        assert {block.interval for block in blocks} <= set(orders), daemon.name
        events = [json.loads(line) for line in told[daemon.name].splitlines() if line.endswith("}")]
        assert any(event["event"] == "block" for event in events)
        assert not [event for event in events if event["event"] in ("local_fallback", "peer_lost")]
        assert network_counters(daemon)["frame_copies_received"] > 0
