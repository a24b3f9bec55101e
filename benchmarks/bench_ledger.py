"""What one node can take: entries ingested, agreed and applied per second on one core, and bytes at field load.

Run as `python benchmarks/bench_ledger.py [SIZE ...]` (default 4 16 40 100 200). It prints a table for people and, as
its last line, one JSON object. One real daemon's core, with its ordering, store, log, sign guard and turns, is a
validator of a cell whose other members are scripts: they send it their entries, the proposal with its block, and the
votes of all. Only its own work is timed, on one core; what the scripts sign is prepared outside.

References in the same run: Quartierstrom's 10 transactions per second at 40 validators (its published figure), and
PyNaCl's verification alone of the same number of signatures. Numbers of a busy machine are only indicative.

The bytes are what this daemon sends in one interval of 300 s in which every member writes one order and one reading:
every message is counted as often as it is sent, to each neighbour, and each gossiped entry as often as the mesh makes
a node pass it on. Framing by TCP, Noise and Yamux is not in it. `swarm` are the capacity messages of all members, as
often as they are said when nothing changes: they serve dispatch and agree on nothing. A change of a fiftieth is one
more message.
"""

import json
import os
import platform
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey

from sim.measuring.measured_node import INTERVAL_S, MeasuredNode

SIZES = (4, 16, 40, 100, 200)
ENTRIES_AIMED_AT = 1200
"""Entries per size in all, so that each is measured for about as long."""
BUSY_ORDERS = 9
"""Orders per member and interval in the busy case; with the reading ten entries."""
QUARTIERSTROM_PER_S = 10.0
LIMIT_KBIT_S = 100.0


def main(sizes: list[int]) -> None:
    """Measure and print."""
    core = sorted(os.sched_getaffinity(0))[0]
    os.sched_setaffinity(0, [core])
    verification_us = _verification_us()
    print(f"{_machine()}; one verification {verification_us:.0f} us")
    print(f"{'members':>7} {'blocks':>6} {'field /s':>9} {'x Q.':>6} {'busy /s':>9} {'x Q.':>6} {'of PyNaCl':>9} "
          f"{'ms/block':>9} {'ledger kbit/s':>13} {'entries':>8} {'votes':>7} {'sync':>7} "
          f"| {'swarm kbit/s':>12}")  # fmt: skip
    runs = []
    for size in sizes:
        field, busy, sent = _throughput(size, 1), _throughput(size, BUSY_ORDERS), _bytes_sent(size)
        alone = 1e6 / verification_us
        row = {"members": size, "field": field, "busy": busy, "kbit_s": sent}
        runs.append(row)
        share = busy["signatures_per_s"] / alone
        print(f"{size:>7} {field['blocks']:>6.0f} {field['entries_per_s']:>9.0f} "
              f"{field['entries_per_s'] / QUARTIERSTROM_PER_S:>6.0f} {busy['entries_per_s']:>9.0f} "
              f"{busy['entries_per_s'] / QUARTIERSTROM_PER_S:>6.0f} {share:>9.0%} {field['ms_per_block']:>9.1f} "
              f"{sent['ledger']:>13.1f} {sent['entries']:>8.1f} {sent['votes']:>7.1f} {sent['sync']:>7.1f} | "
              f"{sent['swarm']:>12.1f}", flush=True)  # fmt: skip
    print(json.dumps({"machine": _machine(), "verification_us": verification_us, "runs": runs}))


def _throughput(size: int, orders: int) -> dict[str, float]:
    """Entries per second of wall time on one core, with what two blocks warm up left out."""
    per_block = (size - 1) * (orders + 1)
    blocks = max(3, ENTRIES_AIMED_AT // per_block)
    with TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        node = MeasuredNode(Path(directory), size)
        node.run_block(orders)
        node.run_block(orders)
        node.forget_measurements()
        for _ in range(blocks):
            node.run_block(orders)
        node.close()
    entries = blocks * per_block
    signatures = entries + blocks * (3 * size - 2)
    return {
        "blocks": blocks,
        "entries": entries,
        "entries_per_s": entries / node.wall_s,
        "entries_per_cpu_s": entries / node.cpu_s,
        "signatures_per_s": signatures / node.wall_s,
        "ms_per_block": node.wall_s / blocks * 1e3,
    }


def _bytes_sent(size: int) -> dict[str, float]:
    """kbit per second that one node sends over whole intervals, by what for."""
    with TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        node = MeasuredNode(Path(directory), size)
        node.run_block(1)
        node.forget_measurements()
        blocks = min(size, 4)
        for _ in range(blocks):
            node.run_block(1)
        node.close()
    sent: Counter[str] = Counter(node.sent)
    rate = {
        name: sent[name] * 8 / 1000 / (blocks * INTERVAL_S) for name in ("entries", "votes", "sync", "swarm")
    }
    return {**rate, "ledger": rate["entries"] + rate["votes"] + rate["sync"], "limit": LIMIT_KBIT_S}


def _verification_us() -> float:
    """Microseconds of one Ed25519 verification of a vote-sized message."""
    key = SigningKey.generate()
    signed = key.sign(bytes(110))
    public = key.verify_key.encode()
    repeats = 2000
    began = time.perf_counter()
    for _ in range(repeats):
        crypto_sign_open(signed, public)
    return (time.perf_counter() - began) / repeats * 1e6


def _machine() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{(names or [platform.machine()])[0]}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or list(SIZES))
