"""Shell: runs a testnet from its foundation to its summary."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from sim.homes.neighbourhood import Neighbourhood
from sim.testnet.given_devices import give_devices
from sim.testnet.loaded_program import LoadedProgram
from sim.testnet.page_process import start_page
from sim.testnet.preparation import Parameters, Prepared, prepare
from sim.testnet.processes import Daemon, stop_all
from sim.testnet.summary import Summary, audit, summarise
from sim.testnet.waiting import TestnetError, until

READY_S = 120.0
"""Real seconds for all interpreters and libraries to be loaded, on few cores."""

CONNECT_S = 3.0
CONNECT_PER_NODE_S = 0.25
"""Real seconds from the start of the clock to the first gate: nodes connect, compare notes and bid."""

SETTLING_INTERVALS = 2
"""Intervals after the last trading one whose blocks settle the readings."""

PATIENCE_S = 20.0
"""Real seconds past the planned end that nodes may need to catch up."""

Progress = Callable[[Prepared, list[Daemon]], None]


async def run_testnet(
    directory: Path,
    parameters: Parameters,
    neighbourhood: Neighbourhood,
    progress: Progress,
    page_port: int | None = None,
    devices: Sequence[dict[str, object]] = (),
) -> Summary:
    """Found, start, watch, stop, verify. Returns the summary; `progress` is called a few times a second.

    With `page_port` a page of all nodes is served on that port of loopback meanwhile. The first node has `devices`
    besides its own.
    """
    with LoadedProgram() as loaded:
        prepared = prepare(directory, parameters, neighbourhood)
        if devices:
            give_devices(prepared.nodes[0], list(devices))
        daemons = [Daemon(node, loaded) for node in prepared.nodes]
        page = None if page_port is None else start_page(directory, page_port)
        try:
            for daemon in daemons:
                daemon.start()
            await until_ready(daemons)
            connect_s = CONNECT_S + CONNECT_PER_NODE_S * len(daemons)
            prepared.start_clock(time.time_ns(), connect_s)
            await watch(prepared, daemons, parameters, connect_s, progress)
        finally:
            statuses = await stop_all(daemons)
            if page is not None:
                page.terminate()
                page.wait()
            for daemon in daemons:
                daemon.follow()
    verdicts = await trio.to_thread.run_sync(audit, prepared.nodes)
    views = {daemon.name: daemon.view for daemon in daemons}
    covered = all(view.interval >= last_interval(prepared, parameters) for view in views.values())
    return summarise(directory, views, verdicts, parameters.intervals, statuses, covered=covered)


async def until_ready(daemons: list[Daemon]) -> None:
    """Wait until every daemon has opened its directory and loaded what it needs. Raises `TestnetError`."""

    def late() -> str:
        return ", ".join(daemon.name for daemon in daemons if not daemon.view.ready)

    def ready() -> bool:
        follow(daemons)
        return not late()

    if not await until(ready, READY_S):
        raise TestnetError(f"{late()}: not ready within {READY_S:g} s")


def follow(daemons: list[Daemon]) -> None:
    """Read what the daemons logged. Raises `TestnetError` when one has ended."""
    for daemon in daemons:
        daemon.follow()
        if not daemon.running:
            raise TestnetError(_gave_up(daemon))


async def watch(
    prepared: Prepared, daemons: list[Daemon], parameters: Parameters, connect_s: float, progress: Progress
) -> None:
    """Follow the daemons until all have covered the last interval. Raises `TestnetError` when one gave up."""
    last = last_interval(prepared, parameters)
    rounds = parameters.intervals + SETTLING_INTERVALS + 1
    planned_s = connect_s + rounds * prepared.interval_s / parameters.speed

    def late() -> str:
        return ", ".join(daemon.name for daemon in daemons if daemon.view.interval < last)

    def covered() -> bool:
        follow(daemons)
        progress(prepared, daemons)
        return not late()

    if not await until(covered, planned_s + PATIENCE_S):
        raise TestnetError(f"{late()}: had not covered interval {last} {PATIENCE_S:g} s after its time")


def last_interval(prepared: Prepared, parameters: Parameters) -> int:
    """The last interval that a block of this run covers."""
    return prepared.first_interval + parameters.intervals - 1 + SETTLING_INTERVALS


def _gave_up(daemon: Daemon) -> str:
    assert daemon.process is not None
    reason = daemon.view.failure or "it said nothing"
    return f"{daemon.name} ended with status {daemon.process.poll()}: {reason}; see {daemon.directory / 'daemon.log'}"
