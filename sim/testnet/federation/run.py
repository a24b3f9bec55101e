"""Shell: runs a testnet of several cells from its foundation to the comparison of their ledgers."""

import time
from collections.abc import Callable
from pathlib import Path

import trio

from sim.homes.neighbourhood import Neighbourhood
from sim.testnet.federation.founding import dealt, found_cells
from sim.testnet.federation.summary import CellsSummary, summarise_cells
from sim.testnet.loaded_program import LoadedProgram
from sim.testnet.preparation import Parameters, Prepared
from sim.testnet.processes import Daemon, stop_all
from sim.testnet.run import CONNECT_PER_NODE_S, CONNECT_S, until_ready, watch

Progress = Callable[[tuple[str, ...], list[list[Daemon]], int], None]
"""Told a few times a second: the cells' names, their daemons, and the first interval that trades."""


async def run_cells(
    directory: Path,
    parameters: Parameters,
    neighbourhood: Neighbourhood,
    streets: int,
    loss: int,
    progress: Progress,
) -> CellsSummary:
    """Found, start, watch, stop, verify, compare. Raises `ConfigError` and `TestnetError`."""
    with LoadedProgram() as loaded:
        founded = found_cells(directory, parameters, neighbourhood, dealt(neighbourhood, streets), loss)
        daemons = [[Daemon(node, loaded) for node in cell.nodes] for cell in founded.cells]
        everyone = [daemon for cell in daemons for daemon in cell]

        def seen(prepared: Prepared, _: list[Daemon]) -> None:
            progress(founded.names, daemons, prepared.first_interval)

        try:
            for daemon in everyone:
                daemon.start()
            await until_ready(everyone)
            connect_s = CONNECT_S + CONNECT_PER_NODE_S * len(everyone)
            founded.start_clock(time.time_ns(), connect_s)
            await watch(founded.district, everyone, parameters, connect_s, seen)
        finally:
            statuses = await stop_all(everyone)
            for daemon in everyone:
                daemon.follow()
    return await trio.to_thread.run_sync(summarise_cells, founded, daemons, statuses, parameters.intervals)
