"""Shell: runs a testnet through the disturbances of a plan, and checks afterwards what must hold whatever happened.

The plan is exact; when a process notices something is not. A disturbance waits until the cell can bear it, so that at
most f nodes are disturbed at one time, counting those that are not back yet, unless the plan is a surge.
"""

import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, TypedDict

import trio

from node.configuration.config_file import config_text
from node.founding.founding import CONFIG_FILE
from sim.homes.neighbourhood import Neighbourhood
from sim.testnet.chaos_actions import Field, come_back, disturb
from sim.testnet.chaos_checks import (
    different_blocks,
    missed_intervals,
    signed_twice,
    unbalanced,
)
from sim.testnet.chaos_plan import LAST, LINK_ACTIONS, Action, Disturbance, faults, plan
from sim.testnet.layout import ASIDE_DIRECTORY
from sim.testnet.links import LOOPBACK, Link
from sim.testnet.loaded_program import LoadedProgram
from sim.testnet.preparation import Parameters, Prepared, prepare
from sim.testnet.processes import Daemon, stop_all
from sim.testnet.run import (
    CONNECT_PER_NODE_S,
    CONNECT_S,
    PATIENCE_S,
    SETTLING_INTERVALS,
    Progress,
    last_interval,
    until_ready,
)
from sim.testnet.summary import Summary, audit, summarise
from sim.testnet.waiting import POLL_S

SILENCE_INTERVALS: Final = 2
SILENCE_S: Final = 10.0
"""Within so many intervals and real seconds the cell decides a block while at most f nodes are disturbed: one interval
is regular, one may be lost, and the rest is for rounds without a proposer on few cores."""


class Invariant(TypedDict):
    """Whether it held, and what was found against it."""

    holds: bool
    found: list[str]


class ChaosReport(TypedDict):
    """What was done and what held; docs/reports.md says what each key is."""

    seed: int
    planned: list[dict[str, object]]
    carried_out: list[dict[str, object]]
    blocks: int
    missed_intervals: int
    longest_silence_s: float
    allowed_silence_s: float
    invariants: dict[str, Invariant]


class ChaosSummary(Summary):
    """The summary of a testnet that was disturbed. `ok` holds only if all invariants do."""

    chaos: ChaosReport


@dataclass(slots=True)
class Done:
    """A disturbance that was carried out: real seconds after the first gate of its beginning and of the return."""

    disturbance: Disturbance
    began_s: float
    back_s: float | None = None


@dataclass(slots=True)
class Silence:
    """How long the cell decided nothing while at most f nodes were disturbed."""

    longest_s: float = 0.0
    height: int = 0
    since: float | None = None

    def look(self, height: int, now: float, *, excused: bool) -> None:
        """Take the highest block of all nodes; time counts from the first block on and while it is not excused."""
        if self.since is not None and not excused:
            self.longest_s = max(self.longest_s, now - self.since)
        if height > self.height or (excused and self.since is not None):
            self.height, self.since = height, now


@dataclass(slots=True)
class Run:
    """A chaos run while it goes on. `gate` is the moment of the first gate."""

    prepared: Prepared
    parameters: Parameters
    cell: Field
    planned: tuple[Disturbance, ...]
    gate: float
    say: Callable[[str], None]
    done: list[Done] = field(default_factory=list)
    silence: Silence = field(default_factory=Silence)
    lost: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    _cost: int = 0
    _surging: bool = False

    async def disturbances(self) -> None:
        """Carry out the plan: each at its time, or as soon as the cell can bear it; what comes too late is left out."""
        async with trio.open_nursery() as nursery:
            for disturbance in self.planned:
                await trio.sleep_until(self.gate + disturbance.at * self.cell.interval_real_s)
                while not self._can_bear(disturbance):
                    await trio.sleep(POLL_S)
                rest = (
                    self.parameters.intervals - (trio.current_time() - self.gate) / self.cell.interval_real_s
                )
                if self.cell.finished or disturbance.duration + LAST / 2 > rest:
                    self.say(f"chaos: no time left for {self._text(disturbance)}")
                    continue
                nursery.start_soon(self._one, self._begin(disturbance))

    def _can_bear(self, disturbance: Disturbance) -> bool:
        tolerated = faults(len(self.cell.daemons))
        if self._surging or self._names(disturbance) & self.cell.busy.keys():
            return False
        return self._cost == 0 or self._cost + disturbance.cost <= tolerated

    def _begin(self, disturbance: Disturbance) -> Done:
        self.say(f"chaos: {self._text(disturbance)} for {disturbance.duration:g} intervals")
        self._cost += disturbance.cost
        self._surging = disturbance.cost > faults(len(self.cell.daemons))
        self.cell.busy |= dict.fromkeys(self._names(disturbance), disturbance)
        self.done.append(Done(disturbance, trio.current_time() - self.gate))
        return self.done[-1]

    async def _one(self, done: Done) -> None:
        disturbance = done.disturbance
        await disturb(self.cell, disturbance)
        if await come_back(self.cell, disturbance):
            done.back_s = trio.current_time() - self.gate
            self.say(f"chaos: {self._text(disturbance)} is over")
        else:
            self.lost.append(f"{self._text(disturbance)}: not back {self.cell.patience_s:g} s after its end")
        self._cost -= disturbance.cost
        self._surging = False
        for name in self._names(disturbance):
            del self.cell.busy[name]

    async def watch(self, progress: Progress) -> None:
        """Follow the daemons until all have covered the last interval, one ends by itself, or time is up."""
        last = self.cell.last
        rounds = self.parameters.intervals + SETTLING_INTERVALS + 1
        until = self.gate + rounds * self.cell.interval_real_s + self.cell.patience_s + PATIENCE_S
        while True:
            for daemon in self.cell.daemons:
                self._look_at(daemon)
            excused = self._surging or self.cell.finished
            self.silence.look(self.cell.height, trio.current_time(), excused=excused)
            progress(self.prepared, self.cell.daemons)
            behind = [daemon.name for daemon in self.cell.daemons if daemon.view.interval < last]
            if self.ended or (not behind and not self.cell.busy):
                return
            if trio.current_time() > until:
                self.late.append(f"{', '.join(behind)}: had not covered interval {last} when time was up")
                return
            await trio.sleep(POLL_S)

    def _look_at(self, daemon: Daemon) -> None:
        daemon.follow()
        if daemon.name not in self.cell.down and not daemon.running:
            assert daemon.process is not None
            reason = daemon.view.failure or "it said nothing"
            self.ended.append(f"{daemon.name} ended by itself with status {daemon.process.poll()}: {reason}")

    def _names(self, disturbance: Disturbance) -> set[str]:
        return {self.cell.daemons[node].name for node in disturbance.nodes}

    def _text(self, disturbance: Disturbance) -> str:
        between = "-" if disturbance.action in LINK_ACTIONS else ", "
        return f"{disturbance.action} {between.join(sorted(self._names(disturbance)))}"


async def run_chaos(
    directory: Path,
    parameters: Parameters,
    neighbourhood: Neighbourhood,
    progress: Progress,
    chaos_seed: int,
    say: Callable[[str], None],
) -> ChaosSummary:
    """Found, start, disturb, stop, verify. Raises as `run_testnet`, and ValueError without room for a plan."""
    planned = plan(chaos_seed, parameters.nodes, parameters.intervals)
    prepared = prepare(directory, parameters, neighbourhood)
    try:
        run, statuses = await _processes(prepared, parameters, planned, progress, say)
    except BaseExceptionGroup as group:
        raise _cause(group) from None
    return await trio.to_thread.run_sync(_result, chaos_seed, run, statuses)


async def _processes(
    prepared: Prepared,
    parameters: Parameters,
    planned: tuple[Disturbance, ...],
    progress: Progress,
    say: Callable[[str], None],
) -> tuple[Run, dict[str, int]]:
    with LoadedProgram() as loaded:
        async with trio.open_nursery() as nursery:
            daemons = [Daemon(node, loaded) for node in prepared.nodes]
            links = await _lay_links(prepared, nursery)
            try:
                for daemon in daemons:
                    daemon.start()
                await until_ready(daemons)
                connect_s = CONNECT_S + CONNECT_PER_NODE_S * len(daemons)
                prepared.start_clock(time.time_ns(), connect_s)
                last = last_interval(prepared, parameters)
                cell = Field(prepared.directory, daemons, links, prepared.interval_s / prepared.speed, last)
                run = Run(prepared, parameters, cell, planned, trio.current_time() + connect_s, say)
                async with trio.open_nursery() as chaos:
                    chaos.start_soon(run.disturbances)
                    await run.watch(progress)
                    chaos.cancel_scope.cancel()
            finally:
                statuses = await stop_all(daemons)
                for daemon in daemons:
                    daemon.follow()
            nursery.cancel_scope.cancel()
    return run, statuses


async def _lay_links(prepared: Prepared, nursery: trio.Nursery) -> list[Link]:
    """A link between every two nodes; each node's configuration then names the entrances of its links."""
    tables = {node.name: tomllib.loads((node / CONFIG_FILE).read_text("utf-8")) for node in prepared.nodes}
    names = sorted(tables)
    ports = {name: int(tables[name]["network"]["listen"].rpartition("/")[2]) for name in names}
    links = []
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            link = Link((first, second), (ports[first], ports[second]))
            await nursery.start(link.run)
            links.append(link)
            for near, far in ((first, second), (second, first)):
                address = f"/ip4/{LOOPBACK}/tcp/{link.entrance(near)}"
                tables[near]["network"]["peers"][far] = [address]
    for node in prepared.nodes:
        (node / CONFIG_FILE).write_text(config_text(tables[node.name]), "utf-8")
    return links


def _result(seed: int, run: Run, statuses: dict[str, int]) -> ChaosSummary:
    prepared, daemons = run.prepared, run.cell.daemons
    verdicts = audit(prepared.nodes)
    covered = all(daemon.view.interval >= run.cell.last for daemon in daemons)
    views = {daemon.name: daemon.view for daemon in daemons}
    summary = summarise(
        prepared.directory,
        views,
        verdicts,
        run.parameters.intervals,
        statuses,
        covered=covered,
    )
    asides = [path for path in sorted((prepared.directory / ASIDE_DIRECTORY).glob("*")) if path.is_dir()]
    allowed_s = SILENCE_INTERVALS * run.cell.interval_real_s + SILENCE_S
    silent = run.silence.longest_s > allowed_s
    found = {
        "same_blocks": different_blocks(verdicts),
        "ledgers_verify": [f"{verdict.name}: {verdict.fault}" for verdict in verdicts if verdict.fault],
        "nothing_signed_twice": signed_twice([*prepared.nodes, *asides], prepared.genesis),
        "money_sums_to_zero": unbalanced(verdicts),
        "restored_only_read_or_rejoin": run.cell.found,
        "blocks_go_on": [f"no block for {run.silence.longest_s:.1f} s"] if silent else [],
        "all_come_back": [*run.lost, *run.late],
        "none_ends_by_itself": run.ended,
    }
    report: ChaosReport = {
        "seed": seed,
        "planned": [_line(disturbance) for disturbance in run.planned],
        "carried_out": [
            _line(done.disturbance)
            | {
                "began_s": round(done.began_s, 2),
                "back_s": None if done.back_s is None else round(done.back_s, 2),
            }
            for done in run.done
        ],
        "blocks": summary["blocks"],
        "missed_intervals": missed_intervals(prepared.nodes[0]),
        "longest_silence_s": round(run.silence.longest_s, 2),
        "allowed_silence_s": allowed_s,
        "invariants": {name: {"holds": not faults_, "found": faults_} for name, faults_ in found.items()},
    }
    holds = all(not each for each in found.values())
    return {**summary, "ok": summary["ok"] and holds and bool(run.done), "chaos": report}


def _line(disturbance: Disturbance) -> dict[str, object]:
    """A disturbance as JSON has it; nodes as their directories are called."""
    line = asdict(disturbance)
    line["action"] = str(disturbance.action)
    line["nodes"] = [f"home-{node + 1:02d}" for node in disturbance.nodes]
    if disturbance.action is not Action.SLOW:
        del line["delays_s"], line["bytes_per_s"]
    return line


def _cause(error: BaseException) -> BaseException:
    """The leaf of an exception group that says most: anything before a cancellation."""
    while isinstance(error, BaseExceptionGroup):
        known = [each for each in error.exceptions if not isinstance(each, trio.Cancelled)]
        error = known[0] if known else error.exceptions[0]
    return error
