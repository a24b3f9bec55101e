"""Shell: a cell under churn: a node is killed and restarted every few seconds, and memory must stay flat.

Run as `python -m sim.testnet.churn --minutes 8`. Exit status 0 only if the chain went on, all ledgers verify and no
lasting process grew.
"""

import json
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from cyclopts import App

from sim.homes.households import load_households
from sim.testnet.preparation import Parameters, Prepared, prepare
from sim.testnet.processes import Daemon, stop_all
from sim.testnet.run import CONNECT_PER_NODE_S, CONNECT_S, until_ready
from sim.testnet.summary import audit

RESTART_EVERY_S = 10.0
DOWN_S = 4.0
WARM_UP_SHARE = 0.25
"""Memory is compared from here on: caches and allocators have filled by then."""
ALLOWED_GROWTH = 1.10

app = App(name="churn", help="A node is killed and restarted every few seconds; memory must stay flat.")


@dataclass(slots=True)
class Churn:
    """What was seen: memory samples (MB) of the nodes that were never restarted, and the restarts."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    restarts: int = 0

    def growth(self, whole_s: float) -> float:
        """The largest sample of the last quarter over the largest of the quarter after the warm-up."""
        early = [mb for at, mb in self.samples if WARM_UP_SHARE <= at / whole_s < 2 * WARM_UP_SHARE]
        late = [mb for at, mb in self.samples if at / whole_s >= 1 - WARM_UP_SHARE]
        return max(late) / max(early)


@app.default
def main(*, minutes: float = 8.0, nodes: int = 5, speed: int = 1200) -> None:
    """Run the churn in a directory of its own and print what came of it as one JSON object.

    Parameters
    ----------
    minutes
        How long, in real time.
    nodes
        Size of the cell; one node at a time is down.
    speed
        How many times faster than real time the cell's clock runs.
    """
    with TemporaryDirectory(prefix="wattswarm-churn-") as directory:
        result = trio.run(_run, Path(directory) / "cell", minutes * 60, nodes, speed)
    sys.stdout.write(json.dumps(result) + "\n")
    sys.exit(0 if result["ok"] else 1)


async def _run(directory: Path, duration_s: float, nodes: int, speed: int) -> dict[str, object]:
    intervals = int(duration_s * speed / 3600) + 10
    homes = load_households("fontana", homes=nodes, intervals=intervals)
    prepared = prepare(directory, Parameters(nodes, intervals, speed, "fontana", "summer", 0), homes)
    daemons = [Daemon(node) for node in prepared.nodes]
    churn = Churn()
    try:
        for daemon in daemons:
            daemon.start()
        await until_ready(daemons)
        prepared.start_clock(time.time_ns(), CONNECT_S + CONNECT_PER_NODE_S * nodes)
        await _restart_in_turn(daemons, churn, duration_s)
    finally:
        await stop_all(daemons)
    return _result(prepared, daemons, churn, duration_s)


async def _restart_in_turn(daemons: list[Daemon], churn: Churn, duration_s: float) -> None:
    """The first node is never touched; the others are killed one after the other."""
    began = trio.current_time()
    while (elapsed_s := trio.current_time() - began) < duration_s:
        victim = daemons[1 + churn.restarts % (len(daemons) - 1)]
        await trio.sleep(RESTART_EVERY_S - DOWN_S)
        victim.signal(signal.SIGKILL)
        await victim.ended()
        await trio.sleep(DOWN_S)
        victim.start()
        churn.restarts += 1
        churn.samples.append((elapsed_s, _memory_mb(daemons[0])))
        for daemon in daemons:
            daemon.follow()
        sys.stderr.write(
            f"{elapsed_s:5.0f} s  {churn.restarts} restarts  {churn.samples[-1][1]:.1f} MB"
            f"  heights {[daemon.view.height for daemon in daemons]}\n"
        )


def _memory_mb(daemon: Daemon) -> float:
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _result(prepared: Prepared, daemons: list[Daemon], churn: Churn, duration_s: float) -> dict[str, object]:
    for daemon in daemons:
        daemon.follow()
    verdicts = audit(prepared.nodes)
    growth = churn.growth(duration_s)
    height = daemons[0].view.height
    needed = duration_s * prepared.speed / prepared.interval_s / 2
    shortest = min(verdicts, key=lambda verdict: len(verdict.block_ids)).block_ids
    alike = all(verdict.block_ids[: len(shortest)] == shortest for verdict in verdicts)
    faults = {verdict.name: verdict.fault for verdict in verdicts if verdict.fault is not None}
    return {
        "restarts": churn.restarts,
        "blocks": height,
        "agreed": alike,
        "verified": not faults,
        "faults": faults,
        "memory_mb_first": churn.samples[0][1],
        "memory_mb_last": churn.samples[-1][1],
        "memory_growth": round(growth, 3),
        "ok": alike and not faults and growth <= ALLOWED_GROWTH and height >= needed,
    }


if __name__ == "__main__":
    app()
