"""Clearing with losses against clearing without, on the same orders and branches in the same run.

Run with `python benchmarks/bench_losses.py [--json]`. Feeders are random recursive trees whose branches carry
half to twice what flows without limits; with losses each branch but the root loses 0.1 to 1 %, with fees each
takes up to 0.01 per kWh. The rounds of the three take turns, garbage collection off, and each time is the
median of the processor's, so that what else the machine does meets all alike. One feeder is cleared as a cell
below another as well: the curve that it hands up, and what it does with the transfer.
"""

import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from market.clearing import Clearing, clear
from market.federation.levels import Transfer, cell_curve, clear_cell
from market.feeder import Branch, Feeder, Grid
from market.orders import OrderBook

SHAPES = ((100, 3), (1_000, 30), (10_000, 100), (100_000, 1_000))
"""Orders and branches: a street, a village, a district, a town."""
SEED = 20_261_121
GRID = Grid(310_000, 50_000)


def random_book(orders: int, branches: int) -> OrderBook:
    """Prices of 0.05 to 0.40 per kWh, up to 3 kWh."""
    rng = np.random.default_rng(SEED)
    return OrderBook.from_arrays(
        rng.integers(50_000, 400_000, orders),
        rng.integers(1, 3_000_000, orders),
        rng.integers(1, 3, orders),
        rng.integers(0, branches, orders),
    )


def random_tree(book: OrderBook, branches: int) -> Feeder:
    """A random recursive tree without losses and fees; a third of its limits bind."""
    rng = np.random.default_rng(SEED + 1)
    open_tree = Feeder(
        tuple(
            Branch(str(index), int(rng.integers(0, index)) if index else None) for index in range(branches)
        ),
        GRID,
    )
    flows = clear(book, open_tree).flows
    factors = rng.uniform(0.5, 2.0, branches)
    limited = tuple(
        branch if branch.parent is None else replace(branch, limit=int(abs(flow) * factor))
        for branch, flow, factor in zip(open_tree.branches, flows, factors, strict=True)
    )
    return Feeder(limited, GRID)


def changed(feeder: Feeder, *, fee: int = 0, loss: int = 0) -> Feeder:
    """The feeder with up to so much of a fee or a loss on every branch but the root, at least a tenth of it."""
    rng = np.random.default_rng(SEED + 2)

    def drawn(most: int) -> int:
        return int(rng.integers(most // 10, most + 1)) if most else 0

    branches = tuple(
        branch if branch.parent is None else replace(branch, fee=drawn(fee), loss=drawn(loss))
        for branch in feeder.branches
    )
    return replace(feeder, branches=branches)


def medians(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Median processor time of each call in seconds; the calls take turns."""
    times: list[list[float]] = [[] for _ in calls]
    gc.disable()
    for _ in range(rounds):
        for place, call in enumerate(calls):
            start = time.process_time()
            call()
            times[place].append(time.process_time() - start)
    gc.enable()
    return [statistics.median(each) for each in times]


def on_tree(orders: int, branches: int) -> dict[str, float]:
    """Times on one tree, plain, with fees and with losses, and what the losses come to."""
    book = random_book(orders, branches)
    plain = random_tree(book, branches)
    lossy = changed(plain, loss=10_000)
    rounds = max(3, min(50, 200_000 // orders))
    kinds = [plain, changed(plain, fee=10_000), lossy]
    plain_s, fees_s, losses_s = medians(
        [lambda feeder=feeder: clear(book, feeder) for feeder in kinds],  # type: ignore[misc]
        rounds,
    )
    lost = clear(book, lossy)
    assert abs(lost.loss_money) <= _bound(lost, lossy), "the loss account is beyond its bound"
    return {
        "orders": orders,
        "branches": branches,
        "plain_s": plain_s,
        "fees_s": fees_s,
        "losses_s": losses_s,
        "ratio": losses_s / plain_s,
        "ratio_to_fees": losses_s / fees_s,
        "lost_share": lost.losses / max(1, lost.volume),
    }


def as_a_cell(orders: int, branches: int) -> dict[str, float]:
    """Times of the two halves of a cell below another, with losses and without."""
    book = random_book(orders, branches)
    plain = replace(random_tree(book, branches), grid=None)
    lossy = changed(plain, loss=10_000)
    transfer = Transfer(4 * 200_000, 0)
    up, up_lossy, down, down_lossy = medians(
        [
            lambda: cell_curve(book, plain),
            lambda: cell_curve(book, lossy),
            lambda: clear_cell(book, plain, transfer),
            lambda: clear_cell(book, lossy, transfer),
        ],
        5,
    )
    return {"curve_ratio": up_lossy / up, "clear_ratio": down_lossy / down}


def _bound(clearing: Clearing, feeder: Feeder) -> int:
    """What the loss account can keep or lack: a unit for each mWh of a flow, and twice the price for each branch."""
    return sum(map(abs, clearing.flows)) + len(feeder.branches) * 2 * max(abs(key) for key in clearing.keys)


def main() -> None:
    """Measure and print."""
    rows = [on_tree(*shape) for shape in SHAPES]
    cell = as_a_cell(*SHAPES[2])
    if "--json" in sys.argv[1:]:
        about = {"cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}
        print(json.dumps({"machine": about, "trees": rows, "cell": cell}))
        return
    heads = ("orders", "branches", "plain ms", "fees ms", "losses ms", "ratio", "to fees", "lost")
    print("{:>8} {:>8} {:>9} {:>9} {:>9} {:>6} {:>8} {}".format(*heads))
    for row in rows:
        print(
            f"{row['orders']:>8,} {row['branches']:>8,} {row['plain_s'] * 1e3:>9.2f} {row['fees_s'] * 1e3:>9.2f} "
            f"{row['losses_s'] * 1e3:>9.2f} {row['ratio']:>6.1f} {row['ratio_to_fees']:>8.1f} {row['lost_share']:.2%}"
        )
    print(f"a cell of {SHAPES[2][0]:,} orders below another: curve x {cell['curve_ratio']:.1f}, ", end="")
    print(f"clearing with the transfer x {cell['clear_ratio']:.1f}")


if __name__ == "__main__":
    main()
