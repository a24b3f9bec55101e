"""What a liar gains under each mechanism, over 1,000 random books of members with one order each.

Run with `python benchmarks/bench_truthfulness.py [--json] [--books 1000]`. Prices are even between 0.05 and 0.40 per
kWh, quantities up to 3 kWh, both sides alike. Two kinds of lies, each by one member alone while all others tell the
truth, its gain counted at its true limit by clearing again:

- shading: the best of the percentages of `wattswarm market compare`, for up to 10 members of each book;
- best response: the best of all limits at which the result can change (every other limit, and one µ on either side of
  it), for one member of each book. No other limit gains more where the result depends on the limit's rank alone.

It ends with an error if any lie gains anything under mcafee.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from market.comparing.comparison import SHADES, gain_of_lie
from market.mechanisms.names import Mechanism
from market.mechanisms.run import run
from market.orders import Order, Side

SEED = 20_261_121
SIZES = (6, 20, 60)
LIARS = 10


@dataclass(slots=True)
class Tally:
    """Over all books of a size: how many lied, how many gained, and what they gained.

    `of_welfare` and `response_of_welfare` are shares of a book's greatest welfare; `lied_gain` and `true_gain` (pico)
    are what the liars gained beyond the truth, and by the truth, in sum.
    """

    tried: int = 0
    gained: int = 0
    responded: int = 0
    response_gained: int = 0
    lied_gain: int = 0
    true_gain: int = 0
    of_welfare: list[float] = field(default_factory=list)
    response_of_welfare: list[float] = field(default_factory=list)
    efficiency: list[float] = field(default_factory=list)


def random_book(random: Random, size: int) -> list[Order]:
    """A book in random order of arrival; at least one order on either side."""
    sides = [Side.BUY, Side.SELL, *(random.choice((Side.BUY, Side.SELL)) for _ in range(size - 2))]
    return [
        Order(place, place, 0, side, random.randint(50_000, 400_000), random.randint(1, 3_000_000))
        for place, side in enumerate(random.sample(sides, size))
    ]


def gain_with_limit(mechanism: Mechanism, orders: Sequence[Order], liar: Order, price: int) -> int:
    """What the liar gains at its true limit when it tells this one."""
    result = run(mechanism, [replace(order, price=price) if order is liar else order for order in orders])
    place = next(place for place, order in enumerate(result.orders) if order.id == liar.id)
    worth = liar.price * result.fills[place]
    return result.money[place] + (worth if liar.side is Side.BUY else -worth)


def measure(mechanism: Mechanism, books: Sequence[Sequence[Order]], seed: int) -> Tally:
    """All lies of all books under one mechanism; the same seed chooses the same liars."""
    tally, random = Tally(), Random(seed)
    for orders in books:
        optimum = run(Mechanism.UNIFORM, orders).welfare
        truth = run(mechanism, orders)
        if optimum:
            tally.efficiency.append(truth.welfare / optimum)
        gains = truth.gains()
        for liar in random.sample(list(orders), min(LIARS, len(orders))):
            best = max(gain_of_lie(mechanism, orders, liar.member, shade) for shade in SHADES)
            gain = max(0, best - gains[liar.member])
            tally.tried += 1
            tally.gained += gain > 0
            if optimum:
                tally.of_welfare.append(gain / optimum)
            tally.lied_gain += gain
            tally.true_gain += gains[liar.member]
        liar = random.choice(list(orders))
        limits = {order.price + step for order in orders if order is not liar for step in (-1, 0, 1)}
        best = max(gain_with_limit(mechanism, orders, liar, price) for price in sorted(limits))
        gain = max(0, best - gains[liar.member])
        tally.responded += 1
        tally.response_gained += gain > 0
        if optimum:
            tally.response_of_welfare.append(gain / optimum)
        if gain and mechanism is Mechanism.MCAFEE:
            raise SystemExit(f"order {liar} gains {gain} by a lie under mcafee in {orders}")
    if tally.gained and mechanism is Mechanism.MCAFEE:
        raise SystemExit("a member gains by shading under mcafee")
    return tally


def row(mechanism: Mechanism, size: int, books: int, tally: Tally) -> dict[str, float | int | str]:
    """The figures of one mechanism and size."""
    return {
        "mechanism": mechanism.value,
        "members": size,
        "books": books,
        "welfare_of_optimum": average(tally.efficiency),
        "shading_tried": tally.tried,
        "shading_gains_share": tally.gained / tally.tried,
        "shading_gain_of_welfare": average(tally.of_welfare),
        "shading_gain_of_own_gain": tally.lied_gain / max(tally.true_gain, 1),
        "response_tried": tally.responded,
        "response_gains_share": tally.response_gained / tally.responded,
        "response_gain_of_welfare": average(tally.response_of_welfare),
    }


def average(values: Sequence[float]) -> float:
    """The mean, zero of nothing."""
    return sum(values) / len(values) if values else 0.0


def main() -> None:
    """Measure and print."""
    arguments = sys.argv[1:]
    total = int(arguments[arguments.index("--books") + 1]) if "--books" in arguments else 1_000
    started = time.perf_counter()
    random = Random(SEED)
    rows = []
    for number, size in enumerate(SIZES):
        count = total // len(SIZES) + (number < total % len(SIZES))
        books = [random_book(random, size) for _ in range(count)]
        rows += [
            row(mechanism, size, count, measure(mechanism, books, SEED + size)) for mechanism in Mechanism
        ]
    if "--json" in arguments:
        print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))
        return
    print(f"{total} books, seed {SEED}, shades {SHADES} %, {time.perf_counter() - started:.0f} s")
    print(
        f"{'':>18} {'welfare':>9} | {'shading':>8} {'gain, of':>9} {'gain, of':>9} "
        f"| {'best reply':>10} {'gain, of':>9}"
    )
    print(
        f"{'members':>7} {'mechanism':>10} {'of opt.':>9} | {'pays for':>8} {'welfare':>9} {'own gain':>9} "
        f"| {'pays for':>10} {'welfare':>9}"
    )
    for line in rows:
        print(
            f"{line['members']:>7} {line['mechanism']:>10} {line['welfare_of_optimum']:>9.1%} "
            f"| {line['shading_gains_share']:>8.1%} {line['shading_gain_of_welfare']:>9.2%} "
            f"{line['shading_gain_of_own_gain']:>9.1%} | {line['response_gains_share']:>10.1%} "
            f"{line['response_gain_of_welfare']:>9.2%}"
        )


if __name__ == "__main__":
    main()
