"""Shell: `wattswarm market report`: tables in the terminal, JSON, one HTML page, Parquet files."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from market.reporting.files import write_tables
from market.reporting.insight_tables import duration_table, flow_table, merit_table
from market.reporting.merit_order import merit_order, telling_interval
from market.reporting.page import HEADINGS, member_cells, percent, report_page
from market.reporting.report import IntervalReport, Report
from market.reporting.source import read_report
from market.reporting.tables import kwh, report_json, start_time, unit_price, units
from market.terminal import table_console

MAX_ROWS = 48
"""Intervals shown in the terminal: two days of hours; more are in the page and the files."""


def market_report(
    directory: Path,
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    html: Path | None = None,
    parquet: Path | None = None,
) -> None:
    """Report on a ledger: prices, volumes, who supplied whom, and each member's bill with the market and without.

    Every block is verified on the way.

    Example: wattswarm market report ./demo-cell --html report.html

    Exit status: 0 reported; 1 no ledger holds; 4 a file cannot be written.

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node that verifies is used.
    as_json
        Print the report as one JSON object instead of tables.
    html
        Write one page with plots that opens offline.
    parquet
        Write intervals, branches, members and settlements as Parquet files into this folder, partitioned by cell and
        day, exact to the last digit; `wattswarm market sql` reads them.
    """
    source = read_report(directory)
    report = source.report
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(report_page(report), encoding="utf-8")
    if parquet is not None:
        write_tables(report, parquet)
    console = table_console()
    if as_json:
        console.file.write(json.dumps(report_json(report), ensure_ascii=False) + "\n")
        return
    print_report(report, console)
    console.print(f"From {source.directory}, {report.blocks} blocks verified.")
    for path in (html, parquet):
        if path is not None:
            console.print(f"Wrote {path}")


def print_report(report: Report, console: Console) -> None:
    """The report as tables for people."""
    console.print(interval_table(report))
    if len(report.intervals) > MAX_ROWS:
        console.print(
            f"The last {MAX_ROWS} of {len(report.intervals)} intervals; --html and --parquet have all."
        )
    console.print(member_table(report))
    telling = telling_interval(report)
    if telling is not None:
        console.print(flow_table(report))
        console.print(merit_table(report, merit_order(telling)))
        console.print(duration_table(report))
    for mismatch in report.mismatches[-MAX_ROWS:]:
        branch = report.intervals[0].branches[mismatch.branch].name
        concerned = ", ".join(report.name_of(member) for member in mismatch.members)
        console.print(
            f"Interval {mismatch.interval}: the meter of {branch} says {kwh(mismatch.metered):.3f} kWh, the members "
            f"below {kwh(mismatch.summed):.3f}; it may concern {concerned}"
        )
    saving = units(sum(member.saving for member in report.members))
    console.print(
        f"Self-sufficiency {percent(report.local, report.consumption)}, "
        f"self-consumption {percent(report.local, report.contribution)}, "
        f"saved against the tariff {saving:z.2f} {report.currency}"
    )


def interval_table(report: Report) -> Table:
    """Prices and volumes of the last intervals; in brackets the quotes where nothing traded."""
    table = Table(title=f"{report.cell}: intervals (price per kWh in {report.currency}, energy in kWh)")
    table.add_column("start (UTC)")
    table.add_column("auction")
    for branch in report.intervals[0].branches if report.intervals else ():
        table.add_column(branch.name, justify="right")
    for heading in ("between members", "import", "export", "consumed", "local"):
        table.add_column(heading, justify="right")
    for interval in report.intervals[-MAX_ROWS:]:
        table.add_row(*_interval_cells(interval))
    return table


def member_table(report: Report) -> Table:
    """Energy and money of each member over the settled intervals."""
    table = Table(title=f"{report.cell}: members (money in {report.currency})")
    for index, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if index < 2 else "right")
    for member in report.members:
        table.add_row(*member_cells(member))
    return table


def _interval_cells(interval: IntervalReport) -> list[str]:
    settled = interval.settled
    return [
        f"{start_time(interval):%Y-%m-%d %H:%M}",
        interval.fate.value,
        *(_price(branch.price, branch.best_bid, branch.best_ask) for branch in interval.branches),
        f"{kwh(interval.between_members):.3f}",
        f"{kwh(interval.grid_import):.3f}",
        f"{kwh(interval.grid_export):.3f}",
        f"{kwh(interval.consumption):.3f}" if settled else "",
        percent(interval.local, interval.consumption) if settled else "",
    ]


def _price(price: int | None, bid: int | None, ask: int | None) -> str:
    if price is not None:
        return f"{unit_price(price):.4f}"
    if bid is None and ask is None:
        return "–"
    return f"({_quote(bid)} / {_quote(ask)})"


def _quote(price: int | None) -> str:
    return "–" if price is None else f"{unit_price(price):.4f}"
