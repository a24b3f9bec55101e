"""Shell: a cell of real daemons that runs as long as something is measured beside it."""

import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from devices.cell_clock import ClockSpec
from node.configuration.config_file import config_text
from node.founding.founding import CONFIG_FILE
from sim.homes.households import load_households
from sim.testnet.preparation import Parameters, Prepared, prepare
from sim.testnet.processes import Daemon, stop_all
from sim.testnet.run import CONNECT_PER_NODE_S, CONNECT_S, follow, until_ready
from sim.testnet.waiting import TestnetError, until

NS_PER_S = 1_000_000_000
SPEED = 1200
"""An hour of cell time in three seconds."""
INTERVALS = 150
"""More intervals than any measurement takes: seven and a half minutes."""
BLOCKS_S = 60.0

Change = Callable[[dict[str, Any], Prepared], None]


@dataclass
class LiveCell:
    """A running cell of measured homes; `daemons` follow their logs when `follow` is called."""

    prepared: Prepared
    daemons: list[Daemon]
    clock: ClockSpec

    @property
    def interval_real_s(self) -> float:
        """Real seconds that an interval takes."""
        return self.prepared.interval_s / self.prepared.speed

    @property
    def height(self) -> int:
        """The last block that every node has decided."""
        follow(self.daemons)
        return min(daemon.view.height for daemon in self.daemons)

    async def blocks(self, more: int) -> None:
        """Wait until every node has decided so many more blocks. Raises `TestnetError`."""
        wanted = self.height + more
        if not await until(lambda: self.height >= wanted, BLOCKS_S + more * self.interval_real_s):
            raise TestnetError(f"no {more} blocks in time")

    def real_ns(self, cell_ns: int) -> int:
        """The monotonic time at which it is so late in the cell."""
        return self.clock.wall_ns(cell_ns) - time.time_ns() + time.monotonic_ns()

    def interval_ends(self, first_ns: int, last_ns: int) -> list[int]:
        """The monotonic times between two at which intervals end; control goes round once more then."""
        length_ns = self.prepared.interval_s * NS_PER_S
        first = self.prepared.first_interval
        ends = (self.real_ns(interval * length_ns) for interval in range(first, first + INTERVALS))
        return [end for end in ends if first_ns < end < last_ns]

    @staticmethod
    def monotonic_ns() -> int:
        """Real time, as all processes of this machine see it."""
        return time.monotonic_ns()

    def agreement_ms(self, heights: range) -> list[float]:
        """How long every node waited for each of these blocks, from the opening of its height on."""
        blocks = (block for daemon in self.daemons for block in daemon.view.blocks.values())
        return [
            block.agreement_ms
            for block in blocks
            if block.height in heights and block.agreement_ms is not None
        ]


@asynccontextmanager
async def live_cell(
    directory: Path, nodes: int, change_first: Change, speed: int = SPEED
) -> AsyncIterator[LiveCell]:
    """A running cell in an empty directory, its first node's configuration changed as asked; stopped at the end.

    `change_first` gets the table of the file, to change it, and the cell. Entered once all nodes have decided a block.
    """
    homes = load_households("fontana", homes=nodes, intervals=INTERVALS)
    prepared = prepare(directory, Parameters(nodes, INTERVALS, speed, "fontana", "summer", 0), homes)
    change_config(prepared.nodes[0] / CONFIG_FILE, lambda table: change_first(table, prepared))
    daemons = [Daemon(node) for node in prepared.nodes]
    try:
        for daemon in daemons:
            daemon.start()
        await until_ready(daemons)
        prepared.start_clock(time.time_ns(), CONNECT_S + CONNECT_PER_NODE_S * nodes)
        cell = LiveCell(prepared, daemons, clock_of(prepared))
        await cell.blocks(1)
        yield cell
    finally:
        with trio.CancelScope(shield=True):
            await stop_all(daemons)


def clock_of(prepared: Prepared) -> ClockSpec:
    """The clock that all nodes of a started testnet share."""
    table = tomllib.loads(prepared.clock_path.read_text("utf-8"))
    return ClockSpec(table["start_wall_ns"], table["epoch_ns"], table["speed"])


def change_config(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write a configuration file anew, its table changed."""
    table = tomllib.loads(path.read_text("utf-8"))
    change(table)
    path.write_text(config_text(table), "utf-8")
