"""The fast clearing against the algorithm written down plainly, step by step, on random feeders."""

import os
import random
from dataclasses import dataclass

import pytest

from market import curves, zones
from market.clearing import clear
from market.feeder import Branch, Feeder, Grid
from market.orders import Order, OrderBook, Side

ROUNDS = int(os.environ.get("WATTSWARM_SOAK", "0")) or 200
FIRST = int(os.environ.get("WATTSWARM_SOAK_FIRST", "0"))
FREE = 2**62


@dataclass
class PlainCurve:
    """Net supply below all steps, and the steps as quantity by key."""

    base: int
    steps: dict[int, int]

    def around(self, key: int) -> tuple[int, int]:
        below = self.base + sum(quantity for step, quantity in self.steps.items() if step < key)
        return below, below + self.steps.get(key, 0)

    def clipped(self, lower: int, upper: int) -> "PlainCurve":
        clip = lambda supply: min(max(supply, lower), upper)  # noqa: E731
        steps = {}
        for key in self.steps:
            below, above = self.around(key)
            if clip(above) > clip(below):
                steps[key] = clip(above) - clip(below)
        return PlainCurve(clip(self.base), steps)

    def free_interval(self, lower: int, upper: int) -> tuple[int, int]:
        first = last = None
        for key in sorted(self.steps):
            below, above = self.around(key)
            if first is None and above >= lower > self.base:
                first = key
            if above > upper >= below:
                last = key
        return -FREE if first is None else first, FREE if last is None else last


def plain_clear(orders: list[Order], feeder: Feeder) -> tuple[list[int], dict[object, int], list[int]]:
    """Keys, fills by order id and flows, by the six steps of the algorithm."""
    key_of = {o.id: 4 * o.price + (3 if o.side == Side.BUY else 0) for o in orders}
    count = len(feeder.branches)
    children = [[c for c in range(count) if feeder.branches[c].parent == b] for b in range(count)]
    curve: dict[int, PlainCurve] = {}
    free = {}
    bounds = {}
    for b in reversed(feeder.top_down):
        own = [o for o in orders if o.branch == b]
        total = PlainCurve(-sum(o.quantity for o in own if o.side == Side.BUY), {})
        parts = [(key_of[o.id], o.quantity) for o in own]
        for c in children[b]:
            clipped = curve[c].clipped(*bounds[c])
            total.base += clipped.base
            parts += clipped.steps.items()
        for key, quantity in parts:
            total.steps[key] = total.steps.get(key, 0) + quantity
        curve[b] = total
        limit = feeder.branches[b].limit
        bounds[b] = (-FREE, FREE) if limit is None else (-limit, limit)
        if b == feeder.root and (grid := feeder.grid):
            limits = [FREE if own is None else own for own in (grid.import_limit, grid.export_limit)]
            bounds[b] = max(bounds[b][0], -limits[0]), min(bounds[b][1], limits[1])
        free[b] = total.free_interval(*bounds[b])
    if feeder.grid is None:
        free[feeder.root] = (-FREE, FREE)
    top, flow = plain_top(curve[feeder.root], bounds[feeder.root], feeder)
    keys = [0] * count
    fills = {o.id: o.quantity if o.side == Side.BUY else 0 for o in orders}
    flows = [0] * count
    flows[feeder.root] = flow
    for b in feeder.top_down:
        parent = feeder.branches[b].parent
        keys[b] = min(max(top if parent is None else keys[parent], free[b][0]), free[b][1])
    for b in feeder.top_down:
        required = flows[b]
        tied = []
        for o in sorted((o for o in orders if o.branch == b), key=lambda o: o.id):
            if key_of[o.id] < keys[b]:
                fills[o.id] = o.quantity if o.side == Side.SELL else 0
            required -= fills[o.id] if o.side == Side.SELL else -fills[o.id]
            if key_of[o.id] == keys[b]:
                tied.append((o, o.quantity))
        for c in children[b]:
            below, above = curve[c].clipped(*bounds[c]).around(keys[b])
            flows[c] = below
            required -= below
            if above > below:
                tied.append((c, above - below))
        total = sum(quantity for _, quantity in tied)
        bids = keys[b] % 4 == 3
        amount = total - required if bids else required
        shares = {place: amount * quantity // total for place, (_, quantity) in enumerate(tied)}
        order = sorted(shares, key=lambda place: (-(amount * tied[place][1] % total), place))
        for place in order[: amount - sum(shares.values())]:
            shares[place] += 1
        for place, (what, quantity) in enumerate(tied):
            if isinstance(what, Order):
                fills[what.id] = shares[place]
            else:
                flows[what] += quantity - shares[place] if bids else shares[place]
    return keys, fills, flows


def plain_top(root: PlainCurve, bounds: tuple[int, int], feeder: Feeder) -> tuple[int, int]:
    """The key at the top and the flow to the grid."""
    if feeder.grid is None:
        finite = [key for key in root.free_interval(0, 0) if abs(key) != FREE]
        return sum(finite) // len(finite) if finite else 0, 0
    with_supplier = root.clipped(*bounds)
    bid, ask = 4 * feeder.grid.export_price + 1, 4 * feeder.grid.import_price + 2
    with_supplier.base -= FREE
    with_supplier.steps |= {bid: FREE, ask: FREE}
    first, last = with_supplier.free_interval(0, 0)
    top = (first + last) // 2
    supply = root.clipped(*bounds).around(top)[0]
    return top, supply if top in (bid, ask) else 0


def random_market(rng: random.Random) -> tuple[list[Order], Feeder]:
    count = rng.choice([1, 2, 3, 5, 8, 13])
    shape = rng.choice(["tree", "chain", "star"])
    largest = rng.choice([3, 12, 2**20])
    branches = []
    for index in range(count):
        parent = {"tree": rng.randrange(max(index, 1)), "chain": index - 1, "star": 0}[shape]
        limit = rng.choice([None, 0, rng.randrange(1, largest + 1), rng.randrange(1, 4 * largest)])
        branches.append(Branch(f"b{index}", parent if index else None, limit))
    prices = rng.choice([3, 10, 1000])
    feed_in = rng.randrange(-prices, prices)
    limits = [rng.choice([None, 0, rng.randrange(1, 4 * largest)]) for _ in range(2)]
    grid = Grid(feed_in + rng.randrange(0, prices), feed_in, *limits) if rng.random() < 0.6 else None
    order = list(range(count))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    shuffled = [branches[old] for old in order]
    feeder = Feeder(
        tuple(Branch(b.name, None if b.parent is None else place[b.parent], b.limit) for b in shuffled), grid
    )
    orders = [
        Order(
            f"o{index}",
            f"m{index}",
            rng.randrange(count),
            rng.choice([Side.BUY, Side.SELL]),
            rng.randrange(-prices, prices + 1),
            rng.randrange(1, largest + 1),
        )
        for index in range(rng.choice([0, 1, 2, 5, 20, 60]))
    ]
    return orders, feeder


@pytest.mark.parametrize(("small_run", "small_zone"), [(1_024, 4_096), (1, 0), (4, 6), (1, 4_096)])
def test_keys_fills_and_flows_are_those_of_the_plainly_written_algorithm(
    monkeypatch: pytest.MonkeyPatch, small_run: int, small_zone: int
) -> None:
    monkeypatch.setattr(curves, "SMALL_RUN", small_run)
    monkeypatch.setattr(zones, "SMALL_ZONE", small_zone)
    for seed in range(FIRST, FIRST + ROUNDS):
        orders, feeder = random_market(random.Random(seed))
        book = OrderBook.from_orders(orders)
        keys, fills, flows = plain_clear(orders, feeder)
        clearing = clear(book, feeder)
        assert list(clearing.keys) == keys, seed
        assert dict(zip(book.ids, clearing.fills.tolist(), strict=True)) == fills, seed
        assert list(clearing.flows) == flows, seed
