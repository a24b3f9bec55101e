"""The control loop of a live node: how evenly it goes round, and how long a frequency step takes to a setpoint.

Run as `python benchmarks/bench_control.py [SECONDS] [--json]`. A cell of four real daemons runs; the first node has
Dynamic Containment armed and, as its battery, the SunSpec counterpart, a process that notes when each setpoint was
written to it over Modbus TCP. Frequency steps between 50.0 and 49.5 Hz at moments that have nothing to do with the
loop.

The reference is sim/measuring/bare_loop.py: a loop of the same period that only sleeps, in a process of its own, once
before any node runs and once beside the cell. A step is to it the time until its next pass.
"""

import json
import math
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from sim.counterparts.started import counterpart
from sim.measuring.live_cell import live_cell
from sim.measuring.pace import Pace, Spread, first_after, pace, spread, without_extra
from sim.testnet.preparation import Prepared

PERIODS_MS = (100, 10)
NODES = 4
SPEED = 300
"""An hour of cell time in twelve seconds: the battery lasts for the whole measurement."""
SECONDS = 30.0
ALONE_S = 5.0
ARMED_W = 1000.0
SHOWS_W = 600.0
"""A change of the setpoint that nothing but the armed service makes at once."""
STEP_S = (0.9, 1.4)
"""Real seconds between two steps, at random."""
APART_NS = 400_000_000
"""A step so near to the end of an interval is left out: the position changes there, too."""
PLANT = ("--real-time", "--speed", str(SPEED))
LOG = "cycles.jsonl"
NS_PER_S = 1_000_000_000


def main(seconds: float) -> None:
    """Measure each period and print it."""
    results = [trio.run(measure, period_ms, seconds) for period_ms in PERIODS_MS]
    if "--json" in sys.argv:
        print(json.dumps(results))
        return
    print(f"{'ms':>34}{'period p50':>11}{'p99':>11}{'max':>11}{'jitter p50':>11}{'p99':>11}{'max':>11}")
    for result in results:
        for name in ("bare loop, nothing runs", "bare loop beside the cell", "control loop"):
            shown, label = result[name], f"{result['period_ms']} ms, {name}"
            cells = [
                shown[what][rank] for what in ("period_ms", "jitter_ms") for rank in ("p50", "p99", "max")
            ]
            print(f"{label:>34}" + "".join(f"{cell:>11.3f}" for cell in cells))
        for name in ("bare loop: step to next pass", "step to decision", "step to written setpoint"):
            shown = result[name]
            print(f"{name:>34}{shown['p50']:>11.1f}{shown['p99']:>11.1f}{shown['max']:>11.1f}")
        ratios = result["ratios"]
        print(
            f"  {result['steps']} steps; "
            + "; ".join(f"{name} {value:.2f}" for name, value in ratios.items())
        )


async def measure(period_ms: int, seconds: float) -> dict[str, Any]:
    """One cell with one period."""
    period_ns = period_ms * 1_000_000
    alone = pace(json.loads(_bare(period_ms, ALONE_S).communicate()[0]), period_ns)
    edges: list[int] = []
    with TemporaryDirectory(prefix="wattswarm-bench-") as directory, counterpart(*PLANT) as server:

        def change(table: dict[str, Any], prepared: Prepared) -> None:
            edges.extend(_grid_profile(prepared))
            _configure(table, server.port, period_ms)

        async with live_cell(Path(directory) / "cell", NODES, change, SPEED) as cell:
            await cell.blocks(1)
            server.ask(writes=True)
            bare = _bare(period_ms, seconds)
            output = await trio.to_thread.run_sync(lambda: bare.communicate()[0])
            loop = json.loads(output)
            steps = [step for step in map(cell.real_ns, edges) if loop[0] < step < loop[-1] - NS_PER_S]
            ends = cell.interval_ends(loop[0], loop[-1])
            writes = [(at, value) for at, value in server.ask(writes=True)["writes"]]
        cycles = _cycles(cell.prepared.nodes[0] / LOG, loop[0], loop[-1])
    steps = [step for step in steps if all(abs(step - end) > APART_NS for end in ends)]
    control = pace(without_extra([at for at, _ in cycles], ends, period_ns), period_ns)
    return _result(period_ms, alone, pace(loop, period_ns), control, _delays(steps, loop, cycles, writes))


def _result(
    period_ms: int, alone: Pace, beside: Pace, control: Pace, delays: dict[str, list[float]]
) -> dict[str, Any]:
    found = {name: spread(values or [math.nan]) for name, values in delays.items()}
    return {
        "period_ms": period_ms,
        "bare loop, nothing runs": _shown(alone),
        "bare loop beside the cell": _shown(beside),
        "control loop": _shown(control),
        **{name: each.to_dict() for name, each in found.items()},
        "steps": len(delays["step to written setpoint"]),
        "ratios": {
            "jitter p99 to the bare loop beside the cell": _ratio(control.jitter_ms, beside.jitter_ms, "p99"),
            "median step to setpoint to the bare loop": _ratio(
                found["step to written setpoint"], found["bare loop: step to next pass"], "p50"
            ),
        },
    }


def _configure(table: dict[str, Any], port: int, period_ms: int) -> None:
    site = table["site"]
    site["cycle_real_ms"] = period_ms
    site["grid_profile"] = "grid.csv"
    site["dispatch_log"] = LOG
    site["dispatch_log_mb"] = 1000
    site["armed_services"] = [{"service": "gb-dynamic-containment", "up_w": ARMED_W, "down_w": ARMED_W}]
    site["ders"] = [each for each in site["ders"] if each["kind"] != "battery"]
    sizes = {"charge_w": 3000.0, "discharge_w": 3000.0, "capacity_wh": 8000.0}
    way = {"driver": "sunspec", "kind": "battery", "name": "cellar", "host": "127.0.0.1", "port": port}
    site["ders"].append({**way, **sizes})


def _grid_profile(prepared: Prepared) -> list[int]:
    """Write the frequency that the first node measures; returns the cell times at which it steps."""
    chance = random.Random(1)
    start_ns = prepared.first_gate_ns - 3 * prepared.interval_s * NS_PER_S
    edges = [start_ns]
    while edges[-1] < start_ns + 600 * SPEED * NS_PER_S:
        edges.append(edges[-1] + round(chance.uniform(*STEP_S) * SPEED * NS_PER_S))
    rows = [f"{edge},{49.5 if number % 2 else 50.0},1.0\n" for number, edge in enumerate(edges)]
    (prepared.nodes[0] / "grid.csv").write_text("start_ns,frequency_hz,voltage_pu\n" + "".join(rows), "utf-8")
    return edges


def _bare(period_ms: int, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "sim.measuring.bare_loop", str(period_ms), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _cycles(log: Path, first_ns: int, last_ns: int) -> list[tuple[int, float | None]]:
    """When each cycle began, and the frequency on which it decided."""
    found = []
    for line in log.read_bytes().splitlines():
        if line.startswith(b"{"):
            record = json.loads(line)
            at, heard = record["time"]["real_ns"], record["inputs"]["response"]
            if first_ns <= at <= last_ns:
                found.append((at, None if heard is None else heard["frequency_hz"]))
    return found


def _delays(
    steps: list[int], loop: list[int], cycles: list[tuple[int, float | None]], writes: list[tuple[int, float]]
) -> dict[str, list[float]]:
    """Of each step, ms until the bare loop's next pass, until a cycle decided on it, and until it was written."""
    delays: dict[str, list[float]] = {
        "bare loop: step to next pass": [],
        "step to decision": [],
        "step to written setpoint": [],
    }
    changes = [at for (at, now), (_, before) in zip(cycles[1:], cycles, strict=False) if now != before]
    jumps = [
        at for (at, now), (_, before) in zip(writes[1:], writes, strict=False) if abs(now - before) > SHOWS_W
    ]
    for step in steps:
        for name, times in zip(delays, (loop, changes, jumps), strict=True):
            found = first_after(step, times)
            if found is not None:
                delays[name].append((found - step) / 1e6)
    return delays


def _shown(found: Pace) -> dict[str, Any]:
    return {
        "passes": found.passes,
        "period_ms": found.period_ms.to_dict(),
        "jitter_ms": found.jitter_ms.to_dict(),
    }


def _ratio(ours: Spread, reference: Spread, rank: str) -> float:
    return round(asdict(ours)[rank] / asdict(reference)[rank], 2)


if __name__ == "__main__":
    main(next((float(each) for each in sys.argv[1:] if not each.startswith("-")), SECONDS))
