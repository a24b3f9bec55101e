"""The radial feeder of a cell: a tree of branches with limits, and the grid connection above its root.

Limits are mWh per interval and hold in both directions; prices are µ/kWh. A flow is positive out of a
branch towards its parent (injection), negative into it.
"""

from dataclasses import dataclass, field

from market.errors import FeederError
from market.losses import MAX_PATH_LOSS, SCALE
from market.units import MAX_LIMIT, MAX_PRICE, price_text

MAX_BRANCHES = 2**18
"""Branches of one feeder; with MAX_ORDERS and MAX_PRICE, a step of a curve fits 64 bits."""

PLACE = "cell"
"""The name of the only branch where there is no feeder."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch: `parent` is the index of its parent, None for the root; `limit` None is no limit.

    `fee` is what each kWh pays that crosses the branch towards its parent or from it, µ/kWh; the root's is
    for the grid connection. `loss` is what of the energy that enters the branch never leaves it, in millionths.
    """

    name: str
    parent: int | None = None
    limit: int | None = None
    fee: int = 0
    loss: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """The supplier behind the grid connection: sells at `import_price`, buys at `export_price`, unbounded.

    The limits are those of the connection. A retail price below the feed-in price is refused: the supplier
    could then trade with itself at a profit, and no price would balance it.
    """

    import_price: int
    export_price: int
    import_limit: int | None = None
    export_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Feeder:
    """Branches in any order, exactly one of them the root. Raises FeederError when they are no tree.

    A limit on the root holds for the grid connection as well. `top_down` lists branch indices with parents
    first.
    """

    branches: tuple[Branch, ...]
    grid: Grid | None = None
    top_down: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.branches) > MAX_BRANCHES:
            raise FeederError(f"{len(self.branches)} branches, the most allowed are {MAX_BRANCHES}")
        _check_names(self.branches)
        for branch in self.branches:
            _check_limit(f"the limit of branch {branch.name!r}", branch.limit)
            if not 0 <= branch.fee <= MAX_PRICE:
                raise FeederError(
                    f"the fee of branch {branch.name!r} is {branch.fee} µ/kWh, not between 0 and {MAX_PRICE}"
                )
        if self.grid is not None:
            _check_grid(self.grid)
        object.__setattr__(self, "top_down", _top_down(self.branches))
        _check_losses(self)

    @classmethod
    def single(cls, grid: Grid | None = None) -> "Feeder":
        """One place for all orders."""
        return cls((Branch(PLACE),), grid)

    @property
    def root(self) -> int:
        """Index of the root."""
        return self.top_down[0]

    @property
    def has_fees(self) -> bool:
        """Whether a branch has a fee."""
        return any(branch.fee for branch in self.branches)

    @property
    def has_losses(self) -> bool:
        """Whether a branch loses energy."""
        return any(branch.loss for branch in self.branches)

    def index_of(self, name: str) -> int:
        """Index of the branch of that name. Raises FeederError."""
        for index, branch in enumerate(self.branches):
            if branch.name == name:
                return index
        raise FeederError(f"there is no branch {name!r}")


def _check_names(branches: tuple[Branch, ...]) -> None:
    seen: set[str] = set()
    for branch in branches:
        if not branch.name:
            raise FeederError("a branch has an empty name")
        if branch.name in seen:
            raise FeederError(f"two branches are named {branch.name!r}")
        seen.add(branch.name)


def _check_limit(what: str, limit: int | None) -> None:
    if limit is not None and not 0 <= limit <= MAX_LIMIT:
        raise FeederError(f"{what} is {limit} mWh, not between 0 and {MAX_LIMIT}")


def _check_losses(feeder: Feeder) -> None:
    """Nothing below zero, and on no way to the grid more than may be lost."""
    arriving = [SCALE] * len(feeder.branches)
    for index in feeder.top_down:
        branch = feeder.branches[index]
        if not 0 <= branch.loss <= MAX_PATH_LOSS:
            raise FeederError(
                f"the loss of branch {branch.name!r} is {branch.loss} millionths, not between 0 and {MAX_PATH_LOSS}"
            )
        above = SCALE if branch.parent is None else arriving[branch.parent]
        arriving[index] = above * (SCALE - branch.loss) // SCALE
        if arriving[index] < SCALE - MAX_PATH_LOSS:
            raise FeederError(
                f"more than half of what branch {branch.name!r} gives is lost on its way to the grid"
            )


def _check_grid(grid: Grid) -> None:
    _check_limit("the import limit of the grid", grid.import_limit)
    _check_limit("the export limit of the grid", grid.export_limit)
    if max(abs(grid.import_price), abs(grid.export_price)) > MAX_PRICE:
        raise FeederError(f"a price of the grid is beyond {MAX_PRICE} µ/kWh")
    if grid.import_price < grid.export_price:
        raise FeederError(
            f"the grid's import price {price_text(grid.import_price)} is below its export price "
            f"{price_text(grid.export_price)}: "
            "importing and exporting at once would pay without end"
        )


def _top_down(branches: tuple[Branch, ...]) -> tuple[int, ...]:
    children: list[list[int]] = [[] for _ in branches]
    roots = []
    for index, branch in enumerate(branches):
        if branch.parent is None:
            roots.append(index)
        elif 0 <= branch.parent < len(branches):
            children[branch.parent].append(index)
        else:
            raise FeederError(f"the parent of branch {branch.name!r} is no branch of this feeder")
    if len(roots) != 1:
        names = ", ".join(repr(branches[root].name) for root in roots[:5]) or "none"
        raise FeederError(f"a feeder has exactly one branch without a parent, its root; here: {names}")
    found = [roots[0]]
    for index in found:
        found.extend(children[index])
    if len(found) < len(branches):
        lost = sorted(set(range(len(branches))) - set(found))
        names = ", ".join(repr(branches[index].name) for index in lost[:5])
        raise FeederError(f"these branches do not lead to the root, their parents form a cycle: {names}")
    return tuple(found)
