"""Shell: one simulated node of a cell: the daemon's real core, turns, signer and store on a disk that can lose power.

Its network and its devices are the world's; the ledger is an SQLite database in memory that survives the node. A
household is a script: it offers and uses energy drawn from the world's seed. Energies are mWh, injection positive.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import structlog

from devices.control_messages import MeterRecord
from ledger.archive import StoreArchive
from ledger.chain import Tip
from ledger.directory import AGREEMENT_LOG_FILE, GENESIS_FILE, GUARD_FILE, LEDGER_FILE
from ledger.errors import PeerError
from ledger.genesis import Genesis
from ledger.membership import Member
from ledger.replication import answer
from ledger.sign_guard import SignGuard, blank_guard
from ledger.store import Store
from ledger.store_file import connect
from ledger.write_ahead_log import WriteAheadLog
from market.bidding import Account, Flexibility
from market.cell_state import CellState
from market.forecast import PriceForecast
from market.payloads import Curve, Step
from node import events as ev
from node.assembly import assemble
from node.config import ClockSection, Config, NodeSection, TimingSection
from node.core import NodeCore
from node.signer import Signer
from node.startup import member_with_keys, trusted
from node.trading import Trading
from node.turns import Turns
from sim.cluster_keys import Keys
from sim.simulated_disk import Power, PowerLost, SimulatedFile

IN_MEMORY = Path(":memory:")
TIMING = TimingSection(propose_real_ms=500, vote_real_ms=300, round_delta_real_ms=150)
"""One proposer may be dead and the interval still trades: margin, propose and precommit fit before its deadline."""


class World(Protocol):
    """What a node sees of the world around it."""

    def now(self) -> ev.Now:
        """Both clocks."""
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


@dataclass(slots=True)
class Household:
    """A bidder without a plan: each time it buys or sells something else, at prices between feed-in and retail."""

    random: Random

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """A curve of one or two steps."""
        quantity = self.random.randint(1, account.max_injection // 4)
        price = self.random.randint(account.export_price, account.import_price)
        steps = (Step(price, quantity),)
        return Curve(steps, ()) if self.random.random() < 0.5 else Curve((), steps)

    def meter(self, interval: int) -> MeterRecord:
        """What its meter counted."""
        net = self.random.randint(-2_000_000, 2_000_000)
        return MeterRecord(interval, max(net, 0), max(-net, 0), True, ())


class PoweredStore(Store):
    """The ledger in memory; power can fail just before and just after a commit."""

    power: Power

    def commit(self) -> None:
        """Store what is queued, if power lasts."""
        if self.pending:
            self.power.use()
        super().commit()
        self.power.use()


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """A backup of a node's disk, made between two turns."""

    ledger: sqlite3.Connection
    guard: bytes
    log: bytes


@dataclass(slots=True)
class ClusterNode:
    """One member. `turns` is None while it is down; `unread` are meter records that nobody acknowledged.

    `read_only` says why it never signs again: it found that its own memory cannot be trusted.
    """

    index: int
    keys: Keys
    genesis: Genesis
    world: World
    random: Random
    last_trading_interval: int
    power: Power = field(default_factory=Power)
    turns: Turns | None = None
    unread: list[MeterRecord] = field(default_factory=list)
    starts: int = 0
    read_only: str | None = None
    household: Household = field(init=False)
    _connection: sqlite3.Connection = field(init=False)
    _guard: SimulatedFile = field(init=False)
    _log: SimulatedFile = field(init=False)

    def __post_init__(self) -> None:
        self.household = Household(Random(self.random.getrandbits(64)))
        self._connection = connect(IN_MEMORY, self.genesis.cell_id, create=True)
        self._guard = SimulatedFile(self.power, blank_guard())
        self._log = SimulatedFile(self.power)

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self.turns is not None

    @property
    def core(self) -> NodeCore:
        """Its core; only while it is up."""
        assert self.turns is not None
        return self.turns.core

    @property
    def store(self) -> Store:
        """Its ledger as it is on disk."""
        return Store(IN_MEMORY, self.genesis.cell_id, self._connection)

    def start(self) -> None:
        """Power is back, or the daemon is started: trust the disk, as the real daemon does, and begin."""
        self.power.restore()
        self.starts += 1
        store = PoweredStore(IN_MEMORY, self.genesis.cell_id, self._connection)
        store.power = self.power
        signer = Signer(
            self.genesis.cell_id,
            self.keys.feed,
            self.keys.consensus,
            SignGuard(self._guard),
            WriteAheadLog(self._log),
        )
        now = self.world.now()
        opened = trusted(
            self.genesis,
            store,
            signer,
            self._member,
            ExitStack(),
        )
        config = Config(
            node=NodeSection(name=f"home-{self.index}", last_trading_interval=self.last_trading_interval),
            clock=ClockSection(speed=now.speed),
            timing=TIMING,
        )
        core = assemble(config, opened, now)
        begin = core.begin_trading
        assert begin is not None
        core.begin_trading = lambda tip, at: self._settled_in(begin(tip, at))
        self._settled_in(core.trading)
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
        self.turns = Turns(core, store, signer, self, self, log, self.world.now)
        self._attempt([], starting=True)

    def take(self, *inputs: ev.Input) -> None:
        """One turn of the daemon, if it is up; power may fail in it."""
        if self.turns is not None:
            self._attempt(list(inputs), starting=False)

    def black_out(self) -> None:
        """Power is gone: all that was not flushed may be lost or torn."""
        self.turns = None
        self._guard.lose_power(self.random)
        self._log.lose_power(self.random)

    def back_up(self) -> DiskCopy:
        """A copy of its disk."""
        return DiskCopy(_copied(self._connection), self._guard.read(), self._log.read())

    def put_back(self, copy: DiskCopy) -> None:
        """An old backup takes the place of its disk, sign guard included."""
        self.turns = None
        self._connection = _copied(copy.ledger)
        self._guard = SimulatedFile(self.power, copy.guard)
        self._log = SimulatedFile(self.power, copy.log)

    def save(self, directory: Path) -> None:
        """Write its disk as a data directory, for `wattswarm ledger`."""
        directory.mkdir(parents=True)
        (directory / GENESIS_FILE).write_bytes(self.genesis.encode())
        (directory / GUARD_FILE).write_bytes(self._guard.read())
        (directory / AGREEMENT_LOG_FILE).write_bytes(self._log.read())
        self._connection.execute("VACUUM INTO ?", (str(directory / LEDGER_FILE),))

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

    def _member(self, tip: Tip[CellState]) -> Member:
        name, consensus_key = b"home-%d" % self.index, self.keys.consensus.verify_key.encode()
        return member_with_keys(tip.membership, name, self.keys.public, consensus_key)

    def _settled_in(self, trading: Trading | None) -> Trading | None:
        """The household trades, where the cell has a place for it."""
        if trading is not None:
            trading.bidder = self.household
        return trading

    def _attempt(self, inputs: list[ev.Input], *, starting: bool) -> None:
        assert self.turns is not None
        try:
            if starting:
                self.turns.start()
            else:
                self.turns.take(inputs)
        except PowerLost:
            self.black_out()
            return
        self.read_only = self.turns.core.read_only or self.read_only

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

    def acknowledge(self, interval: int) -> None:
        """The reading is in the feed: control forgets it."""
        self.unread = [record for record in self.unread if record.interval != interval]


def _copied(source: sqlite3.Connection) -> sqlite3.Connection:
    target = sqlite3.connect(IN_MEMORY, isolation_level=None)
    source.backup(target)
    return target
