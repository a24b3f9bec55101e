"""Agreement between real processes on loopback: latency, traffic, CPU and memory per node, by size of the cell.

Run as `python benchmarks/bench_agreement.py [INTERVALS]`. It prints a table for people and, as its last line, one JSON
object. The reference beside it, in the same run, is the cost that no agreement can avoid on this machine: verifying the
votes of one round (two per validator) on one core with PyNaCl alone.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey

from sim.homes.households import load_households
from sim.testnet.preparation import Parameters
from sim.testnet.run import run_testnet
from sim.testnet.waiting import TestnetError

SIZES = (4, 7, 8, 16)
SPEED = 1200
"""An hour of cell time in three seconds."""


def main(intervals: int) -> None:
    """Run one testnet per size and print what was measured."""
    verification_us = _verification_us()
    print(f"{_machine()}; one verification {verification_us:.0f} us")
    print(f"{'nodes':>5} {'blocks':>7} {'p50 ms':>8} {'p99 ms':>8} {'votes ms':>9} {'ratio':>6} "
          f"{'kB/interval':>12} {'CPU s/interval':>15} {'MB':>6}")  # fmt: skip
    results = []
    for nodes in SIZES:
        try:
            summary = _run(nodes, intervals)
        except TestnetError as failure:
            print(f"{nodes:>5} {failure}", flush=True)
            results.append({"nodes": nodes, "failure": str(failure)})
            continue
        floor_ms = 2 * nodes * verification_us / 1000
        p50 = float(str(summary["agreement_ms_p50"]))
        row = {**summary, "votes_verified_alone_ms": floor_ms, "ratio_to_votes": p50 / floor_ms}
        results.append(row)
        print(f"{nodes:>5} {summary['blocks']:>7} {p50:>8.0f} {summary['agreement_ms_p99']:>8.0f} {floor_ms:>9.2f} "
              f"{p50 / floor_ms:>6.0f} {float(str(summary['bytes_per_node_and_interval'])) / 1000:>12.1f} "
              f"{summary['cpu_s_per_node_and_interval']:>15.3f} {summary['memory_mb']:>6.0f}", flush=True)  # fmt: skip
    print(
        json.dumps(
            {"machine": _machine(), "speed": SPEED, "verification_us": verification_us, "runs": results}
        )
    )


def _run(nodes: int, intervals: int) -> dict[str, object]:
    homes = load_households("fontana", homes=nodes, intervals=intervals)
    parameters = Parameters(nodes, intervals, SPEED, "fontana", "summer", 0)
    with TemporaryDirectory(prefix="wattswarm-bench-") as directory:
        return trio.run(
            run_testnet, Path(directory) / "cell", parameters, homes, lambda prepared, daemons: None
        )


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
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
