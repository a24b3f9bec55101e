"""Shell: a home joins a cell of real processes while it trades, and another leaves.

Run as `python -m sim.testnet.newcomers --nodes 8`. The newcomer is in nobody's configuration. Exit status 0 only if it
trades and decides blocks, reaches everybody, the one that left is connected to nobody, no member that stays lost an
interval meanwhile, and all ledgers verify.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from cyclopts import App

from node.cli import membership
from node.founding.founding import CARD_FILE
from sim.homes.households import load_households
from sim.testnet.layout import CELL_DIRECTORY
from sim.testnet.preparation import Parameters, Prepared, prepare, prepare_newcomer
from sim.testnet.processes import Daemon, stop_all
from sim.testnet.run import CONNECT_PER_NODE_S, CONNECT_S, until_ready
from sim.testnet.summary import audit
from sim.testnet.waiting import TestnetError, until

INTERVALS = 60
"""That may trade; the run ends long before."""
WAIT_S = 120.0
"""Real seconds for each step, on few cores."""
BLOCKS_BETWEEN = 3

app = App(name="newcomers", help="A home joins a cell while it trades, and another leaves.")


@dataclass(frozen=True, slots=True)
class Seen:
    """Heights of the cell: when the change was announced and when it was seen to hold, for both changes."""

    announced: int
    joined: int
    removed: int
    left: int
    peers_of_newcomer: int


@app.default
def main(*, nodes: int = 8, speed: int = 600) -> None:
    """Run it in a directory of its own and print what came of it as one JSON object.

    Parameters
    ----------
    nodes
        Size of the cell before the newcomer.
    speed
        How many times faster than real time the cell's clock runs.
    """
    with TemporaryDirectory(prefix="wattswarm-newcomers-") as directory:
        result = trio.run(_run, Path(directory) / "cell", nodes, speed)
    sys.stdout.write(json.dumps(result) + "\n")
    sys.exit(0 if result["ok"] else 1)


async def _run(directory: Path, nodes: int, speed: int) -> dict[str, object]:
    neighbourhood = load_households("fontana", homes=nodes + 1, intervals=INTERVALS)
    *founding, late = neighbourhood.homes
    parameters = Parameters(nodes, INTERVALS, speed, "fontana", "summer", 0)
    prepared = prepare(directory, parameters, replace(neighbourhood, homes=tuple(founding)))
    newcomer = Daemon(prepare_newcomer(prepared, parameters, neighbourhood, late))
    founders = [Daemon(node) for node in prepared.nodes]
    try:
        for daemon in founders:
            daemon.start()
        await until_ready(founders)
        prepared.start_clock(time.time_ns(), CONNECT_S + CONNECT_PER_NODE_S * nodes)
        seen = await _change(prepared, founders, newcomer)
    finally:
        await stop_all([*founders, newcomer])
    return _result(prepared, founders, newcomer, seen)


async def _change(prepared: Prepared, founders: list[Daemon], newcomer: Daemon) -> Seen:
    """One joins, then one leaves; the cell goes on for some blocks before, between and after."""
    cell, carrier = prepared.directory / CELL_DIRECTORY, prepared.nodes[0]
    everybody = [*founders, newcomer]
    stays, leaver = founders[:-1], founders[-1]
    await _blocks(everybody, stays, BLOCKS_BETWEEN)
    newcomer.start()
    announced = stays[0].view.height
    with redirect_stdout(sys.stderr):
        membership.add(newcomer.directory / CARD_FILE, cell=cell, node=carrier)
    await _wait(everybody, lambda: newcomer.view.decided > announced, "the newcomer decides blocks")
    joined = stays[0].view.height
    await _wait(everybody, lambda: newcomer.view.peers == len(founders), "the newcomer reaches everybody")
    peers = newcomer.view.peers
    await _blocks(everybody, [*stays, newcomer], BLOCKS_BETWEEN)
    removed = stays[0].view.height
    with redirect_stdout(sys.stderr):
        membership.remove(leaver.name, cell=cell, node=carrier)
    await _wait(everybody, lambda: leaver.view.peers == 0, "nobody is connected to the one that left")
    left = stays[0].view.height
    await _blocks(everybody, [*stays, newcomer], BLOCKS_BETWEEN)
    return Seen(announced, joined, removed, left, peers)


async def _blocks(everybody: list[Daemon], of: list[Daemon], more: int) -> None:
    height = max(daemon.view.height for daemon in of) + more
    await _wait(everybody, lambda: all(daemon.view.height >= height for daemon in of), f"height {height}")


async def _wait(everybody: list[Daemon], condition: Callable[[], bool], what: str) -> None:
    """Follow the daemons until something is so. Raises `TestnetError`."""

    def seen() -> bool:
        for daemon in everybody:
            daemon.follow()
        return condition()

    if not await until(seen, WAIT_S):
        heights = {daemon.name: (daemon.view.height, daemon.view.peers) for daemon in everybody}
        raise TestnetError(f"not within {WAIT_S:g} s: {what}; heights and peers {heights}")


def _result(prepared: Prepared, founders: list[Daemon], newcomer: Daemon, seen: Seen) -> dict[str, object]:
    stays, leaver = founders[:-1], founders[-1]
    verdicts = audit((*prepared.nodes, newcomer.directory))
    longest = max((verdict.block_ids for verdict in verdicts), key=len)
    alike = all(verdict.block_ids == longest[: len(verdict.block_ids)] for verdict in verdicts)
    faults = {verdict.name: verdict.fault for verdict in verdicts if verdict.fault is not None}
    lost = sum(_intervals_lost(daemon, seen) for daemon in stays)
    return {
        "nodes": len(founders),
        "join_blocks": seen.joined - seen.announced,
        "leave_blocks": seen.left - seen.removed,
        "newcomer_peers": seen.peers_of_newcomer,
        "newcomer_decided": newcomer.view.decided - seen.announced,
        "leaver_height": leaver.view.height,
        "height": stays[0].view.height,
        "intervals_lost": lost,
        "agreed": alike,
        "verified": not faults,
        "faults": faults,
        "ok": alike and not faults and lost == 0,
    }


def _intervals_lost(daemon: Daemon, seen: Seen) -> int:
    """Intervals from the first change on that a member which stays did not decide with the others in time."""
    blocks = [block for height, block in daemon.view.blocks.items() if height >= seen.announced]
    covered = max(block.interval for block in blocks) - min(block.interval for block in blocks) + 1
    return covered - sum(block.agreement_ms is not None for block in blocks)


if __name__ == "__main__":
    app()
