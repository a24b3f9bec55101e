"""Shell: the auctions to compare mechanisms on, from a file of orders or from the blocks of a ledger.

Every block is verified on the way, as for a report.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from ledger.chain.application import BlockInput
from ledger.chain.replay import replay
from ledger.errors import LedgerError
from ledger.files.directory import LEDGER_FILE
from ledger.records.genesis import Genesis, member_id
from ledger.store.private_copy import copy_ledger
from ledger.store.store import Store
from market.cell import EnergyCell
from market.cell_state import CellState
from market.comparing.comparison import Auction
from market.errors import InputError
from market.orders import Order
from market.orders_file import read_orders
from market.outcomes import BlockOutcomes, ClearingOutcome
from market.payloads import Kind
from market.reporting.source import candidates, genesis_path

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class AsCleared:
    """What the ledger's own auctions came to, on the feeder and with the grid: mWh, and pico-currency."""

    volume: int
    welfare: int
    grid_import: int
    grid_export: int


@dataclass(frozen=True, slots=True)
class Auctions:
    """The auctions that have orders; `blocks` and `as_cleared` are of a ledger only."""

    path: Path
    auctions: tuple[Auction, ...]
    blocks: int = 0
    as_cleared: AsCleared | None = None


def read_auctions(path: Path) -> Auctions:
    """The auction of a file, or those of a node's or testnet's directory.

    Raises FileError for a file with mistakes, InputError where no ledger of a directory holds.
    """
    if not path.is_dir():
        return Auctions(path, (Auction(path.name, tuple(read_orders(path, None))),))
    return of_first_node(path, _read_node)


def of_first_node(directory: Path, read: Callable[[Path], Found]) -> Found:
    """What `read` finds in a node's directory, or in that of a testnet's first node whose ledger holds.

    Raises InputError with one line per ledger that could not be used.
    """
    faults: list[str] = []
    for node in candidates(directory):
        try:
            return read(node)
        except (LedgerError, OSError) as fault:
            faults.append(f"{node}: {fault}")
    if not faults:
        faults = [
            f"{directory}: holds no {LEDGER_FILE}, and no nodes/ with one; "
            "name a file of orders, or a node's or a testnet's directory"
        ]
    raise InputError("\n".join(faults))


class _Listening(EnergyCell):
    """The market that also notes when each curve was written, which is what `continuous` needs."""

    def __init__(self) -> None:
        self.written: dict[tuple[int, bytes], int] = {}

    def apply(self, state: CellState, block: BlockInput) -> tuple[CellState, BlockOutcomes]:
        """As the market does; the latest order of a member for an interval replaces its earlier ones."""
        for member, signed in block.entries:
            if signed.entry.kind == Kind.ORDER:
                self.written[signed.entry.interval, member] = signed.entry.time_ns
        return super().apply(state, block)


def replay_node(directory: Path, market: EnergyCell) -> Iterator[tuple[CellState, BlockOutcomes]]:
    """The state after each block of a node's ledger and what followed from it, every block verified.

    A daemon may be writing the ledger. Raises LedgerError where it does not hold.
    """
    genesis = Genesis.decode(genesis_path(directory).read_bytes())
    with TemporaryDirectory(prefix="wattswarm-replay-") as temporary:
        copy = copy_ledger(directory / LEDGER_FILE, Path(temporary))
        with closing(Store.open(copy, genesis.cell_id)) as store:
            for replayed in replay(store, genesis, market):
                assert isinstance(replayed.outcomes, BlockOutcomes)
                yield replayed.tip.state, replayed.outcomes


def _read_node(directory: Path) -> Auctions:
    genesis = Genesis.decode(genesis_path(directory).read_bytes())
    names = {member_id(member.feed_key): member.name.decode() for member in genesis.members}
    market = _Listening()
    auctions = []
    sums = AsCleared(0, 0, 0, 0)
    blocks = 0
    for _, outcomes in replay_node(directory, market):
        blocks += 1
        clearing = outcomes.clearing
        sums = AsCleared(
            sums.volume + clearing.volume,
            sums.welfare + clearing.welfare,
            sums.grid_import + clearing.grid_import,
            sums.grid_export + clearing.grid_export,
        )
        orders = _orders(clearing, market.written, names)
        if orders:
            auctions.append(Auction(str(clearing.interval), orders))
    return Auctions(directory, tuple(auctions), blocks, sums)


def _orders(
    clearing: ClearingOutcome, written: dict[tuple[int, bytes], int], names: dict[bytes, str]
) -> tuple[Order, ...]:
    """The orders of a block's auction after the cuts, in the order in which their curves were written.

    Ids are their places in the block's own book; a member's steps arrive together, of two members' curves of
    one moment those of the lower id first.
    """
    arrivals = []
    place = 0
    for part in clearing.members:
        time_ns = written.get((clearing.interval, part.member), 0)
        name = names.get(part.member, part.member.hex())
        for fill in part.fills:
            order = Order(place, name, 0, fill.side, fill.limit_price, fill.offered)
            arrivals.append(((time_ns, place), order))
            place += 1
    return tuple(order for _, order in sorted(arrivals, key=lambda arrival: arrival[0]))
