"""What it is worth that control goes first: its jitter with and without, in turn, beside processes that compute.

Run as `python benchmarks/bench_going_first.py [SECONDS] [--json]`. One control process with simulated devices cycles
every 20 ms. Beside it two processes for each core compute, each in a session of its own. Every SECONDS (4) the class of
control's threads is changed from outside; the reference is SCHED_OTHER, as where control may not go first. Needs the
right to set real-time priorities: root, or `ulimit -r 2`.
"""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from devices.process.going_first import Turn
from sim.measuring.pace import spread

CYCLE_MS = 20
SECONDS, ROUNDS = 4.0, 5
START_S = 20.0
PER_CORE = 2
HOUR_NS = 3600 * 10**9
NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
COMPUTE = "while True: sum(range(10_000))"


def main(seconds: float) -> None:
    """Measure and print."""
    result = measure(seconds)
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    for name in ("others", "first"):
        jitter = result[name]
        print(
            f"{name:>7}: jitter p50 {jitter['p50']:.2f} ms, p99 {jitter['p99']:.2f} ms, max {jitter['max']:.2f} ms"
        )
    print(f"p99 going first, to that beside others: {result['p99_ratio']}")


def measure(seconds: float) -> dict[str, Any]:
    """Jitter of control's period, ms, as one among others and going first."""
    found: dict[str, list[float]] = {"others": [], "first": []}
    with TemporaryDirectory(prefix="wattswarm-bench-") as name:
        folder = Path(name)
        with control(folder) as pid, computing():
            spans = [(kind, span_of(kind, pid, seconds)) for _ in range(ROUNDS) for kind in found]
        lines = (
            line for line in (folder / "cycles.jsonl").read_bytes().splitlines() if line.startswith(b"{")
        )
        times = [json.loads(line)["time"]["real_ns"] for line in lines]
    for kind, (begin, end) in spans:
        within = [at for at in times if begin <= at <= end]
        found[kind] += [
            abs(later - earlier - CYCLE_MS * NS_PER_MS) / NS_PER_MS
            for earlier, later in itertools.pairwise(within)
        ]
    shown = {kind: spread(jitter).to_dict() for kind, jitter in found.items()}
    return {**shown, "p99_ratio": round(shown["first"]["p99"] / shown["others"]["p99"], 4)}


def span_of(kind: str, pid: int, seconds: float) -> tuple[int, int]:
    """Let control run so for a while; from when to when."""
    for thread in (int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()):
        if kind == "first":
            turn = Turn.LOOP if thread == pid else Turn.BESIDE
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(int(turn)))
        else:
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
    began = time.monotonic_ns()
    time.sleep(seconds)
    return began + NS_PER_S // 4, time.monotonic_ns()


@contextmanager
def control(folder: Path) -> Iterator[int]:
    """A control process that logs its cycles."""
    profile = folder / "profile.csv"
    profile.write_text(
        "\n".join(["start_ns,load_w,pv_w", *(f"{hour * HOUR_NS},500,3000" for hour in range(100))])
    )
    config: dict[str, Any] = {
        "data_dir": str(folder / "node"),
        "profile": str(profile),
        "interval_s": 3600,
        "clock": {"start_wall_ns": time.time_ns(), "epoch_ns": 0, "speed": 1.0},
        "connection": {"minimum_w": -8000, "maximum_w": 5000},
        "ders": [
            {
                "kind": "battery",
                "name": "battery",
                "charge_w": 3000,
                "discharge_w": 3000,
                "capacity_wh": 8000,
            },
            {"kind": "pv", "name": "roof", "maximum_w": 9000},
            {"kind": "load", "name": "house", "maximum_w": 9000},
        ],
        "cycle_ms": CYCLE_MS,
        "dispatch_log": str(folder / "cycles.jsonl"),
    }
    (folder / "control.json").write_text(json.dumps(config))
    command = [
        sys.executable,
        "-m",
        "devices.process.control_process",
        "--config",
        str(folder / "control.json"),
    ]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        ends = time.monotonic() + START_S
        while not (folder / "cycles.jsonl").exists() and time.monotonic() < ends:
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(START_S)


@contextmanager
def computing() -> Iterator[None]:
    """Processes that compute, each in a session of its own, as other services of the machine are."""
    count = PER_CORE * (os.cpu_count() or 1)
    busy = [subprocess.Popen([sys.executable, "-c", COMPUTE], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main(next((float(each) for each in sys.argv[1:] if not each.startswith("-")), SECONDS))
