"""Clearing against a plain NumPy sort-and-cumulate and a linear program (HiGHS), on the same arrays in the same run.

Run with `python benchmarks/bench_clearing.py [--json]`. Each time is the best of several runs, garbage collection off;
the reference sorts each side, cumulates it and finds the crossing, and gives neither fills nor prices by branch. The
clearing starts from the same raw arrays, so its checks and the book are in its time.
"""

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import highspy
import numpy as np
import numpy.typing as npt

from market.certificates.certify import certify_clearing
from market.certificates.check import check
from market.clearing import clear
from market.feeder import Branch, Feeder
from market.mechanisms.uniform import orders_of
from market.orders import OrderBook

Ints = npt.NDArray[np.int64]
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TREE_ORDERS = 100_000
TREE_BRANCHES = 1_000
MOST_BRANCHES = 10_000
SEED = 20_261_120


@dataclass(frozen=True, slots=True)
class Orders:
    """Raw arrays: price µ/kWh, quantity mWh, side 1 buy or 2 sell, branch."""

    price: Ints
    quantity: Ints
    side: Ints
    branch: Ints


def random_orders(count: int, branches: int) -> Orders:
    """Prices of 0.05 to 0.40 per kWh, up to 3 kWh."""
    rng = np.random.default_rng(SEED)
    return Orders(
        rng.integers(50_000, 400_000, count),
        rng.integers(1, 3_000_000, count),
        rng.integers(1, 3, count),
        rng.integers(0, branches, count),
    )


def sort_and_cumulate(price: Ints, quantity: Ints, side: Ints) -> int:
    """The reference: both sides sorted and cumulated, and the number of bids before the curves cross."""
    buys = side == 1
    bid_price, bid_quantity = price[buys], quantity[buys]
    ask_price, ask_quantity = price[~buys], quantity[~buys]
    bids, asks = np.argsort(-bid_price), np.argsort(ask_price)
    demand, supply = np.cumsum(bid_quantity[bids]), np.cumsum(ask_quantity[asks])
    offered = np.searchsorted(ask_price[asks], bid_price[bids], side="right")
    supplied = np.concatenate(([0], supply))[offered]
    return int(np.searchsorted(demand - supplied, 0))


def random_tree(orders: Orders, branches: int = TREE_BRANCHES) -> Feeder:
    """A random recursive tree; limits drawn small enough that a third of them bind."""
    rng = np.random.default_rng(SEED + 1)
    parents = [None, *(int(rng.integers(0, index)) for index in range(1, branches))]
    unlimited = clear(
        OrderBook.from_arrays(orders.price, orders.quantity, orders.side, orders.branch),
        Feeder(tuple(Branch(str(index), parent) for index, parent in enumerate(parents))),
    )
    # What would flow without limits, times 0.5 to 2: those drawn below 1 bind, about a third.
    factors = rng.uniform(0.5, 2.0, branches)
    limits = [int(abs(flow) * factor) for flow, factor in zip(unlimited.flows, factors, strict=True)]
    return Feeder(
        tuple(
            Branch(str(index), parent, None if parent is None else limits[index])
            for index, parent in enumerate(parents)
        )
    )


def chain(orders: Orders) -> Feeder:
    """A chain as deep as there are branches, its limits growing towards the root: the curves stay long."""
    per_branch = int(orders.quantity.sum()) // (2 * TREE_BRANCHES)
    limits = [per_branch * (TREE_BRANCHES - index) // 2 for index in range(TREE_BRANCHES)]
    return Feeder(
        tuple(
            Branch(str(index), index - 1 if index else None, limits[index] if index else None)
            for index in range(TREE_BRANCHES)
        )
    )


def linear_program(orders: Orders, feeder: Feeder) -> highspy.Highs:
    """The same auction as a network flow: a column per order and branch, a balance row per branch."""
    count, rows = len(orders.price), len(feeder.branches)
    limit = np.array([branch.limit or 0 for branch in feeder.branches], float)[1:]
    parent = np.array([branch.parent or 0 for branch in feeder.branches])[1:]
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = count + rows - 1, rows
    program.col_cost_ = np.concatenate(
        (np.where(orders.side == 1, -orders.price, orders.price), 0 * limit)
    ).astype(float)
    program.col_lower_ = np.concatenate((np.zeros(count), -limit))
    program.col_upper_ = np.concatenate((orders.quantity.astype(float), limit))
    program.row_lower_ = program.row_upper_ = np.zeros(rows)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.concatenate((np.arange(count), count + 2 * np.arange(rows))).astype(
        np.int32
    )
    ends = np.stack((np.arange(1, rows), parent), axis=1).ravel()
    program.a_matrix_.index_ = np.concatenate((orders.branch, ends)).astype(np.int32)
    signs = np.where(orders.side == 1, -1.0, 1.0)
    program.a_matrix_.value_ = np.concatenate((signs, np.tile([-1.0, 1.0], rows - 1)))
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.setOptionValue("output_flag", False)
    model.passModel(program)
    return model


def best_time(call: Callable[[], object], rounds: int) -> float:
    """Shortest wall time of `call` in seconds."""
    times = []
    gc.disable()
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    gc.enable()
    return min(times)


def one_branch(count: int) -> dict[str, float]:
    """Times for `count` orders at one place."""
    orders = random_orders(count, 1)
    feeder = Feeder.single()
    rounds = max(7, min(300, 1_000_000 // count))
    reference = best_time(lambda: sort_and_cumulate(orders.price, orders.quantity, orders.side), rounds)
    ours = best_time(
        lambda: clear(OrderBook.from_arrays(orders.price, orders.quantity, orders.side), feeder), rounds
    )
    return {"orders": count, "sort_s": reference, "clear_s": ours, "ratio": ours / reference}


def on_feeder(name: str, make: Callable[[Orders], Feeder]) -> dict[str, float | str]:
    """Times on a feeder of many branches, with the linear program's; both must find the same welfare."""
    orders = random_orders(TREE_ORDERS, TREE_BRANCHES)
    feeder = make(orders)

    def ours() -> int:
        book = OrderBook.from_arrays(orders.price, orders.quantity, orders.side, orders.branch)
        return clear(book, feeder).welfare

    clear_s = best_time(ours, 15)
    sort_s = best_time(lambda: sort_and_cumulate(orders.price, orders.quantity, orders.side), 15)
    model = linear_program(orders, feeder)
    program_s = best_time(model.run, 1)  # a second run would start from the first one's solution
    optimum = -model.getInfo().objective_function_value
    if abs(optimum - ours()) > 1e-9 * abs(optimum):
        raise SystemExit(f"the linear program found {optimum}, the clearing {ours()}")
    book = OrderBook.from_arrays(orders.price, orders.quantity, orders.side, orders.branch)
    flows = clear(book, feeder).flows
    binding = sum(abs(flow) == branch.limit for flow, branch in zip(flows, feeder.branches, strict=True))
    return {
        "feeder": name,
        "binding": binding / (TREE_BRANCHES - 1),
        "sort_s": sort_s,
        "clear_s": clear_s,
        "highs_s": program_s,
        "faster_than_highs": program_s / clear_s,
        "ratio_to_sort": clear_s / sort_s,
    }


def on_many_branches() -> dict[str, float]:
    """Times on a random tree of ten thousand branches: too many for the linear program, so a certificate is checked."""
    orders = random_orders(TREE_ORDERS, MOST_BRANCHES)
    feeder = random_tree(orders, MOST_BRANCHES)

    def book() -> OrderBook:
        return OrderBook.from_arrays(orders.price, orders.quantity, orders.side, orders.branch)

    clear_s = best_time(lambda: clear(book(), feeder), 7)
    sort_s = best_time(lambda: sort_and_cumulate(orders.price, orders.quantity, orders.side), 15)
    cleared = clear(book(), feeder)
    check(certify_clearing(book(), feeder, cleared), orders_of(book()), feeder)
    return {
        "branches": MOST_BRANCHES,
        "sort_s": sort_s,
        "clear_s": clear_s,
        "ratio_to_sort": clear_s / sort_s,
    }


def machine() -> dict[str, str | int | None]:
    """What this ran on."""
    information = Path("/proc/cpuinfo")
    models = (
        [
            line.split(":", 1)[1].strip()
            for line in information.read_text().splitlines()
            if "model name" in line
        ]
        if information.exists()
        else []
    )
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "highs": highspy.Highs().version(),  # type: ignore[no-untyped-call]
    }


def main() -> None:
    """Measure and print."""
    about = machine()
    single = [one_branch(count) for count in SIZES]
    feeders = [on_feeder("random tree", random_tree), on_feeder("chain", chain)]
    many = on_many_branches()
    if "--json" in sys.argv[1:]:
        print(json.dumps({"machine": about, "one_branch": single, "feeders": feeders, "many_branches": many}))
        return
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(f"\n{'orders, one branch':>20} {'sort ms':>10} {'clear ms':>10} {'ratio':>7}   (at most 2)")
    for row in single:
        print(
            f"{row['orders']:>20,} {row['sort_s'] * 1e3:>10.3f} {row['clear_s'] * 1e3:>10.3f} {row['ratio']:>7.2f}"
        )
    print(f"\n{TREE_ORDERS:,} orders on {TREE_BRANCHES:,} branches")
    print(
        f"{'feeder':>12} {'binding':>8} {'sort ms':>8} {'clear ms':>9} {'HiGHS ms':>9} {'x faster':>9} {'x sort':>7}"
    )
    for case in feeders:
        print(
            f"{case['feeder']:>12} {case['binding']:>8.0%} {float(case['sort_s']) * 1e3:>8.1f} "
            f"{float(case['clear_s']) * 1e3:>9.1f} {float(case['highs_s']) * 1e3:>9.0f} "
            f"{case['faster_than_highs']:>9.0f} {case['ratio_to_sort']:>7.1f}"
        )
    print("(at least 20 times faster than HiGHS)")
    print(
        f"\n{TREE_ORDERS:,} orders on a random tree of {MOST_BRANCHES:,} branches, its certificate checked:"
        f" {many['clear_s'] * 1e3:.1f} ms, {many['ratio_to_sort']:.1f} times the sort"
    )


if __name__ == "__main__":
    main()
