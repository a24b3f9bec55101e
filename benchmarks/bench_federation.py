"""Federated cells against one flat market of the same orders: time, and welfare lost to compressed curves.

Run with `python benchmarks/bench_federation.py [--json]`. 100 streets of 1,000 orders each below a district
with orders and a grid of its own. Times are the best of three runs; the reference is the flat clearing in the
same run. Welfare lost is exact, beside the bound that the curves state.
"""

import gc
import json
import sys
import time
from collections.abc import Callable

import numpy as np

from market.federation.cell_curve import CellCurve
from market.federation.compression import compressed
from market.federation.federation import FederatedCell, Federation, clear_federation, flat
from market.federation.levels import cell_curve
from market.feeder import Branch, Feeder, Grid
from market.orders import OrderBook

STREETS = 100
ORDERS = 1_000
STEPS = (4, 8, 16, 32, 64)
SEED = 20_261_121


def random_book(generator: np.random.Generator, branches: int) -> OrderBook:
    """Prices of 0.05 to 0.40 per kWh, up to 3 kWh."""
    return OrderBook.from_arrays(
        generator.integers(50_000, 400_000, ORDERS),
        generator.integers(1, 3_000_000, ORDERS),
        generator.integers(1, 3, ORDERS),
        generator.integers(0, branches, ORDERS),
    )


def neighbourhood() -> Federation:
    """A district with a grid, and streets of which about half have a connection that binds."""
    generator = np.random.default_rng(SEED)
    district = FederatedCell(
        "district", random_book(generator, 1), Feeder((Branch("substation"),), Grid(310_000, 40_000))
    )
    streets = [
        FederatedCell(
            f"street {index}",
            random_book(generator, 2),
            Feeder((Branch("street", None, int(generator.integers(10**6, 10**8))), Branch("end", 0))),
            parent=0,
        )
        for index in range(STREETS)
    ]
    return Federation((district, *streets))


def best_of(run: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the fastest of several runs, garbage collection off."""
    times = []
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
        gc.enable()
    return min(times)


def street_curve(federation: Federation) -> CellCurve:
    """The curve that one street hands up."""
    street = federation.cells[1]
    return cell_curve(street.book, street.feeder)


def main() -> int:
    """Measure and print."""
    federation = neighbourhood()
    market = flat(federation)
    together, curve = market.clear(), street_curve(federation)
    flat_s = best_of(market.clear)
    federated_s = best_of(lambda: clear_federation(federation))
    compress_s = best_of(lambda: compressed(curve, 32))
    exact = clear_federation(federation)
    assert (exact.welfare, exact.volume) == (together.welfare, together.volume)
    rows = []
    for steps in STEPS:
        cleared = clear_federation(federation, steps)
        rows.append(
            {
                "steps": steps,
                "lost_of_welfare": (together.welfare - cleared.welfare) / together.welfare,
                "bound_of_welfare": cleared.lost / together.welfare,
            }
        )
    result = {
        "orders": len(market.book),
        "cells": len(federation.cells),
        "flat_s": flat_s,
        "federated_s": federated_s,
        "ratio": federated_s / flat_s,
        "compress_one_curve_s": compress_s,
        "lost": rows,
    }
    if "--json" in sys.argv[1:]:
        print(json.dumps(result))
        return 0
    print(f"{result['orders']} orders in {result['cells']} cells: flat {flat_s * 1e3:.0f} ms, ", end="")
    print(f"level by level {federated_s * 1e3:.0f} ms, ratio {federated_s / flat_s:.1f}")
    print(f"compressing a curve of {len(curve.keys)} steps to 32: {compress_s * 1e3:.1f} ms")
    for row in rows:
        print(
            f"{row['steps']:>3} steps: {row['lost_of_welfare']:.2e} of the welfare lost, "
            f"{row['bound_of_welfare']:.2e} at most"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
