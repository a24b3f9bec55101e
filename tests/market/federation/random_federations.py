"""Random federations of two and three levels for the laws, small enough that ties and limits are common."""

from hypothesis import strategies as st

from market.federation.federation import FederatedCell, Federation
from market.feeder import Branch, Feeder, Grid
from market.orders import Order, OrderBook, Side


@st.composite
def feeders(draw: st.DrawFn, *, top: bool, fees: bool, losses: bool = False, scale: int = 1) -> Feeder:
    """Up to three branches; only the top may have a grid."""
    count = draw(st.integers(1, 3))
    limits = st.none() | st.integers(0, 30 * scale)
    fee = st.integers(0, 4 * scale) if fees else st.just(0)
    loss = st.sampled_from([0, 0, 1, 30_000, 117_003]) if losses else st.just(0)
    branches = [
        Branch(
            f"b{index}",
            draw(st.integers(0, index - 1)) if index else None,
            draw(limits),
            draw(fee),
            draw(loss),
        )
        for index in range(count)
    ]
    grid = None
    if top and draw(st.booleans()):
        feed_in = draw(st.integers(0 if losses else -5, 12)) * scale
        grid = Grid(feed_in + draw(st.integers(0, 8)) * scale, feed_in, draw(limits), draw(limits))
    return Feeder(tuple(branches), grid)


@st.composite
def books(draw: st.DrawFn, branches: int, most: int, *, scale: int = 1, lowest: int = -8) -> OrderBook:
    """Orders over all branches of a feeder."""
    order = st.tuples(
        st.integers(0, branches - 1),
        st.sampled_from(Side),
        st.integers(lowest * scale, 20 * scale),
        st.integers(1, 25 * scale),
    )
    drawn = draw(st.lists(order, max_size=most))
    return OrderBook.from_orders([Order(index, b"m", *fields) for index, fields in enumerate(drawn)])


@st.composite
def federations(draw: st.DrawFn, levels: int, most: int = 10) -> Federation:
    """Two to four cells on as many levels as asked, with and without fees, the parent of each above it."""
    fees = draw(st.booleans())
    count = draw(st.integers(levels, levels + 2))
    depth: list[int] = []
    cells: list[FederatedCell] = []
    for index in range(count):
        # The first cells make a chain of all levels, the others hang anywhere that leaves it so.
        parent = None
        if index:
            above = [place for place in range(index) if depth[place] < levels - 1]
            parent = index - 1 if index < levels else draw(st.sampled_from(above))
        depth.append(0 if parent is None else depth[parent] + 1)
        feeder = draw(feeders(top=parent is None, fees=fees))
        branch = 0 if parent is None else draw(st.integers(0, len(cells[parent].feeder.branches) - 1))
        book = draw(books(len(feeder.branches), most))
        cells.append(FederatedCell(f"c{index}", book, feeder, parent, branch))
    return Federation(tuple(cells))


@st.composite
def lossy_federations(draw: st.DrawFn, levels: int, most: int = 8, *, lowest: int = -8) -> Federation:
    """The same with losses in branches and connections, in small numbers, where rounding counts, and in large ones."""
    scale = draw(st.sampled_from([1, 997]))
    plain = draw(federations(levels, most))
    cells = []
    for cell in plain.cells:
        feeder = draw(feeders(top=cell.parent is None, fees=draw(st.booleans()), losses=True, scale=scale))
        book = draw(books(len(feeder.branches), most, scale=scale, lowest=lowest))
        cells.append((cell, feeder, book))
    return Federation(
        tuple(
            FederatedCell(
                cell.name,
                book,
                feeder,
                cell.parent,
                0 if cell.parent is None else cell.branch % len(cells[cell.parent][1].branches),
            )
            for cell, feeder, book in cells
        )
    )
