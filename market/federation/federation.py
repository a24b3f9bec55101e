"""A whole federation cleared level by level, and the same as one flat market to compare it with.

Curves go up from the outermost cells, transfers come down from the top. Energies are mWh, money pico.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from market.clearing import Clearing, clear
from market.errors import FeederError
from market.federation.cell_curve import CellCurve
from market.federation.compression import compressed
from market.federation.levels import (
    CellClearing,
    Connection,
    Transfer,
    cell_curve,
    clear_cell,
    clear_top,
)
from market.feeder import Branch, Feeder
from market.orders import OrderBook


@dataclass(frozen=True, slots=True, eq=False)
class FederatedCell:
    """A cell: its orders and feeder, and the place above it, a branch of the cell of index `parent`.

    The limit, the fee and the loss of the feeder's root are those of the connection. Only the top, which has no parent,
    may have a grid.
    """

    name: str
    book: OrderBook
    feeder: Feeder
    parent: int | None = None
    branch: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Federation:
    """Cells in any order, exactly one of them without a parent. Raises FeederError when they are no tree.

    `top_down` lists the indices of cells with parents first, `below` by cell those right below it.
    """

    cells: tuple[FederatedCell, ...]
    top_down: tuple[int, ...] = field(init=False, repr=False)
    below: tuple[tuple[int, ...], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Cells form a tree as branches do, and what is wrong with one is said in the same words.
        try:
            tree = Feeder(tuple(Branch(cell.name, cell.parent) for cell in self.cells))
        except FeederError as error:
            raise FeederError(str(error).replace("branch", "cell").replace("feeder", "federation")) from error
        object.__setattr__(self, "top_down", tree.top_down)
        below: list[list[int]] = [[] for _ in self.cells]
        for index, cell in enumerate(self.cells):
            if cell.parent is None:
                continue
            if cell.feeder.grid is not None:
                raise FeederError(f"cell {cell.name!r} has a grid; only {self.top.name!r}, above all, may")
            above = self.cells[cell.parent]
            if not 0 <= cell.branch < len(above.feeder.branches):
                raise FeederError(f"cell {cell.name!r} hangs on no branch of {above.name!r}")
            below[cell.parent].append(index)
        object.__setattr__(self, "below", tuple(map(tuple, below)))

    @property
    def top(self) -> FederatedCell:
        """The cell that has none above it."""
        return self.cells[self.top_down[0]]


@dataclass(frozen=True, slots=True, eq=False)
class FederatedClearing:
    """By cell its clearing, what it told the cell above and what that decided (None: the top).

    `volume` is what orders bought and the grid took; `welfare`, `rent` and `fees` are sums over the cells.
    `lost` is the most welfare less fees that the bounded number of steps can have cost.
    """

    cells: tuple[CellClearing, ...]
    curves: tuple[CellCurve | None, ...]
    transfers: tuple[Transfer | None, ...]
    lost: int

    @property
    def volume(self) -> int:
        """mWh bought by orders, plus the top's export."""
        return sum(each.clearing.volume for each in self.cells)

    @property
    def welfare(self) -> int:
        """Pico-currency."""
        return sum(each.clearing.welfare for each in self.cells)

    @property
    def rent(self) -> int:
        """Pico-currency: what buyers pay beyond what sellers get and the fees."""
        return sum(each.clearing.rent for each in self.cells)

    @property
    def fees(self) -> int:
        """Pico-currency."""
        return sum(each.clearing.fees for each in self.cells)

    @property
    def losses(self) -> int:
        """mWh lost in all branches and connections."""
        return sum(each.clearing.losses for each in self.cells)

    @property
    def loss_money(self) -> int:
        """Pico-currency: what the loss accounts keep."""
        return sum(each.clearing.loss_money for each in self.cells)


def clear_federation(federation: Federation, steps: int | None = None) -> FederatedClearing:
    """Clear every cell; with `steps`, each passes on a curve of at most so many. Raises OrderError, FeederError."""
    count = len(federation.cells)
    curves: list[CellCurve | None] = [None] * count
    for index in reversed(federation.top_down[1:]):
        cell = federation.cells[index]
        exact = cell_curve(cell.book, cell.feeder, _connections(federation, index, curves))
        curves[index] = exact if steps is None else compressed(exact, steps)
    transfers: list[Transfer | None] = [None] * count
    cleared: dict[int, CellClearing] = {}
    for index in federation.top_down:
        cell, transfer = federation.cells[index], transfers[index]
        below = _connections(federation, index, curves)
        if transfer is None:
            cleared[index] = clear_top(cell.book, cell.feeder, below)
        else:
            cleared[index] = clear_cell(cell.book, cell.feeder, transfer, below)
        for place, decided in zip(federation.below[index], cleared[index].transfers, strict=True):
            transfers[place] = decided
    told = (curves[place] for place in federation.below[federation.top_down[0]])
    return FederatedClearing(
        tuple(cleared[index] for index in range(count)),
        tuple(curves),
        tuple(transfers),
        lost=sum(curve.lost for curve in told if curve is not None),
    )


def _connections(
    federation: Federation, index: int, curves: Sequence[CellCurve | None]
) -> tuple[Connection, ...]:
    connections = []
    for place in federation.below[index]:
        cell, curve = federation.cells[place], curves[place]
        assert curve is not None, "curves go up from the outermost cells"
        root = cell.feeder.branches[cell.feeder.root]
        connections.append(Connection(f"{cell.name}/", cell.branch, curve, root.fee, root.loss))
    return tuple(connections)


@dataclass(frozen=True, slots=True, eq=False)
class FlatMarket:
    """A federation as one book on one feeder; `branches` and `orders` say where each cell's begin."""

    book: OrderBook
    feeder: Feeder
    branches: tuple[int, ...]
    orders: tuple[int, ...]

    def clear(self) -> Clearing:
        """The clearing of all at once."""
        return clear(self.book, self.feeder)


def flat(federation: Federation) -> FlatMarket:
    """All cells as one market: each cell's root becomes a branch of the cell above. Raises FeederError."""
    cells = federation.cells
    first_branch = _starts([len(cell.feeder.branches) for cell in cells])
    first_order = _starts([len(cell.book) for cell in cells])
    branches: list[Branch] = []
    for index, cell in enumerate(cells):
        for place, branch in enumerate(cell.feeder.branches):
            parent = None if branch.parent is None else first_branch[index] + branch.parent
            if place == cell.feeder.root and cell.parent is not None:
                parent = first_branch[cell.parent] + cell.branch
            branches.append(replace(branch, name=f"{cell.name}/{branch.name}", parent=parent))
    books = [cell.book for cell in cells]
    book = OrderBook(
        range(first_order[-1]),
        np.concatenate([each.price for each in books]),
        np.concatenate([each.quantity for each in books]),
        np.concatenate([each.side for each in books]),
        np.concatenate(
            [each.branch + start for each, start in zip(books, first_branch[:-1], strict=True)]
        ).astype(np.int32),
    )
    return FlatMarket(book, Feeder(tuple(branches), federation.top.feeder.grid), first_branch, first_order)


def _starts(counts: Sequence[int]) -> tuple[int, ...]:
    return (0, *np.cumsum(np.array(counts, np.int64)).tolist())
