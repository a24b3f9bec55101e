"""A comparison as one HTML page that opens offline: what it says, the table, and five figures.

Plotly's JavaScript is inside the file. Figures that show single homes and days are of the first seed.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from market.reporting.page import STYLE
from market.units import ENERGY_PER_KWH, MONEY_PER_UNIT, PRICE_PER_UNIT
from sim.market_year.comparison import Played
from sim.market_year.measures import Spread
from sim.market_year.tables import COLUMNS, Rows, cell

WORDS = (
    ("tariff only", "Every home pays its supplier for what its own meter shows. No batteries."),
    ("alone", "Each home uses its battery for itself; there is nobody to trade with but the supplier."),
    (
        "collective",
        "As alone, but what some feed in while others draw is shared at the middle of the two prices.",
    ),
    (
        "perfect foresight",
        "The least that all could pay together if everything were known in advance. Not reachable.",
    ),
    ("of possible", "The saving as a share of that of perfect foresight."),
    (
        "worse off",
        "Homes that pay more than alone; after sharing: when what is kept is paid out in equal parts.",
    ),
    ("kept", "What imbalances and the mechanism leave in the community account, beside the supplier's bill."),
    (
        "Jain, Gini",
        "Fairness of the members' gains over being alone: Jain 1 and Gini 0 where all gain alike.",
    ),
)


def comparison_page(title: str, notes: Sequence[str], rows: Rows, first: Played) -> str:
    """The whole page."""
    currency = escape(first.world.currency)
    figures = [
        _section("bills", f"What all homes together pay the supplier, {currency}", _bills(rows)),
        _section("gains", f"What each home gains over being alone, {currency}, sorted", _gains(first)),
        _section("prices", f"Local price where homes traded, daily mean, {currency} per kWh", _prices(first)),
        _section("batteries", "What all batteries gave, kWh per day", _batteries(first)),
        _section("grid", "Drawn from the grid by all homes together, kWh per day", _grid(first)),
    ]
    said = "".join(f"<p>{escape(note)}</p>\n" for note in notes)
    words = "".join(f"<div><dt>{escape(word)}</dt>{escape(meaning)}</div>\n" for word, meaning in WORDS)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n{said}"
        f"{_table(rows)}\n<dl>\n{words}</dl>\n" + "\n".join(figures) + "\n</main>\n</body>\n</html>\n"
    )


def _table(rows: Rows) -> str:
    shown = [column for column in COLUMNS if any(row[column.figure] for row in rows.values())]
    head = "".join(f"<th>{escape(column.heading)}</th>" for column in shown)
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{escape(cell(row[column.figure], column.form))}</td>" for column in shown)
        + "</tr>\n"
        for name, row in rows.items()
    )
    return f'<div class="scroll"><table>\n<tr><th></th>{head}</tr>\n{body}</table></div>'


def _bills(rows: Rows) -> go.Figure:
    spreads = {name: row["bill"] or Spread(0.0, None, None) for name, row in rows.items()}
    errors = [0.0 if each.high is None else each.high - each.mean for each in spreads.values()]
    figure = _figure()
    figure.add_bar(
        x=list(spreads),
        y=[each.mean for each in spreads.values()],
        error_y={"array": errors, "visible": any(errors)},
    )
    return figure


def _gains(first: Played) -> go.Figure:
    figure = _figure()
    for name in first.bills:
        alone = _alone_of(first, name)
        if alone is not None:
            gains = np.sort(first.bills[alone] - first.bills[name]) / MONEY_PER_UNIT
            figure.add_scatter(
                y=gains.tolist(), name=name, mode="lines+markers" if len(gains) < 100 else "lines"
            )
    return figure


def _alone_of(first: Played, name: str) -> str | None:
    """The row that a row's gains are against: that of its strategy."""
    way, _, strategy = name.partition(", ")
    alone = f"alone, {strategy}"
    return alone if way != "alone" and alone in first.bills else None


def _prices(first: Played) -> go.Figure:
    figure = _figure()
    for name, outcome in first.outcomes.items():
        if outcome.traded.any():
            prices = np.where(outcome.traded, outcome.prices, 0).reshape(-1, first.world.day).sum(axis=1)
            counts = outcome.traded.reshape(-1, first.world.day).sum(axis=1)
            means = [
                None if not count else float(total) / count / PRICE_PER_UNIT
                for total, count in zip(prices.tolist(), counts.tolist(), strict=True)
            ]
            figure.add_scatter(y=means, name=name, mode="lines")
    return figure


def _batteries(first: Played) -> go.Figure:
    figure = _figure()
    for name, outcome in first.outcomes.items():
        # Sharing the surplus leaves the batteries as they are.
        if outcome.given.any() and not name.startswith("collective"):
            days = outcome.given.reshape(-1, first.world.day).sum(axis=1) / ENERGY_PER_KWH
            figure.add_scatter(y=days.tolist(), name=name, mode="lines")
    return figure


def _grid(first: Played) -> go.Figure:
    figure = _figure()
    for name, outcome in first.outcomes.items():
        days = outcome.grid_import.reshape(-1, first.world.day).sum(axis=1) / ENERGY_PER_KWH
        figure.add_scatter(y=days.tolist(), name=name, mode="lines")
    return figure


def _figure() -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 14},
        margin={"l": 64, "r": 16, "t": 16, "b": 40},
        legend={"orientation": "h", "y": 1.14},
    )
    return figure


def _section(name: str, title: str, figure: go.Figure) -> str:
    html = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        default_height="24rem",
        config={"displaylogo": False, "responsive": True},
    )
    return f"<h2>{title}</h2>\n{html}"
