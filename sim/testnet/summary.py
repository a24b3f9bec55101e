"""Shell: what came of a testnet: every ledger verified, the ids compared, and the figures of the run."""

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ledger.audit.audit import verify_directory
from ledger.files.directory import LEDGER_FILE
from market.cell import EnergyCell
from market.reporting.report import Report
from market.reporting.source import read_report
from market.units import ENERGY_PER_KWH, PRICE_PER_UNIT
from sim.testnet.watch import NodeView


@dataclass(frozen=True, slots=True)
class Verdict:
    """One node's ledger: the ids of its blocks if it verifies, else the first thing wrong.

    `money` is the sum of all accounts after the last block, pico-currency.
    """

    name: str
    block_ids: tuple[bytes, ...]
    fault: str | None
    money: int = 0


class Summary(TypedDict):
    """The figures of a run; docs/reports.md says what each one is."""

    ok: bool
    nodes: int
    intervals: int
    blocks: int
    traded_intervals: int
    agreed: bool
    verified: bool
    faults: dict[str, str]
    traded_kwh: float
    traded_between_members_kwh: float
    local_share: float | None
    price_mean: float | None
    currency: str
    agreement_ms_p50: float | None
    agreement_ms_p99: float | None
    bytes_per_node_and_interval: float | None
    cpu_s_per_node_and_interval: float | None
    memory_mb: float
    exit_statuses: dict[str, int]
    directory: str


def audit(directories: Iterable[Path]) -> list[Verdict]:
    """Verify every node's ledger, offline."""
    verdicts = []
    for directory in directories:
        report = verify_directory(directory, EnergyCell())
        failure = report.failure
        fault = (
            None
            if failure is None
            else f"{failure.where}: expected {failure.expected}, found {failure.found}"
        )
        ids = () if report.tip is None else tuple(_block_ids(directory, report.tip.height))
        balances = {} if report.tip is None else report.tip.state.balances
        money = sum(balances[account] for account in balances)
        verdicts.append(Verdict(directory.name, ids, fault, money))
    return verdicts


def _block_ids(directory: Path, height: int) -> Iterable[bytes]:
    with closing(sqlite3.connect(f"file:{directory / LEDGER_FILE}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT id FROM blocks WHERE height <= ? ORDER BY height", (height,))
        return [bytes(row[0]) for row in rows]


def agreed(verdicts: Sequence[Verdict]) -> bool:
    """Whether all nodes hold the same blocks, and at least one."""
    first = verdicts[0].block_ids
    return len(first) > 0 and all(verdict.block_ids == first for verdict in verdicts)


def summarise(
    directory: Path,
    views: dict[str, NodeView],
    verdicts: Sequence[Verdict],
    intervals: int,
    statuses: dict[str, int],
    *,
    covered: bool,
) -> Summary:
    """The summary of a run. `covered`: every node decided or fetched the block of the last interval."""
    report = read_report(directory).report
    latencies = sorted(
        block.agreement_ms
        for view in views.values()
        for block in view.blocks.values()
        if block.agreement_ms is not None
    )
    traded = sum(row.volume for row in report.standing)
    blocks = len(verdicts[0].block_ids)
    same = covered and agreed(verdicts)
    verified = all(verdict.fault is None for verdict in verdicts)
    return {
        "ok": same and verified and not any(statuses.values()),
        "nodes": len(views),
        "intervals": intervals,
        "blocks": blocks,
        "traded_intervals": sum(1 for row in report.standing if row.volume > 0),
        "agreed": same,
        "verified": verified,
        "faults": {verdict.name: verdict.fault for verdict in verdicts if verdict.fault is not None},
        "traded_kwh": traded / ENERGY_PER_KWH,
        "traded_between_members_kwh": sum(row.between_members for row in report.standing) / ENERGY_PER_KWH,
        "local_share": report.local / report.consumption if report.consumption else None,
        "price_mean": _mean_price(report),
        "currency": report.currency,
        "agreement_ms_p50": percentile(latencies, 50),
        "agreement_ms_p99": percentile(latencies, 99),
        "bytes_per_node_and_interval": _per_node(views, _network_bytes, intervals),
        "cpu_s_per_node_and_interval": _per_node(views, _cpu_s, intervals),
        "memory_mb": max((_number(view.usage.get("memory_mb")) for view in views.values()), default=0.0),
        "exit_statuses": statuses,
        "directory": str(directory),
    }


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile of sorted values, or None without any."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else None


def _mean_price(report: Report) -> float | None:
    """The mean of the prices at which energy moved, over branches and intervals, in currency per kWh."""
    prices = [
        branch.price
        for row in report.standing
        for branch in row.branches
        if branch.price is not None and row.volume > 0
    ]
    return sum(prices) / len(prices) / PRICE_PER_UNIT if prices else None


def _per_node(
    views: dict[str, NodeView], measure: Callable[[NodeView], float], intervals: int
) -> float | None:
    measured = [measure(view) for view in views.values() if view.usage]
    return sum(measured) / len(measured) / intervals if measured and intervals else None


def _network_bytes(view: NodeView) -> float:
    network = view.usage.get("network")
    return sum(
        _number(network.get(name)) if isinstance(network, dict) else 0.0
        for name in ("bytes_sent", "bytes_received")
    )


def _cpu_s(view: NodeView) -> float:
    return _number(view.usage.get("cpu_s")) + _number(view.usage.get("control_cpu_s"))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
