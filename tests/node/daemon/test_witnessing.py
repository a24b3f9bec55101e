"""The daemon's part between cells, over a network in memory: who is cosigned, who is not, and what is said of it."""

import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from nacl.signing import SigningKey

from ledger.chain.chain import Tip
from ledger.chain.epochs import Trust
from ledger.chain.replay import load_chain
from ledger.files.directory import COSIGNATURES_FILE, GENESIS_FILE, LEDGER_FILE, WITNESS_FILE
from ledger.records.blocks import decode_block
from ledger.records.genesis import Genesis
from ledger.store.retention import Retention
from ledger.store.store import Store
from ledger.witnesses.book import WitnessBook
from ledger.witnesses.cosignatures import load_cosignatures, save_cosignatures
from ledger.witnesses.messages import Checkpoint, Cosignature, cosign
from ledger.witnesses.witness import Remembered
from market.cell import EnergyCell
from node.daemon.neighbours import Neighbour
from node.daemon.witnessing import Witnessing
from node.transport.errors import RequestFailed
from node.transport.memory import MemoryNetwork
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data directories of one node in each of two cells."""
    directories = []
    for size in (1, 2):
        cluster = Cluster(1, size, 1, ClusterPlan(5 * S, 0.0, 0.0, 5_000_000))
        assert cluster.run().violation is None
        directories.append(tmp_path_factory.mktemp("cell") / f"cell-{size}")
        cluster.nodes[0].save(directories[-1])
    return directories[0], directories[1]


@dataclass
class Side:
    """One node of a cell with what it needs to witness and to be witnessed."""

    directory: Path
    key: SigningKey
    active: bool = True
    events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.genesis = Genesis.decode((self.directory / GENESIS_FILE).read_bytes())
        self.store = Store.open(self.directory / LEDGER_FILE, self.genesis.cell_id)

    @property
    def public(self) -> bytes:
        return self.key.verify_key.encode()

    @property
    def tip(self) -> Tip:
        return load_chain(self.store, self.genesis, EnergyCell())

    def cosignature(self, by: "Side") -> Cosignature | None:
        return load_cosignatures(self.directory / COSIGNATURES_FILE, self.genesis.cell_id).get(by.public)

    def info(self, event: str, **_: object) -> None:
        self.events.append(event)

    error = warning = info


@pytest.fixture
def sides(ledgers: tuple[Path, Path], tmp_path: Path):
    """Two sides with copies of the ledgers."""
    made = []
    for index, ledger in enumerate(ledgers):
        shutil.copytree(ledger, tmp_path / str(index))
        made.append(Side(tmp_path / str(index), SigningKey(bytes([index + 1]) * 32)))
    yield made
    for side in made:
        side.store.close()


@asynccontextmanager
async def together(one: Side, other: Side):
    """Both witness each other; yields the transports, in the same order."""
    network = MemoryNetwork()
    transports = [network.transport(side.public) for side in (one, other)]
    async with trio.open_nursery() as nursery:
        for side, neighbour, transport in ((one, other, transports[0]), (other, one, transports[1])):
            tip = side.tip
            witnessing = Witnessing(
                side.directory,
                side.genesis,
                side.store,
                SimpleNamespace(identity_key=side.key),
                (Neighbour(neighbour.genesis, {neighbour.public: ("memory",)}),),
                transport,
                lambda tip=tip, side=side: (tip, side.active),
                side,
            )
            await nursery.start(witnessing.run)
        yield transports
        nursery.cancel_scope.cancel()


async def passed(seconds: float) -> None:
    """Let the clock, which jumps, go on by so much."""
    with trio.move_on_after(seconds):
        await trio.sleep_forever()


def remember(witness: Side, of: Side, size: int, root: bytes) -> None:
    """Make a witness believe that it cosigned this."""
    book = WitnessBook.open(witness.directory / WITNESS_FILE)
    trust = Trust(size + 1, of.tip.validators)
    book.advance(of.genesis.cell_id, Remembered(Checkpoint(size, root), trust))
    book.close()


async def test_two_cells_cosign_each_other(sides, autojump_clock) -> None:
    one, other = sides
    async with together(one, other):
        await passed(10)
    for side, witness in ((one, other), (other, one)):
        held = side.cosignature(witness)
        assert held is not None
        assert held.checkpoint.size == side.store.height() - 1
        assert side.events == ["witnessing", "cosigned"]


async def test_a_node_that_may_not_sign_cosigns_nothing_and_later_does(sides, autojump_clock) -> None:
    one, other = sides
    other.active = False
    async with together(one, other):
        await passed(10)
        assert (one.cosignature(other), other.cosignature(one) is None) == (None, False)
        other.active = True
        await passed(10)
        assert one.cosignature(other) is not None


async def test_a_second_history_of_a_cell_is_not_cosigned_and_is_reported_once(sides, autojump_clock) -> None:
    one, other = sides
    remember(other, one, one.store.height() - 1, bytes(32))
    async with together(one, other):
        await passed(20)
    assert one.cosignature(other) is None
    assert other.events.count("witness_fork") == 1


async def test_a_cell_whose_witness_cosigned_another_history_reports_it_once(sides, autojump_clock) -> None:
    one, other = sides
    foreign = cosign(other.key, one.genesis.cell_id, Checkpoint(2, bytes(32)), 5)
    save_cosignatures(one.directory / COSIGNATURES_FILE, [foreign])
    async with together(one, other):
        await passed(20)
    assert one.cosignature(other) == foreign
    assert one.events.count("witness_fork") == 1


async def test_a_witness_that_remembers_less_is_followed_from_there(sides, autojump_clock) -> None:
    one, other = sides
    remember(other, one, 1, root_of(one, 1))
    async with together(one, other):
        await passed(10)
    held = one.cosignature(other)
    assert held is not None and held.checkpoint.size == one.store.height() - 1


def root_of(side: Side, size: int) -> bytes:
    row = side.store.block(size + 1)
    assert row is not None
    return decode_block(row.block).header.log_root


def prune(side: Side) -> int:
    """All but the last blocks go; the height from which the ledger begins."""
    Retention(blocks=4).tidy(side.store, side.store.height())
    assert side.store.base() > 2
    return side.store.base()


async def test_a_pruned_ledger_is_cosigned_from_its_beginning_on(sides, autojump_clock) -> None:
    one, other = sides
    prune(one)
    async with together(one, other):
        await passed(10)
    held = one.cosignature(other)
    assert held is not None and held.checkpoint.size == one.store.height() - 1


async def test_a_witness_that_remembers_what_is_pruned_is_left_to_others(sides, autojump_clock) -> None:
    one, other = sides
    remember(other, one, 1, root_of(one, 1))
    prune(one)
    async with together(one, other):
        await passed(10)
    assert one.events.count("witness_behind") == 1 and one.cosignature(other) is None
    assert other.cosignature(one) is not None


@pytest.mark.parametrize("question", [b"", b"junk", b"\x80"])
async def test_a_senseless_question_is_refused(sides, autojump_clock, question: bytes) -> None:
    one, other = sides
    async with together(one, other) as (transport, _):
        await passed(1)
        with pytest.raises(RequestFailed):
            await transport.request(other.public, question, 1.0)
