"""Shell: carries out one disturbance of a testnet: signals to processes, conditions of links, old files in new places.

Whatever a restored directory wrote, and whatever it replaced, is kept beside the nodes, so that the votes in it can be
compared with those of all others.
"""

import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, assert_never

import trio

from ledger.files.directory import AGREEMENT_LOG_FILE, GUARD_FILE, LEDGER_FILE
from sim.testnet.chaos_plan import Action, Disturbance
from sim.testnet.layout import ASIDE_DIRECTORY, DAEMON_LOG
from sim.testnet.links import Break, Condition, Flow, Link
from sim.testnet.processes import Daemon
from sim.testnet.waiting import until

RETURN_S: Final = 45.0
"""Real seconds, beyond some intervals, within which a node is back after its disturbance has ended, on few cores."""

RETURN_INTERVALS: Final = 4
"""A validator waits out a height or two intervals, then shows that it decides two more."""

BLOCKS_TO_SHOW: Final = 2
"""Blocks that a node has to decide itself before it counts as back."""


@dataclass(slots=True)
class Field:
    """What disturbances act on. The cell agrees up to interval `last` and then rests.

    `down` are nodes whose daemons are expected not to run; `busy` says by which disturbance a node is disturbed, until
    it is back; `found` is what went against the design.
    """

    directory: Path
    daemons: list[Daemon]
    links: list[Link]
    interval_real_s: float
    last: int
    down: set[str] = field(default_factory=set)
    busy: dict[str, Disturbance] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    _asides: int = 0

    @property
    def height(self) -> int:
        """The highest block that any node has logged."""
        return max(daemon.view.height for daemon in self.daemons)

    @property
    def finished(self) -> bool:
        """Whether a node has logged the block of the last interval."""
        return any(daemon.view.interval >= self.last for daemon in self.daemons)

    @property
    def patience_s(self) -> float:
        """Real seconds within which a node is back."""
        return RETURN_S + RETURN_INTERVALS * self.interval_real_s

    def aside(self, daemon: Daemon, what: str) -> Path:
        """A new place for what a node's directory held; its directory exists."""
        self._asides += 1
        path = self.directory / ASIDE_DIRECTORY / f"{self._asides:02d}-{daemon.name}-{what}"
        path.parent.mkdir(exist_ok=True)
        return path

    def backup(self, daemon: Daemon) -> Path:
        """Where the last stop left a copy of the node's directory."""
        return self.directory / ASIDE_DIRECTORY / f"backup-{daemon.name}"


async def disturb(cell: Field, disturbance: Disturbance) -> None:
    """Begin, wait, and end a disturbance. What goes against the design is noted in `cell.found`."""
    daemons = [cell.daemons[node] for node in disturbance.nodes]
    lasts_s = disturbance.duration * cell.interval_real_s
    match disturbance.action:
        case Action.KILL | Action.POWER_CUT:
            await _kill(cell, daemons, lasts_s, power=disturbance.action is Action.POWER_CUT)
        case Action.PAUSE:
            await _pause(daemons, lasts_s)
        case Action.STOP:
            await _stop(cell, daemons[0])
            await trio.to_thread.run_sync(_back_up, cell, daemons[0])
            await trio.sleep(lasts_s)
            _start(cell, daemons[0])
        case Action.OLD_COPY:
            await _old_copy(cell, daemons[0], lasts_s)
        case Action.LOST_GUARD:
            await _lost_guard(cell, daemons[0], lasts_s)
        case Action.LOST_LEDGER:
            await _lost_ledger(cell, daemons[0], lasts_s)
        case Action.ISOLATE | Action.CUT | Action.RESET | Action.SLOW:
            await _break_links(cell, disturbance, lasts_s)
        case _:
            assert_never(disturbance.action)


async def come_back(cell: Field, disturbance: Disturbance) -> bool:
    """Whether the nodes of a disturbance that has ended take part again in time: they are connected, and have decided
    some blocks or hold the last one."""
    target = cell.height + BLOCKS_TO_SHOW
    names = {cell.daemons[node].name for node in disturbance.nodes}

    def back() -> bool:
        whole = len(cell.daemons) - 1 - len(cell.busy.keys() - names)
        return all(
            (view := cell.daemons[node].view).active
            and view.peers >= whole
            and (view.decided >= target or view.interval >= cell.last)
            for node in disturbance.nodes
        )

    return await until(back, cell.patience_s)


async def _kill(cell: Field, daemons: list[Daemon], lasts_s: float, *, power: bool) -> None:
    for daemon in daemons:
        cell.down.add(daemon.name)
        daemon.cut_power() if power else daemon.signal(signal.SIGKILL)
    for daemon in daemons:
        await daemon.ended()
    await trio.sleep(lasts_s)
    for daemon in daemons:
        _start(cell, daemon)


async def _pause(daemons: list[Daemon], lasts_s: float) -> None:
    for daemon in daemons:
        daemon.signal(signal.SIGSTOP)
    await trio.sleep(lasts_s)
    for daemon in daemons:
        daemon.signal(signal.SIGCONT)


async def _stop(cell: Field, daemon: Daemon) -> None:
    cell.down.add(daemon.name)
    daemon.signal(signal.SIGTERM)
    status = await daemon.ended()
    if status != 0:
        cell.found.append(f"{daemon.name}: asked to stop, it ended with status {status}")


def _start(cell: Field, daemon: Daemon) -> None:
    """Start a daemon; what its last run said of itself says nothing of this one."""
    daemon.follow()
    view = daemon.view
    view.ready, view.active, view.peers, view.read_only, view.behind_guard = False, False, 0, None, False
    daemon.start()
    cell.down.discard(daemon.name)


def _back_up(cell: Field, daemon: Daemon) -> None:
    backup = cell.backup(daemon)
    shutil.rmtree(backup, ignore_errors=True)
    shutil.copytree(daemon.directory, backup, ignore=shutil.ignore_patterns("*.sock"))


async def _old_copy(cell: Field, daemon: Daemon, lasts_s: float) -> None:
    """The whole backup runs, guard included: peers know better, so it only reads. Then the newest comes back.

    Where nothing was signed since the backup, it has forgotten nothing: it takes part again, and stays. Peers can only
    show what has reached them, so it begins a block after the node came back from its last stop.
    """
    view, height = daemon.view, cell.height
    await _settled(cell, lambda: view.active and view.decided > height)
    await _stop(cell, daemon)
    newest, old = cell.aside(daemon, "newest"), cell.aside(daemon, "old-copy")
    daemon.directory.rename(newest)
    await trio.to_thread.run_sync(shutil.copytree, cell.backup(daemon), daemon.directory)
    shutil.copy(newest / DAEMON_LOG, daemon.directory)  # the log is followed from where it was
    if (newest / GUARD_FILE).read_bytes() == (daemon.directory / GUARD_FILE).read_bytes():
        _start(cell, daemon)
        return
    await _reads_only(cell, daemon, lasts_s, "an old copy")
    shutil.copy(daemon.directory / DAEMON_LOG, newest)
    daemon.directory.rename(old)
    newest.rename(daemon.directory)
    _start(cell, daemon)


async def _lost_guard(cell: Field, daemon: Daemon, lasts_s: float) -> None:
    """Without its guard a node only reads. Its very guard comes back: nothing was signed meanwhile."""
    await _stop(cell, daemon)
    aside = cell.aside(daemon, "guard")
    (daemon.directory / GUARD_FILE).rename(aside)
    await _reads_only(cell, daemon, lasts_s, "without its guard")
    aside.rename(daemon.directory / GUARD_FILE)
    _start(cell, daemon)


async def _reads_only(cell: Field, daemon: Daemon, lasts_s: float, what: str) -> None:
    """Start, expect that nothing is signed, let it read for a while, and stop."""
    _start(cell, daemon)
    view = daemon.view
    await _settled(cell, lambda: view.active or view.read_only is not None)
    if view.read_only is None:
        said = (
            "became active" if view.active else f"did not say within {cell.patience_s:g} s that it only reads"
        )
        cell.found.append(f"{daemon.name}: {what} was started and {said}")
    await trio.sleep(lasts_s)
    if view.active and view.read_only is not None:
        cell.found.append(f"{daemon.name}: {what} was to read only and became active")
    await _stop(cell, daemon)


async def _lost_ledger(cell: Field, daemon: Daemon, lasts_s: float) -> None:
    """The peers give the ledger back. What was signed and never sent does not come back: then the node only reads,
    until it gets the files that were lost."""
    await _stop(cell, daemon)
    lost = _take_ledger(daemon, cell.aside(daemon, "lost-ledger"))
    await trio.sleep(lasts_s)
    _start(cell, daemon)
    view = daemon.view
    await _settled(cell, lambda: view.active)
    if view.active:
        return
    if not view.behind_guard:
        cell.found.append(f"{daemon.name}: without its ledger it neither came back nor said what it lacks")
    await _stop(cell, daemon)
    _take_ledger(daemon, cell.aside(daemon, "unfinished-ledger"))
    for path in lost.iterdir():
        shutil.copy(path, daemon.directory)
    _start(cell, daemon)


async def _settled(cell: Field, condition: Callable[[], bool]) -> None:
    await until(condition, cell.patience_s)


def _take_ledger(daemon: Daemon, aside: Path) -> Path:
    """Move ledger and write-ahead log out of a node's directory."""
    aside.mkdir()
    for path in [*daemon.directory.glob(f"{LEDGER_FILE}*"), daemon.directory / AGREEMENT_LOG_FILE]:
        with suppress(FileNotFoundError):
            path.rename(aside / path.name)
    return aside


async def _break_links(cell: Field, disturbance: Disturbance, lasts_s: float) -> None:
    names = [cell.daemons[node].name for node in disturbance.nodes]
    chosen = [link for link in cell.links if set(names) <= set(link.ends)]
    try:
        for link in chosen:
            link.impose(disturbance, _condition(disturbance, forward=link.ends[0] == names[0]))
        await trio.sleep(lasts_s)
    finally:
        for link in chosen:
            link.lift(disturbance)


def _condition(disturbance: Disturbance, *, forward: bool) -> Condition:
    match disturbance.action:
        case Action.RESET:
            return Condition(Break.RESET)
        case Action.SLOW:
            there, back = map(Flow, disturbance.delays_s, disturbance.bytes_per_s)
            return Condition(None, (there, back) if forward else (back, there))
        case _:
            return Condition(Break.SILENT)
