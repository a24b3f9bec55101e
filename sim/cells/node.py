"""Shell: one simulated node of a cell: the daemon's real core, turns, signer and store on a disk that can go wrong.

Its network, clock and devices are the world's; the ledger is an SQLite database in memory that survives the node. What
its software refuses to work under ends it, as it ends the daemon, and an operator repairs it. Energies are mWh,
injection positive.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol, cast

import structlog

from devices.messages.control_messages import MeterRecord
from devices.messages.orders import Declare, Order
from ledger.chain.chain import Tip
from ledger.errors import Corrupt, LocalError, PeerError
from ledger.membership.members import Member
from ledger.records.genesis import Genesis
from ledger.store.archive import StoreArchive
from ledger.store.retention import KEEP_ALL, Retention
from ledger.store.store import Store
from ledger.sync.replication import answer
from market.cell_state import CellState
from market.forecast import PriceHistory
from market.units import NS_PER_S
from node import events as ev
from node.configuration.config import ClockSection, Config, NodeSection, RetentionSection, TimingSection
from node.core.core import NodeCore
from node.daemon.assembly import assemble
from node.daemon.signer import Signer
from node.daemon.startup import member_with_keys, trusted
from node.daemon.turns import Turns
from node.errors import NodeError
from node.trading.trading import Trading
from sim.cells.disk import NodeDisk
from sim.cells.household import Household
from sim.cells.keys import RETAIL, Keys, Pace
from sim.cells.ledger import IN_MEMORY
from sim.simulated_disk import Power, PowerLost

TIMING = TimingSection(propose_real_ms=500, vote_real_ms=300, round_delta_real_ms=150)
"""One proposer may be dead and the interval still trades: margin, propose and precommit fit before its deadline."""
SNAPSHOT_EVERY = 3
"""Blocks between snapshots: so few that power also fails around them, and most starts begin from one."""


class World(Protocol):
    """What a node sees of the world around it."""

    def now(self, node: int) -> ev.Now:
        """Both clocks, as this node reads them."""
        ...

    def report(self, node: int, event: str, fields: Mapping[str, object]) -> None:
        """What the daemon writes into its log."""
        ...

    def gossip(self, sender: int, topic: str, data: bytes) -> None:
        """Send to all members."""
        ...

    def broadcast(self, sender: int, frame: bytes) -> None:
        """Send to all neighbours."""
        ...

    def send(self, sender: int, peer: bytes, frame: bytes) -> None:
        """Send to one neighbour."""
        ...

    def request(self, sender: int, peer: bytes, tag: str, data: bytes) -> None:
        """Ask a peer."""
        ...

    def commanded(self, node: int, interval: int, energy: int) -> None:
        """A position was leased to the devices."""
        ...

    def allow(self, node: int, members: frozenset[bytes]) -> None:
        """These feed keys may connect to a node."""
        ...


class _Log:
    """The daemon's log: the world keeps it."""

    def __init__(self, node: int, world: World) -> None:
        self._node, self._world = node, world

    def info(self, event: str, **fields: object) -> None:
        """Something happened."""
        self._world.report(self._node, event, fields)

    warning = info


@dataclass(slots=True)
class ClusterNode:
    """One member. `turns` is None while it is down; `unread` are meter records that nobody acknowledged.

    `read_only` says why it never signs again: it found that its own memory cannot be trusted. `refused` says why its
    software last ended by itself. Until `busy_until_ns` (real) it waits for a slow disk and what comes waits in
    `inbox`. Its devices know of a declared emergency until `emergency_ends_ns` (real). `known` are the versions of
    the protocol that its program knows, None for those of this one.
    """

    index: int
    keys: Keys
    genesis: Genesis
    world: World
    random: Random
    last_trading_interval: int
    pace: Pace
    retention: Retention = KEEP_ALL
    known: tuple[int, ...] | None = None
    disk: NodeDisk = field(init=False)
    household: Household = field(init=False)
    turns: Turns | None = None
    unread: list[MeterRecord] = field(default_factory=list)
    starts: int = 0
    read_only: str | None = None
    refused: str | None = None
    busy_until_ns: int = 0
    inbox: list[ev.Input] = field(default_factory=list)
    emergency_ends_ns: int = 0
    _rotten_ledger: bool = False
    _operations: int = 0

    def __post_init__(self) -> None:
        self.household = Household(Random(self.random.getrandbits(64)), self.pace.interval_s)
        self.disk = NodeDisk(self.genesis, self.random)

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self.turns is not None

    @property
    def active(self) -> bool:
        """Whether it runs and signs."""
        return self.turns is not None and self.turns.core.active

    @property
    def left_behind(self) -> bool:
        """Whether it runs a program that lacks the protocol's version of the next block."""
        ordering = None if self.turns is None else self.turns.core.ordering
        return ordering is not None and ordering.protocols.lacking(ordering.tip.membership) is not None

    @property
    def core(self) -> NodeCore:
        """Its core; only while it is up."""
        assert self.turns is not None
        return self.turns.core

    @property
    def store(self) -> Store:
        """Its ledger as it is on disk."""
        return Store(IN_MEMORY, self.genesis.cell_id, self.disk.ledger)

    @property
    def power(self) -> Power:
        """What its disk lives on."""
        return self.disk.power

    @property
    def lag_ns(self) -> int:
        """How long the disk has taken in this turn."""
        return (self.disk.power.operations - self._operations) * self.disk.operation_ns

    def start(self) -> None:
        """Power is back, or the daemon is started: trust the disk, as the real daemon does, and begin."""
        self.disk.power.restore()
        self.starts += 1
        self.inbox.clear()
        self.read_only = None
        self._rotten_ledger = False
        self._guarded(self._begin)

    def take(self, *inputs: ev.Input) -> None:
        """One turn of the daemon, if it is up; power may fail in it, and the disk may refuse."""
        if self.turns is not None:
            turns = self.turns
            self._guarded(lambda: turns.take(inputs))

    def black_out(self) -> None:
        """Power is gone: all that was not flushed may be lost or torn."""
        self.turns = None
        self.disk.lose_power()

    def repair(self) -> str:
        """What the operator does before the next start; says what it was."""
        done = self.disk.repair()
        if self._rotten_ledger:
            self.disk.empty_ledger()
            done = "the ledger is moved away"
        self.refused = None
        return done

    def save(self, directory: Path) -> None:
        """Write its disk as a data directory, for `wattswarm ledger`."""
        self.disk.save(directory)

    def deliver_meter(self, interval: int) -> None:
        """An interval is over; control keeps its record until the daemon acknowledges it."""
        self.unread.append(self.household.meter(interval))
        self.read_meter()

    def read_meter(self) -> None:
        """Control shows the records that are not acknowledged yet."""
        for record in tuple(self.unread):
            self.take(ev.MeterRead(record))

    def answer(self, request: bytes) -> bytes | None:
        """The reply to a peer's request; None where the real daemon refuses it, or is down."""
        if self.turns is None:
            return None
        core = self.turns.core
        archive = StoreArchive(self.turns.store, core.ordering.proposed, lambda: core.ordering.tip.epochs)
        try:
            return answer(request, archive)
        except PeerError:
            return None

    def _begin(self) -> None:
        guard, log = self.disk.open_guard(), self.disk.open_log()
        self._rotten_ledger = True
        store = self.disk.open_store()
        signer = Signer(self.genesis.cell_id, self.keys.feed, self.keys.consensus, guard, log)
        opened = trusted(
            self.genesis,
            store,
            signer,
            self._member,
            ExitStack(),
        )
        self._rotten_ledger = False
        now = self.world.now(self.index)
        config = Config(
            node=NodeSection(name=f"home-{self.index}", last_trading_interval=self.last_trading_interval),
            clock=ClockSection(speed=now.speed),
            timing=TIMING,
            retention=RetentionSection(blocks=self.retention.blocks, votes=self.retention.votes),
        )
        core = assemble(config, opened, now)
        begin = core.begin_trading
        assert begin is not None
        core.begin_trading = lambda tip, at: self._settled_in(begin(tip, at))
        self._settled_in(core.trading)
        core.joining.every = SNAPSHOT_EVERY
        if self.known is not None:
            core.ordering.protocols.known = self.known
        log_of_daemon = cast(structlog.typing.FilteringBoundLogger, _Log(self.index, self.world))
        self.turns = Turns(
            core,
            store,
            signer,
            self,
            self,
            log_of_daemon,
            lambda: self.world.now(self.index),
            retention=self.retention,
        )
        self.turns.start()

    def _member(self, tip: Tip[CellState]) -> Member:
        name, consensus_key = b"home-%d" % self.index, self.keys.consensus.verify_key.encode()
        return member_with_keys(tip.membership, name, self.keys.public, consensus_key)

    def _settled_in(self, trading: Trading | None) -> Trading | None:
        """The household trades, where the cell has a place for it."""
        if trading is not None:
            trading.bidder = self.household
            trading.prices = PriceHistory(1, (RETAIL,))
        return trading

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do something; end as the daemon ends when power fails or its software refuses to go on."""
        self._operations = self.disk.power.operations
        running = self.turns is not None
        try:
            act()
        except PowerLost:
            self.black_out()
            return
        except (LocalError, NodeError, OSError) as fault:
            self._refuse(fault, running=running)
            return
        assert self.turns is not None
        self.read_only = self.turns.core.read_only
        self.busy_until_ns = self.world.now(self.index).real_ns + self.lag_ns

    def _refuse(self, fault: Exception, *, running: bool) -> None:
        """The daemon says why and exits. What it wrote is with the system; a failing disk may still lose it."""
        self.turns = None
        self.refused = f"{type(fault).__name__}: {fault}"
        self._rotten_ledger = isinstance(fault, Corrupt) and (running or self._rotten_ledger)
        if self.disk.health.refuses is not None:
            self.disk.lose_power()
        self.world.report(self.index, "refused", {"reason": self.refused})

    # The daemon's network and devices.

    def publish(self, topic: str, data: bytes) -> None:
        """Gossip."""
        self.world.gossip(self.index, topic, data)

    def broadcast(self, frame: bytes) -> None:
        """A frame for every neighbour."""
        self.world.broadcast(self.index, frame)

    def send(self, peer: bytes, frame: bytes) -> None:
        """A frame for one neighbour."""
        self.world.send(self.index, peer, frame)

    def request(self, peer: bytes, tag: str, data: bytes) -> None:
        """Ask a peer."""
        self.world.request(self.index, peer, tag, data)

    def set_members(self, members: Sequence[tuple[bytes, str]]) -> None:
        """Who may connect."""
        self.world.allow(self.index, frozenset(key for key, _ in members))

    def send_position(self, interval: int, energy: int) -> None:
        """A position for the devices."""
        self.world.commanded(self.index, interval, energy)

    def order(self, order: Order) -> None:
        """Devices hear of an emergency; there is nothing else that could be ordered."""
        if isinstance(order, Declare):
            real_ns = self.world.now(self.index).real_ns
            self.emergency_ends_ns = real_ns + round(order.duration_s * NS_PER_S)

    def acknowledge(self, interval: int) -> None:
        """The reading is in the feed: control forgets it."""
        self.unread = [record for record in self.unread if record.interval != interval]
