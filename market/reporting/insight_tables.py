"""Merit order, duration curves and flows as tables for a terminal."""

from rich.table import Table

from market.reporting.duration import SHARES, exceeded
from market.reporting.energy_flows import energy_flows, name_of
from market.reporting.merit_order import MeritOrder
from market.reporting.report import OrderReport, Report
from market.reporting.series import FROM_GRID, TO_GRID, branch_prices, mean_powers
from market.reporting.tables import kwh, start_time, unit_price

MOST_ROWS = 20
"""Of a table here; the page and the JSON have all."""


def merit_table(report: Report, merit: MeritOrder) -> Table:
    """Dearest bid beside cheapest ask, and on; what is filled beside what is offered."""
    said = " and ".join(f"{unit_price(price):.4f}" for price in merit.prices) or "none"
    table = Table(
        title=f"{report.cell}: merit order of {start_time(merit.interval):%Y-%m-%d %H:%M} UTC, where most was traded"
        f" (price {said} {report.currency}/kWh; filled of offered kWh)"
    )
    for heading in ("buys", "at most", "kWh", "sells", "at least", "kWh"):
        table.add_column(heading, justify="left" if heading in {"buys", "sells"} else "right")
    for place in range(min(MOST_ROWS, max(len(merit.bids), len(merit.asks)))):
        table.add_row(*_side(report, merit.bids, place), *_side(report, merit.asks, place))
    return table


def duration_table(report: Report) -> Table:
    """For how much of the time which price and which power was reached."""
    table = Table(title=f"{report.cell}: reached or exceeded for so much of the time")
    table.add_column("")
    for share in SHARES:
        table.add_column(
            "highest" if not share else "lowest" if share == 1 else f"{share:.0%}", justify="right"
        )
    for name, prices in branch_prices(report).items():
        table.add_row(f"price {name}", *(_number(exceeded(prices, share), 4) for share in SHARES))
    powers = mean_powers(report)
    for name in (FROM_GRID, TO_GRID):
        table.add_row(f"kW {name}", *(_number(exceeded(powers[name], share), 3) for share in SHARES))
    return table


def flow_table(report: Report) -> Table:
    """Who supplied whom, the largest first."""
    table = Table(title=f"{report.cell}: who supplied whom, by contracts")
    table.add_column("from")
    table.add_column("to")
    table.add_column("kWh", justify="right")
    for flow in energy_flows(report)[:MOST_ROWS]:
        table.add_row(name_of(report, flow.source), name_of(report, flow.target), f"{kwh(flow.energy):.3f}")
    return table


def _side(report: Report, orders: tuple[OrderReport, ...], place: int) -> tuple[str, str, str]:
    if place >= len(orders):
        return "", "", ""
    order = orders[place]
    amount = f"{kwh(order.filled):.3f} of {kwh(order.offered):.3f}"
    return report.name_of(order.member), f"{unit_price(order.limit_price):.4f}", amount


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
