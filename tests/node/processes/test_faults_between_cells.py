"""Two cells of real daemons cosign each other's logs, and go on where they were after one lost power."""

import json
import socket
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, ended, found

from ledger.files.directory import COSIGNATURES_FILE, GENESIS_FILE
from ledger.witnesses.cosignatures import load_cosignatures
from node.founding.founding import CONFIG_FILE
from node.views.proving import What, prove
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_neighbours(one: Cell, other: Cell) -> None:
    """Configure the first node of each cell as witness of the other's."""
    ports = {cell.prepared.directory: free_port() for cell in (one, other)}
    for cell, neighbour in ((one, other), (other, one)):
        daemon, witness = cell.daemons[0], neighbour.daemons[0]
        port = ports[neighbour.prepared.directory]
        path = daemon.directory / CONFIG_FILE
        path.write_text(
            path.read_text("utf-8")
            + f"""
[witness]
listen = "/ip4/127.0.0.1/tcp/{ports[cell.prepared.directory]}"

[[witness.cells]]
genesis = "{neighbour.prepared.directory / "cell" / GENESIS_FILE}"
peers = {{ "{witness.name}" = ["/ip4/127.0.0.1/tcp/{port}"] }}
""",
            "utf-8",
        )


def witnessed(daemon: Daemon, cell: Cell) -> int:
    """Up to which height the log of a daemon's cell is cosigned, as its directory shows."""
    found = load_cosignatures(daemon.directory / COSIGNATURES_FILE, cell.prepared.genesis.cell_id)
    return max((each.checkpoint.size for each in found.values()), default=0)


def logged(daemon: Daemon, event: str) -> list[dict[str, object]]:
    lines = (daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return [record for record in records if record.get("event") == event]


async def both_witnessed(one: Cell, other: Cell, height: int) -> None:
    def reached() -> bool:
        for cell in (one, other):
            cell.daemons[0].follow()
        return all(witnessed(cell.daemons[0], cell) >= height for cell in (one, other))

    seen = {cell.daemons[0].name: witnessed(cell.daemons[0], cell) for cell in (one, other)}
    assert await until(reached, 60), f"not witnessed up to {height}: {seen}"


def test_two_cells_cosign_each_other_and_go_on_after_a_power_cut(tmp_path: Path) -> None:
    one, other = found(tmp_path / "one", 1), found(tmp_path / "other", 1)
    assert one.prepared.genesis.cell_id != other.prepared.genesis.cell_id
    make_neighbours(one, other)

    async def scenario() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.start)
            nursery.start_soon(other.start)
        await both_witnessed(one, other, 2)
        cut = one.daemons[0]
        cut.cut_power()
        await one.restart(cut)
        again = max(witnessed(cell.daemons[0], cell) for cell in (one, other)) + 2
        await both_witnessed(one, other, again)
        for cell in (one, other):
            assert set((await cell.stop()).values()) == {0}

    with ended(one, other):
        trio.run(scenario)
    for cell, neighbour in ((one, other), (other, one)):
        cell.expect_sound()
        (daemon,) = cell.daemons
        key = next(member.feed_key for member in neighbour.prepared.genesis.members)
        held = load_cosignatures(daemon.directory / COSIGNATURES_FILE, cell.prepared.genesis.cell_id)
        assert set(held) == {key}
        proof = prove(daemon.directory, daemon.name, What.BALANCE, cell.prepared.genesis.first_interval + 1)
        proof.check(cell.prepared.genesis)
        assert [each.signer for each in proof.cosignatures()] == [key]
        assert logged(daemon, "witnessing") and logged(daemon, "cosigned")
        assert not logged(daemon, "witness_fork")
