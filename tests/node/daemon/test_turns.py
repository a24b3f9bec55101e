"""Turns and signer: in which order things become durable and leave, and what every crash between them leaves behind."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
import structlog

from devices.messages.orders import Order
from ledger.agreement.records import read_blocks
from ledger.files.sign_guard import SignGuard, blank_guard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.records.entries import open_entry
from ledger.records.genesis import Genesis
from ledger.records.rows import VoteRow
from ledger.records.votes import Step, Vote
from ledger.store.store import Store
from ledger.store.store_file import connect
from market.payloads import Kind
from node import events as ev
from node.configuration.config import ClockSection, Config, NodeSection
from node.core.core import NodeCore
from node.daemon.assembly import assemble
from node.daemon.signer import Signer
from node.daemon.startup import trusted
from node.daemon.turns import Turns
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S
from sim.cells.keys import FIRST_INTERVAL, SPEED, Keys, founded
from sim.simulated_disk import Power, PowerLost, SimulatedFile

MEMORY = Path(":memory:")
KEYS = [Keys.of(index) for index in range(4)]
GENESIS: Genesis = founded(KEYS)
READING = ev.SignEntry(int(Kind.READING), FIRST_INTERVAL, 1, (0, 5, 0))


class Journal:
    """What happened, in order; every recorder below writes into it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


class NotedFile(SimulatedFile):
    """A file that says when it becomes durable."""

    def __init__(self, power: Power, journal: Journal, name: str, content: bytes = b"") -> None:
        super().__init__(power, content)
        self._journal, self._name = journal, name

    def flush(self) -> None:
        super().flush()
        self._journal.note(f"flush {self._name}")


class NotedStore(Store):
    """A ledger that says when it commits something, and whose disk can lose power."""

    journal: Journal
    power: Power

    def commit(self) -> None:
        if self.pending:
            self.power.use()
            super().commit()
            self.journal.note("commit")


class NotedWorld:
    """Network and devices that say what reaches them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.published: list[bytes] = []

    def publish(self, topic: str, data: bytes) -> None:
        self._journal.note(f"publish {topic}")
        self.published.append(data)

    def broadcast(self, frame: bytes) -> None:
        self._journal.note("broadcast")

    def request(self, peer: bytes, tag: str, data: bytes) -> None:
        self._journal.note(f"request {tag}")

    def set_members(self, members: Sequence[tuple[bytes, str]]) -> None:
        self._journal.note("members " + ", ".join(name for _, name in members))

    def send_position(self, interval: int, energy: int) -> None:
        self._journal.note("position")

    def order(self, order: Order) -> None:
        self._journal.note(f"order {type(order).__name__}")

    def acknowledge(self, interval: int) -> None:
        self._journal.note("acknowledge")


class Node:
    """One node over a disk that survives it."""

    def __init__(self) -> None:
        self.power, self.journal = Power(), Journal()
        self.connection = connect(MEMORY, GENESIS.cell_id, create=True)
        self.guard = NotedFile(self.power, self.journal, "guard", blank_guard())
        self.log = NotedFile(self.power, self.journal, "log")
        self.world = NotedWorld(self.journal)

    def start(self) -> Turns:
        self.power.restore()
        store = NotedStore(MEMORY, GENESIS.cell_id, self.connection)
        store.journal, store.power = self.journal, self.power
        signer = Signer(
            GENESIS.cell_id, KEYS[0].feed, KEYS[0].consensus, SignGuard(self.guard), WriteAheadLog(self.log)
        )
        opened = trusted(
            GENESIS,
            store,
            signer,
            lambda tip: next(m for m in tip.membership.members if m.id == KEYS[0].member),
            ExitStack(),
        )
        now = ev.Now(S, 0, SPEED)
        core = assemble(Config(node=NodeSection(name="a"), clock=ClockSection(speed=SPEED)), opened, now)
        logger = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
        self.journal.lines.clear()
        return Turns(core, store, signer, self.world, self.world, logger, lambda: now)

    def crash(self) -> None:
        self.guard.lose_power(Random(1))
        self.log.lose_power(Random(2))


def scripted(monkeypatch: pytest.MonkeyPatch, *effects: ev.Effect) -> Callable[[Turns], None]:
    """Let the core answer a timer with these effects, and run that turn."""
    real = NodeCore.handle

    def handle(core: NodeCore, input_: ev.Input, now: ev.Now) -> list[ev.Effect]:
        return list(effects) if isinstance(input_, ev.TimerDue) else real(core, input_, now)

    monkeypatch.setattr(NodeCore, "handle", handle)
    return lambda turns: turns.take([ev.TimerDue()])


def vote(turns: Turns) -> Vote:
    validators = turns.core.ordering.tip.validators
    own = validators.index_of(KEYS[0].consensus.verify_key.encode())
    assert own is not None
    return Vote(1, 0, Step.PREVOTE, None, -1, own)


def test_a_vote_is_logged_then_guarded_and_leaves_after_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    turns = node.start()
    act = scripted(monkeypatch, ev.AppendToLog(b"record"), ev.SignVote(vote(turns)))
    act(turns)
    lines = node.journal.lines
    assert (
        lines.index("flush log")
        < lines.index("flush guard")
        < lines.index("commit")
        < lines.index("broadcast")
    )


def test_an_entry_is_committed_then_claimed_and_only_then_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    turns = node.start()
    scripted(monkeypatch, READING)(turns)
    assert node.journal.lines == ["commit", "flush guard", "publish entries", "acknowledge"]


def test_what_a_turn_sends_leaves_in_order_after_all_of_it_is_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node()
    turns = node.start()
    row = ev.StoreVote(1, 0, 1, 0, b"envelope")
    scripted(monkeypatch, ev.Broadcast(b"f"), row, ev.Publish("capacity", b""), ev.CommandPosition(1, 2))(
        turns
    )
    assert node.journal.lines == ["commit", "broadcast", "publish capacity", "position"]


def test_two_entries_of_a_turn_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    turns = node.start()
    scripted(monkeypatch, READING, READING)(turns)
    first, second = (open_entry(envelope, GENESIS.cell_id) for envelope in node.world.published)
    assert (second.entry.sequence, second.entry.previous) == (1, first.id)


@pytest.mark.parametrize("operation", range(1, 6))
def test_an_entry_never_leaves_unclaimed_and_is_never_signed_twice(
    monkeypatch: pytest.MonkeyPatch, operation: int
) -> None:
    node = Node()
    turns = node.start()
    act = scripted(monkeypatch, READING)
    node.power.fail_after(operation)
    try:
        act(turns)
        survived = True
    except PowerLost:
        survived = False
    node.crash()
    left = [open_entry(envelope, GENESIS.cell_id) for envelope in node.world.published]
    again = node.start()
    guard = again.signer.guard.last
    stored = again.store.last_sequence(KEYS[0].member, 0)
    assert survived == bool(left)
    assert guard.feed_sequence == stored >= max((each.entry.sequence for each in left), default=-1)
    act(again)
    newest = open_entry(node.world.published[-1], GENESIS.cell_id)
    assert newest.entry.sequence == stored + 1


@pytest.mark.parametrize("operation", range(1, 8))
def test_a_crash_while_voting_leaves_log_and_guard_that_trust_each_other(operation: int) -> None:
    plan = ClusterPlan(6 * S, 0.0, 0.0, 5_000_000)
    cluster = Cluster(1, 1, 2, plan)
    node = cluster.nodes[0]
    cluster.after(int(1.3 * S), lambda: node.power.fail_after(operation))
    cluster.after(int(5.0 * S), lambda: cluster._restart(node))
    assert cluster.run().violation is None


def test_a_block_that_is_about_to_be_prevoted_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    turns = node.start()
    block = bytes(range(256)) * 40
    scripted(monkeypatch, ev.KeepBlock(block))(turns)
    assert read_blocks(WriteAheadLog(node.log).records) == (block,)


def test_a_new_height_begins_with_an_empty_log_after_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    turns = node.start()
    scripted(monkeypatch, ev.AppendToLog(b"\x00"), ev.StoreVote(1, 0, 1, 0, b"e"), ev.StartLog(2))(turns)
    assert turns.signer.log.records == ()
    assert turns.store.votes(1) == [VoteRow(1, 0, 1, 0, b"e")]


def test_a_frozen_member_signs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    turns = node.start()
    frozen = turns.core.gathering.membership.with_frozen((KEYS[0].member,), 1)
    turns.core.gathering.anchor(frozen, [], FIRST_INTERVAL, ev.Now(0, 0, 1))
    scripted(monkeypatch, READING)(turns)
    assert node.world.published == []
