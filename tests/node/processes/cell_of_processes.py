"""A small cell of real daemons for tests, founded as `wattswarm testnet` founds one, with homes that always trade."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import trio

from ledger.files.directory import IDENTITY_KEY_FILE, LEDGER_FILE
from ledger.files.keys import load_key
from ledger.records.blocks import decode_block
from ledger.records.entries import open_entry
from ledger.records.genesis import member_id
from ledger.signing import unseal
from market.payloads import Kind
from node.configuration.config_file import config_text
from node.founding.founding import CONFIG_FILE
from node.transport.libp2p.adapter import Libp2pTransport
from sim.homes.neighbourhood import CHALLENGE_BATTERY, Home, Neighbourhood, Prices
from sim.testnet.layout import DAEMON_LOG, NODES_DIRECTORY
from sim.testnet.loaded_program import LoadedProgram
from sim.testnet.preparation import Parameters, Prepared, prepare
from sim.testnet.processes import PROGRAM, Daemon, stop_all
from sim.testnet.summary import audit
from sim.testnet.waiting import until

INTERVAL_S = 3600
START_NS = 1_700_006_400 * 10**9
HISTORY = 48
RUN = 400
START_S = 90.0
"""Real seconds for daemons to start on a busy machine."""


def homes_that_trade(count: int) -> Neighbourhood:
    """Every second home has sun to sell at all hours, the others only consume; the first has a battery."""
    length = HISTORY + RUN
    homes = tuple(
        Home(
            id=f"home {number}",
            load=(900_000 + 50_000 * number,) * length,
            pv=(2_000_000 if number % 2 == 0 else 0,) * length,
            battery=CHALLENGE_BATTERY if number == 0 else None,
        )
        for number in range(count)
    )
    prices = Prices("EUR", (300_000,) * length, (50_000,) * length)
    return Neighbourhood("constant", "none", INTERVAL_S, START_NS, HISTORY, homes, prices)


@cache
def loaded() -> LoadedProgram:
    """What all daemons of a test process are forked of; it goes when that goes."""
    return LoadedProgram()


@dataclass
class Cell:
    """Daemons of one cell; `wait` follows their logs until something is so."""

    prepared: Prepared
    daemons: list[Daemon]

    @property
    def interval_real_s(self) -> float:
        return self.prepared.interval_s / self.prepared.speed

    @property
    def height(self) -> int:
        """The highest block that any node has logged."""
        return max(daemon.view.height for daemon in self.daemons)

    def others(self, *but: Daemon) -> list[Daemon]:
        return [daemon for daemon in self.daemons if daemon not in but]

    async def wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        def seen() -> bool:
            for daemon in self.daemons:
                daemon.follow()
            return condition()

        if not await until(seen, timeout_s):
            states = "; ".join(
                f"{daemon.name} running={daemon.running} height={daemon.view.height} decided={daemon.view.decided}"
                f" active={daemon.view.active} peers={daemon.view.peers} {daemon.view.failure or ''}"
                for daemon in self.daemons
            )
            raise AssertionError(f"not within {timeout_s:g} s: {what} ({states})")

    async def start(self, until_gate_s: float = 4.0) -> None:
        """Start every daemon, then the clock; wait for the first block everywhere."""
        await self.start_some(self.daemons, until_gate_s)

    async def start_some(self, daemons: list[Daemon], until_gate_s: float = 4.0) -> None:
        """Start these daemons, then the clock; wait for the first block."""
        for daemon in daemons:
            daemon.start()
        await self.wait(lambda: all(daemon.view.ready for daemon in daemons), START_S, "all are ready")
        self.prepared.start_clock(time.time_ns(), until_gate_s)
        await self.blocks(1, daemons)

    async def leave(self, daemon: Daemon) -> None:
        """Ask one to stop, and wait until it has."""
        daemon.signal(signal.SIGTERM)
        assert await daemon.ended() == 0

    async def restart(self, daemon: Daemon) -> None:
        """Start one again and wait until it takes part in the agreement."""
        starts = daemon.view.starts
        daemon.start()
        await self.wait(
            lambda: (daemon.view.starts > starts and daemon.view.active) or not daemon.running,
            START_S,
            f"{daemon.name} is back",
        )
        assert daemon.running, daemon.view.failure

    async def blocks(self, more: int, of: Iterable[Daemon] | None = None, timeout_s: float = 60.0) -> None:
        """Wait until so many more blocks are decided by all of these nodes (all nodes, if not said)."""
        waiting = list(self.daemons if of is None else of)
        height = self.height + more
        await self.wait(
            lambda: all(daemon.view.height >= height for daemon in waiting),
            timeout_s,
            f"{', '.join(daemon.name for daemon in waiting)} at height {height}",
        )

    async def trades_again(self, daemon: Daemon, timeout_s: float = 45.0) -> None:
        """Wait until a node has itself decided a block that contains an order it gave from now on."""
        witness = next((other for other in self.others(daemon) if other.running), daemon)
        member, known = self.member(daemon), self.height

        def last_order() -> int:
            return max(anchored(self.prepared, witness, member, Kind.ORDER), default=-1)

        before = last_order()
        await self.wait(
            lambda: daemon.view.decided > known and last_order() > before,
            timeout_s,
            f"{daemon.name} trades again",
        )

    async def only_reads(self, daemon: Daemon) -> str:
        """Wait until a daemon says that it signs nothing; returns why."""
        await self.wait(lambda: daemon.view.read_only is not None, START_S, f"{daemon.name} to read only")
        assert daemon.view.read_only is not None
        return daemon.view.read_only

    async def has_read_every_interval(self, daemon: Daemon) -> None:
        """Wait until the readings of a node are in the ledger up to now, and expect none missing and none twice."""
        witness, member = self.others(daemon)[0], self.member(daemon)
        last = daemon.view.interval

        def intervals() -> list[int]:
            return anchored(self.prepared, witness, member, Kind.READING)

        await self.wait(lambda: last in intervals(), 30, f"{daemon.name} has read interval {last}")
        found = intervals()
        assert found == list(range(found[0], found[-1] + 1)), found

    def member(self, daemon: Daemon) -> bytes:
        (key,) = (
            founding.feed_key
            for founding in self.prepared.genesis.members
            if founding.name.decode() == daemon.name
        )
        return member_id(key)

    def started(self, daemon: Daemon, program: Sequence[str] = PROGRAM) -> None:
        """Start a daemon; the clock, if nobody has started it, starts now."""
        if not self.prepared.clock_path.exists():
            self.prepared.start_clock(time.time_ns(), 3.0)
        daemon.start(program=program)

    def copy(self, directory: Path) -> "Cell":
        """The same cell with everything it has written, elsewhere."""
        shutil.copytree(self.prepared.directory, directory)
        nodes = tuple(directory / NODES_DIRECTORY / node.name for node in self.prepared.nodes)
        prepared = replace(self.prepared, directory=directory, nodes=nodes)
        return Cell(prepared, [Daemon(node, loaded()) for node in nodes])

    async def stop(self) -> dict[str, int]:
        """Stop all; the exit statuses by name."""
        statuses = await stop_all(self.daemons)
        for daemon in self.daemons:
            daemon.follow()
        return statuses

    def expect_sound(self) -> None:
        """No node signed twice, every ledger verifies, and all hold the same blocks as far as each goes."""
        assert double_votes(self.daemons) == []
        assert evidence(self.daemons) == set()
        self.expect_one_chain()

    def expect_one_chain(self) -> None:
        """Every ledger verifies, and all hold the same blocks as far as each goes."""
        verdicts = audit(self.prepared.nodes)
        assert {verdict.name: verdict.fault for verdict in verdicts if verdict.fault} == {}
        longest = max((verdict.block_ids for verdict in verdicts), key=len)
        for verdict in verdicts:
            assert verdict.block_ids == longest[: len(verdict.block_ids)], verdict.name


def found(directory: Path, nodes: int, *, interval_real_s: float = 3.0, intervals: int = 200) -> Cell:
    """A founded cell whose daemons are not started yet."""
    parameters = Parameters(nodes, intervals, round(INTERVAL_S / interval_real_s), "constant", "none", 0)
    prepared = prepare(directory, parameters, homes_that_trade(nodes))
    return Cell(prepared, [Daemon(node, loaded()) for node in prepared.nodes])


@contextlib.contextmanager
def running(directory: Path, nodes: int, **options: float) -> Iterator[Cell]:
    """A running cell, for a fixture; stopped, with whatever it started, at the end."""
    cell = found(directory, nodes, **options)  # type: ignore[arg-type]
    try:
        trio.run(cell.start)
        yield cell
    finally:
        trio.run(cell.stop)


@contextlib.contextmanager
def ended(*cells: Cell) -> Iterator[None]:
    """Whatever happens inside, no daemon of these cells is left."""
    try:
        yield
    finally:
        for cell in cells:
            for daemon in cell.daemons:
                daemon.follow()
                if daemon.running:
                    daemon.cut_power()
                elif daemon.view.control_pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(daemon.view.control_pid, signal.SIGKILL)


BATTERY = {
    "kind": "battery",
    "name": "battery",
    "capacity_wh": 50_000.0,
    "charge_w": 3_000.0,
    "discharge_w": 3_000.0,
    "initial_state_of_charge": 0.6,
}


def stores(daemon: Daemon, **site: Any) -> None:
    """Give a home a battery, and whatever else its site is to have; before it starts."""
    path = daemon.directory / CONFIG_FILE
    table = tomllib.loads(path.read_text("utf-8"))
    others = [der for der in table["site"]["ders"] if der["kind"] != "battery"]
    table["site"] |= {"ders": [*others, BATTERY], **site}
    path.write_text(config_text(table), "utf-8")


def said(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    """The lines of a daemon's log about one event."""
    lines = (daemon.directory / DAEMON_LOG).read_text("utf-8").splitlines()
    events = (json.loads(line) for line in lines if line.startswith("{"))
    return [each for each in events if each.get("event") == event]


def port_of(daemon: Daemon) -> int:
    """Where a daemon listens."""
    text = (daemon.directory / CONFIG_FILE).read_text("utf-8")
    return int(text.split("listen = ")[1].split("/tcp/")[1].split('"')[0])


@contextlib.asynccontextmanager
async def impostor(cell: Cell, member: Daemon) -> AsyncIterator[Libp2pTransport]:
    """A transport with the key of a member that does not run, connected to all who do."""
    key = load_key(member.directory / IDENTITY_KEY_FILE, None)
    listen = f"/ip4/127.0.0.1/tcp/{port_of(member)}"
    transport = Libp2pTransport(key, cell.prepared.genesis.cell_id, [listen])
    ports = {daemon.name: port_of(daemon) for daemon in cell.others(member)}
    transport.set_members(
        {
            founding.feed_key: (f"/ip4/127.0.0.1/tcp/{ports[founding.name.decode()]}",)
            for founding in cell.prepared.genesis.members
            if founding.name.decode() in ports
        }
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await cell.wait(lambda: len(transport.peers()) == len(ports), 20, "the impostor is connected")
        yield transport
        nursery.cancel_scope.cancel()


async def refusal(daemon: Daemon) -> tuple[int, str]:
    """The exit status of a daemon that ends by itself, and what it said of the reason: one line, without a trace."""
    with trio.fail_after(START_S):
        status = await daemon.ended()
    daemon.follow()
    assert "Traceback" not in (daemon.directory / DAEMON_LOG).read_text("utf-8")
    return status, daemon.view.failure or ""


def is_alive(pid: int | None) -> bool:
    """Whether a process exists and is no zombie; None is one that nobody has seen."""
    if pid is None:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def rows(daemon: Daemon, query: str, *values: object) -> list[tuple[object, ...]]:
    """What a query finds in a daemon's ledger, which may be running."""
    path = daemon.directory / LEDGER_FILE
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def anchored(prepared: Prepared, witness: Daemon, member: bytes, kind: Kind) -> list[int]:
    """The intervals of a member's entries of one kind that a witness holds and a decided block contains."""
    through = -1
    for (block,) in rows(witness, "SELECT block FROM blocks"):
        assert isinstance(block, bytes)
        heads = decode_block(block).heads
        through = max([through, *(head.sequence for head in heads if head.member == member)])
    query = "SELECT envelope FROM entries WHERE member = ? AND sequence <= ? ORDER BY sequence"
    cell_id = prepared.genesis.cell_id
    envelopes = [envelope for (envelope,) in rows(witness, query, member, through)]
    entries = [open_entry(envelope, cell_id).entry for envelope in envelopes if isinstance(envelope, bytes)]
    return [entry.interval for entry in entries if entry.kind == kind]


def double_votes(daemons: Iterable[Daemon]) -> list[tuple[object, ...]]:
    """Places of agreement for which any two nodes hold different messages of one validator."""
    seen: dict[tuple[object, ...], bytes] = {}
    double: list[tuple[object, ...]] = []
    for daemon in daemons:
        for *place, envelope in rows(daemon, "SELECT height, round, step, validator, envelope FROM votes"):
            assert isinstance(envelope, bytes)
            body = unseal(envelope, 4096)[0]
            if seen.setdefault(tuple(place), body) != body:
                double.append(tuple(place))
    return double


def evidence(daemons: Iterable[Daemon]) -> set[object]:
    """The ids of all proofs of equivocation that any node holds."""
    return {proof for daemon in daemons for (proof,) in rows(daemon, "SELECT id FROM evidence")}
