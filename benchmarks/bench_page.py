"""The page of a live node: how fast it is, what it weighs, and what 200 viewers cost.

Run as `python benchmarks/bench_page.py [SECONDS] [--json]`. A cell of four real daemons runs, the first with its page.
The system's Chromium loads it five times afresh, then watches how the load changes: the simulated house steps at known
moments, and an observer in the page notes when it is drawn. Part of that is sampling by design: control measures every
100 ms and shows every 500 ms.

Then phases of SECONDS in turn, without viewers and with 200 and one that never reads: CPU and memory of the web server,
jitter of the control loop and latency of agreement. The reference for all of them is the phases without viewers.
"""

import csv
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio
from playwright.sync_api import Browser, Page, sync_playwright

from node.web.web_process import WEB_ADDRESS_FILE
from sim.measuring.live_cell import SPEED, LiveCell, live_cell
from sim.measuring.pace import spread, without_extra
from sim.measuring.process_use import cpu_s, memory_mb, with_words
from sim.testnet.layout import PROFILE_FILE
from sim.testnet.preparation import Prepared
from sim.testnet.waiting import until

NODES = 4
SECONDS = 20.0
WATCHED_S = 60.0
ROUNDS = 2
LOADS = 5
VIEWERS = 200
PERIOD_NS = 100_000_000
STEP_S = (1.0, 2.0)
"""Real seconds between two steps of the load, at random."""
LOADS_W = (1200, 2300)
SAID = ("uses 1.2 kW", "uses 2.3 kW")
LOG = "cycles.jsonl"
NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
WAIT_MS = 60_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHOWN = 'main[data-page="home"] .flow'
OBSERVE = """() => {
  const flow = document.querySelector(".flow");
  window.seen = [];
  new MutationObserver(() => requestAnimationFrame(() => {
    window.seen.push([performance.timeOrigin + performance.now(), flow.getAttribute("aria-label")]);
  })).observe(flow, { attributes: true, attributeFilter: ["aria-label"] });
}"""
FIGURES = """() => {
  const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [loaded.length, loaded.reduce((sum, each) => sum + each.transferSize, 0), paint.startTime, performance.now()];
}"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load of the page with nothing cached: ms from the navigation's start to something on the screen and to the
    power flow with its figures.
    """

    requests: int
    transferred_kb: float
    first_render_ms: float
    shown_ms: float


@dataclass
class Phases:
    """What was measured without viewers, or with them, over all rounds."""

    jitter_ms: list[float] = field(default_factory=list)
    agreement_ms: list[float] = field(default_factory=list)
    cpu_share: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For a JSON report."""
        return {
            "control_jitter_ms": spread(self.jitter_ms).to_dict(),
            "agreement_ms": spread(self.agreement_ms).to_dict(),
            "web_server_cpu_share": round(sum(self.cpu_share) / len(self.cpu_share), 4),
            "web_server_memory_mb": round(max(self.memory_mb), 1),
        }


def main(seconds: float) -> None:
    """Measure and print."""
    result = trio.run(measure, seconds)
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    loaded, changed = result["loaded"], result["change_to_page_ms"]
    print(f"page: {loaded['requests']} requests, {loaded['transferred_kb']:.0f} kB, "
          f"first render {loaded['first_render_ms']:.0f} ms, flows shown {loaded['shown_ms']:.0f} ms; "
          f"medians of {LOADS}")  # fmt: skip
    print(f"from a changed load to the changed page, {result['changes']} changes: p50 {changed['p50']:.0f} ms, "
          f"p99 {changed['p99']:.0f} ms, max {changed['max']:.0f} ms")  # fmt: skip
    for name in ("nobody", "viewers"):
        shown = result[name]
        jitter, agreed = shown["control_jitter_ms"], shown["agreement_ms"]
        print(f"{name:>8}: web server {shown['web_server_cpu_share']:.1%} of a core, "
              f"{shown['web_server_memory_mb']} MB; "
              f"control jitter p50 {jitter['p50']:.2f} ms, p99 {jitter['p99']:.2f} ms; "
              f"agreement p50 {agreed['p50']:.0f} ms, p99 {agreed['p99']:.0f} ms")  # fmt: skip
    print(
        "with viewers as a ratio: " + ", ".join(f"{name} {value}" for name, value in result["ratios"].items())
    )
    print(f"events to viewers per second: {result['events_per_s']:.0f}; came back: {result['came_back']}")


async def measure(seconds: float) -> dict[str, Any]:
    """One cell, one page, all phases."""
    edges: list[int] = []

    def change(table: dict[str, Any], prepared: Prepared) -> None:
        table["web"] = {"listen": "127.0.0.1:0"}
        table["site"]["dispatch_log"] = LOG
        table["site"]["dispatch_log_mb"] = 1000
        edges.extend(_step_the_load(prepared.nodes[0] / PROFILE_FILE, prepared))

    with TemporaryDirectory(prefix="wattswarm-bench-") as directory:
        async with live_cell(Path(directory) / "cell", NODES, change) as cell:
            node = cell.prepared.nodes[0]
            assert await until((node / WEB_ADDRESS_FILE).exists, 60.0)
            address = (node / WEB_ADDRESS_FILE).read_text("utf-8").strip()
            (server,) = with_words("node.web.web_process", str(node / "node.toml"))
            loads = await trio.to_thread.run_sync(load_afresh, address, LOADS)
            seen = await trio.to_thread.run_sync(watch_flows, address, WATCHED_S)
            nobody, viewers, heard = Phases(), Phases(), {"events": 0, "came back": 0}
            for _ in range(ROUNDS):
                await _phase(cell, server, seconds, nobody)
                crowd = await trio.to_thread.run_sync(_crowd, address)
                await _phase(cell, server, seconds, viewers)
                said = json.loads((await trio.to_thread.run_sync(crowd.communicate))[0])
                heard = {name: count + said.get(name, 0) for name, count in heard.items()}
    changes = list(_delays_ms([cell.clock.wall_ns(edge) / NS_PER_MS for edge in edges], seen))
    shown = {"nobody": nobody.to_dict(), "viewers": viewers.to_dict()}
    return {
        "loaded": _median(loads),
        "change_to_page_ms": spread(changes).to_dict(),
        "changes": len(changes),
        **shown,
        "ratios": {
            f"{what} {rank}": round(shown["viewers"][what][rank] / shown["nobody"][what][rank], 2)
            for what in ("control_jitter_ms", "agreement_ms")
            for rank in ("p50", "p99")
        },
        "events_per_s": heard["events"] / ROUNDS / seconds,
        "came_back": heard["came back"],
    }


def _step_the_load(profile: Path, prepared: Prepared) -> list[int]:
    """Let the house of the first node step to and fro; returns the cell times of the steps, the first to LOADS_W[0]."""
    chance = random.Random(1)
    begins_ns = prepared.first_gate_ns - prepared.interval_s * NS_PER_S
    with profile.open(encoding="utf-8", newline="") as file:
        past = [row for row in csv.reader(file) if not row[0].isdecimal() or int(row[0]) < begins_ns]
    edges = [begins_ns]
    while edges[-1] < begins_ns + 600 * SPEED * NS_PER_S:
        edges.append(edges[-1] + round(chance.uniform(*STEP_S) * SPEED * NS_PER_S))
    with profile.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerows(past)
        rows.writerows((edge, LOADS_W[number % 2], 0) for number, edge in enumerate(edges))
    return edges


async def _phase(cell: LiveCell, server: int, seconds: float, into: Phases) -> None:
    """Let time pass, and add what it was like."""
    first, began_ns, used_s = cell.height, cell.monotonic_ns(), cpu_s(server)
    await trio.sleep(seconds)
    ended_ns = cell.monotonic_ns()
    into.cpu_share.append((cpu_s(server) - used_s) / (ended_ns - began_ns) * NS_PER_S)
    into.memory_mb.append(memory_mb(server))
    into.agreement_ms += cell.agreement_ms(range(first + 1, cell.height + 1))
    times = _cycles(cell.prepared.nodes[0] / LOG, began_ns, ended_ns)
    even = without_extra(times, cell.interval_ends(began_ns, ended_ns), PERIOD_NS)
    into.jitter_ms += [
        abs(later - earlier - PERIOD_NS) / NS_PER_MS for earlier, later in itertools.pairwise(even)
    ]


def _crowd(address: str) -> "subprocess.Popen[str]":
    """Viewers, all of them served."""
    command = [sys.executable, "-m", "sim.measuring.page_viewers", address, str(VIEWERS)]
    crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert crowd.stdout is not None
    assert json.loads(crowd.stdout.readline())["served"] == VIEWERS
    return crowd


def _cycles(log: Path, first_ns: int, last_ns: int) -> list[int]:
    lines = (line for line in log.read_bytes().splitlines() if line.startswith(b"{") and line.endswith(b"}"))
    times = (json.loads(line)["time"]["real_ns"] for line in lines)
    return [at for at in times if first_ns <= at <= last_ns]


def _delays_ms(steps_ms: Sequence[float], seen: Sequence[tuple[float, str]]) -> Iterable[float]:
    """Of each step while the page was watched, how long until it was drawn."""
    for number, step in enumerate(steps_ms[:-1]):
        if seen[0][0] < step < seen[-1][0]:
            drawn = [at for at, words in seen if SAID[number % 2] in words and at >= step]
            if drawn and drawn[0] < steps_ms[number + 1]:
                yield drawn[0] - step


def _median(loads: list[Loaded]) -> dict[str, float]:
    return {
        "requests": spread(each.requests for each in loads).p50,
        "transferred_kb": spread(each.transferred_kb for each in loads).p50,
        "first_render_ms": spread(each.first_render_ms for each in loads).p50,
        "shown_ms": spread(each.shown_ms for each in loads).p50,
    }


def load_afresh(address: str, times: int) -> list[Loaded]:
    """Load the page so many times, each with nothing cached."""
    found = []
    with _browser() as browser:
        for _ in range(times):
            with _page(browser, address) as page:
                requests, transferred, first, shown = page.evaluate(FIGURES)
                found.append(Loaded(requests, transferred / 1000, first, shown))
    return found


def watch_flows(address: str, seconds: float) -> list[tuple[float, str]]:
    """When the power flow was drawn anew, and what it then said in words."""
    with _browser() as browser, _page(browser, address) as page:
        page.evaluate(OBSERVE)
        page.wait_for_timeout(seconds * 1000)
        return [(at, words) for at, words in page.evaluate("() => window.seen")]


@contextmanager
def _browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program is not None, "no Chromium on this machine: run scripts/system_packages.sh"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{address}/#home")
    page.wait_for_selector(SHOWN)
    try:
        yield page
    finally:
        context.close()


if __name__ == "__main__":
    main(next((float(each) for each in sys.argv[1:] if not each.startswith("-")), SECONDS))
