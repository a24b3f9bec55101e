"""Shares of a request over 10,000 members, against the largest remainder method in plain Python integers.

Run with `python benchmarks/bench_shares.py [--json]`. Each time is the median of many runs, garbage collection off.
The reference splits the same headroom in the same run, with divmod and one sort, and knows no branch, no health and
no state of charge; the results must be equal. What a node does once when its view changes (arrays from messages) is a
row of its own.
"""

import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from devices.swarm.shares import equalised, proportional
from devices.swarm.view import Member, Request, SwarmView

SIZES = (100, 1_000, 10_000)
RUNS = 41
SEED = 20_261_121
LIMIT_MS = 5.0


def random_members(count: int) -> list[Member]:
    """Homes with 3 to 10 kW and 5 to 20 kWh, reserves of a fifth, wear of 0.02 to 0.08 per kWh."""
    rng = np.random.default_rng(SEED)
    members = []
    for index in range(count):
        capacity = int(rng.integers(5_000_000, 20_000_000))
        stored = int(rng.integers(0, capacity))
        members.append(
            Member(
                id=f"{index:032x}",
                branch=f"branch-{index % 40}",
                up_mw=int(rng.integers(3_000_000, 10_000_000)),
                down_mw=int(rng.integers(3_000_000, 10_000_000)),
                up_energy=max(0, stored - capacity // 5),
                down_energy=capacity - stored,
                stored=stored,
                capacity=capacity,
                health=int(rng.integers(400, 1001)),
                wear=int(rng.integers(20_000, 80_000)),
            )
        )
    return members


def plain(total: int, weights: list[int]) -> list[int]:
    """The reference."""
    sum_ = sum(weights)
    parts = [divmod(weight * total, sum_) for weight in weights]
    shares = [quotient for quotient, _ in parts]
    order = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))
    for index in order[: total - sum(shares)]:
        shares[index] += 1
    return shares


def median_ms(work: Callable[[], object]) -> float:
    """Milliseconds of one run."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def measure(count: int) -> dict[str, float | int]:
    """All figures of one size."""
    members = random_members(count)
    view = SwarmView(members)
    request = Request("r", 1_500_000 * count, 900)
    headroom_mw = view.headroom_mw(request).tolist()
    given_mw = min(request.power_mw, sum(headroom_mw))
    assert proportional(view, request).power_mw.tolist() == plain(given_mw, headroom_mw)
    proportional_ms = median_ms(lambda: proportional(view, request))
    plain_ms = median_ms(lambda: plain(given_mw, headroom_mw))
    return {
        "members": count,
        "proportional_ms": proportional_ms,
        "equalised_ms": median_ms(lambda: equalised(view, request)),
        "plain_python_ms": plain_ms,
        "ratio": plain_ms / proportional_ms,
        "view_ms": median_ms(lambda: SwarmView(members)),
    }


def main() -> None:
    """Print one row per size; exit status 1 if 10,000 members take longer than they may."""
    gc.disable()
    rows = [measure(count) for count in SIZES]
    if "--json" in sys.argv:
        print(json.dumps({"rows": rows, "machine": platform.machine(), "python": platform.python_version()}))
    else:
        print("members  proportional  equalised  plain Python  ratio  view (ms)")
        for row in rows:
            print(
                f"{row['members']:>7}  {row['proportional_ms']:>12.3f}  {row['equalised_ms']:>9.3f}"
                f"  {row['plain_python_ms']:>12.3f}  {row['ratio']:>5.1f}  {row['view_ms']:>6.2f}"
            )
    worst = max(rows[-1]["proportional_ms"], rows[-1]["equalised_ms"])
    sys.exit(0 if worst < LIMIT_MS else 1)


if __name__ == "__main__":
    main()
