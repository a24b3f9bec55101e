"""A report as one HTML page that opens offline: figures, a table of members, and what the words mean.

Plotly's JavaScript is inside the file. Numbers come from the report's exact integers; floats only draw them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from market.reporting.figures import (
    FLOW_NOTE,
    MERIT_NOTE,
    POWER_DURATION_NOTE,
    PRICE_DURATION_NOTE,
    flow_figure,
    merit_figure,
    merit_title,
    power_duration,
    price_duration,
)
from market.reporting.merit_order import merit_order, telling_interval
from market.reporting.report import Fate, IntervalReport, MemberReport, Report
from market.reporting.tables import kwh, share, start_time, unit_price, units

COLOURS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c2255c", "#1864ab", "#862e9c", "#5c940d")
GREY = "#868e96"
GREEN = "#2f9e44"


def report_page(report: Report) -> str:
    """The whole page."""
    currency = escape(report.currency)
    sections = [
        _section("prices", f"Price per branch, {currency} per kWh", _prices(report), PRICE_NOTE),
        _section("volumes", "Energy traded per interval, kWh", _volumes(report), VOLUME_NOTE),
        _section("local", "Consumption covered within the cell, kWh", _local(report), LOCAL_NOTE),
        _section("energy", "Each member's energy, kWh", _member_energy(report), ENERGY_NOTE),
        _section("bills", f"Each member's bill before and after, {currency}", _bills(report), BILL_NOTE),
        *_looking_in(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.cell)}: market report</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(report.cell)}</h1>\n<p>{_span(report)}</p>\n{_totals(report)}\n<p>{SHARES_NOTE}</p>\n"
        + "\n".join(sections)
        + f"\n<h2>Members</h2>\n{_member_table(report)}\n"
        f"<footer>Cell {report.cell_id.hex()}, {report.blocks} blocks. Check it yourself: "
        "<code>wattswarm ledger verify DIR</code></footer>\n</main>\n</body>\n</html>\n"
    )


def _looking_in(report: Report) -> list[str]:
    """Who supplied whom, how the price of one interval came about, and for how much of the time what held."""
    if not report.intervals:
        return []
    price_unit = f"{report.currency} per kWh"
    telling = telling_interval(report)
    sections = []
    if telling is not None:
        merit = merit_order(telling)
        figure = merit_figure(_figure(price_unit), merit)
        sections.append(
            _section("flows", "Who supplied whom, kWh", flow_figure(_figure("kWh"), report), FLOW_NOTE)
        )
        sections.append(_section("merit", merit_title(merit, report.currency), figure, MERIT_NOTE))
    prices = price_duration(_figure(price_unit), report)
    powers = power_duration(_figure("kW"), report)
    return [
        *sections,
        _section("price-duration", "For how much of the time which price", prices, PRICE_DURATION_NOTE),
        _section("power-duration", "For how much of the time which power, kW", powers, POWER_DURATION_NOTE),
    ]


PRICE_NOTE = (
    "Where a branch's limit binds its price parts from the others. A gap means that nothing traded there; the broken "
    "lines are the supplier's prices. Branches of one price lie on each other, the first one listed at the bottom."
)
VOLUME_NOTE = (
    "Up: what members bought from each other and from the supplier. Down: what the cell sold to the supplier."
)
LOCAL_NOTE = (
    "Metered at the members' connections: solar power used behind a member's own meter does not appear. Local energy "
    "is the smaller of what all members injected and what all withdrew in an interval."
)
ENERGY_NOTE = "Imbalance is metered minus contracted energy, its size summed over the intervals."
SHARES_NOTE = (
    "Self-sufficiency is the share of the consumption that came from within the cell, self-consumption the share of "
    "the injected energy that stayed in it. An auction is voided when its block was agreed on too late to be delivered."
)
BILL_NOTE = (
    "For the same metered energy: with the market, and at the supplier's tariff alone. Positive is what the member "
    "pays."
)

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #212529; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 0; }
h2 { margin: 2.5rem 0 0; font-size: 1.15rem; }
p { margin: .25rem 0 .75rem; color: #495057; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1rem 0; }
dl div { border: 1px solid #dee2e6; border-radius: .5rem; padding: .6rem .8rem; }
dt { color: #495057; font-size: .85rem; }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid #e9ecef; white-space: nowrap; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
footer { margin-top: 2.5rem; color: #495057; font-size: .85rem; overflow-wrap: anywhere; }
"""


def _section(name: str, title: str, figure: go.Figure, note: str) -> str:
    html = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        default_height="24rem",
        config={"displaylogo": False, "responsive": True},
    )
    return f"<h2>{title}</h2>\n<p>{note}</p>\n{html}"


def _span(report: Report) -> str:
    if not report.intervals:
        return "No interval has been decided yet."
    first, last = start_time(report.intervals[0]), start_time(report.intervals[-1])
    minutes = report.interval_s // 60
    form = "%Y-%m-%d %H:%M"
    return f"{len(report.intervals)} intervals of {minutes} minutes, {first:{form}} to {last:{form}} UTC"


def _totals(report: Report) -> str:
    saving = sum(member.saving for member in report.members)
    between = sum(interval.between_members for interval in report.standing)
    void = sum(interval.fate is Fate.VOID for interval in report.intervals)
    facts = [
        ("Traded between members", f"{kwh(between):,.1f} kWh"),
        ("Consumption", f"{kwh(report.consumption):,.1f} kWh"),
        ("Self-sufficiency", percent(report.local, report.consumption)),
        ("Self-consumption", percent(report.local, report.contribution)),
        ("Saved against the tariff", f"{units(saving):z,.2f} {escape(report.currency)}"),
        ("Auctions voided", str(void)),
    ]
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts) + "</dl>"


def percent(part: int, whole: int) -> str:
    """A share in per cent, a dash of nothing."""
    fraction = share(part, whole)
    return "–" if fraction is None else f"{fraction:.0%}"


def _prices(report: Report) -> go.Figure:
    figure = _figure(f"{report.currency} per kWh")
    rows = report.intervals
    span = timedelta(seconds=report.interval_s)
    retail = [unit_price(row.tariff.import_price) for row in rows]
    feed_in = [unit_price(row.tariff.export_price) for row in rows]
    figure.add_scatter(
        **_steps(rows, retail, span), name="supplier sells", line={"color": GREY, "dash": "dot"}
    )
    figure.add_scatter(
        **_steps(rows, feed_in, span), name="supplier buys", line={"color": GREY, "dash": "dash"}
    )
    names = [branch.name for branch in rows[0].branches] if rows else []
    for index, name in enumerate(names):
        prices = [unit_price(row.branches[index].price) for row in rows]
        line = {"color": COLOURS[index % len(COLOURS)], "width": _width(index, len(names))}
        figure.add_scatter(**_steps(rows, prices, span), name=escape(name), line=line)
    return figure


def _width(index: int, count: int) -> float:
    """Lines drawn first are wider, so that those under others of the same price still show."""
    return 2 + 6 * (count - 1 - index) / max(1, count - 1)


def _steps(
    rows: Iterable[IntervalReport], values: Iterable[float | None], span: timedelta
) -> dict[str, object]:
    """A value held from the start to the end of each interval; nothing is drawn where there is none."""
    times: list[datetime] = []
    held: list[float | None] = []
    for row, value in zip(rows, values, strict=True):
        times += [start_time(row), start_time(row) + span]
        held += [value, value]
    return {"x": times, "y": held, "mode": "lines"}


def _bars(rows: Iterable[IntervalReport], values: Iterable[int], span: timedelta) -> dict[str, object]:
    """A bar of energy over each interval, from its start to its end."""
    return {
        "x": [start_time(row) for row in rows],
        "y": [kwh(value) for value in values],
        "offset": 0,
        "width": span / timedelta(milliseconds=1),
    }


def _volumes(report: Report) -> go.Figure:
    figure = _figure("kWh", barmode="relative")
    rows = report.standing
    span = timedelta(seconds=report.interval_s)
    for name, colour, values in (
        ("between members", GREEN, [row.between_members for row in rows]),
        ("from the supplier", COLOURS[1], [row.grid_import for row in rows]),
        ("to the supplier", COLOURS[0], [-row.grid_export for row in rows]),
    ):
        figure.add_bar(**_bars(rows, values, span), name=name, marker_color=colour)
    return figure


def _local(report: Report) -> go.Figure:
    figure = _figure("kWh", barmode="stack")
    rows = [interval for interval in report.intervals if interval.settled]
    span = timedelta(seconds=report.interval_s)
    local = [row.local for row in rows]
    rest = [row.consumption - row.local for row in rows]
    figure.add_bar(**_bars(rows, local, span), name="covered within the cell", marker_color=GREEN)
    figure.add_bar(**_bars(rows, rest, span), name="from the supplier", marker_color=COLOURS[1])
    injected = [kwh(row.contribution) for row in rows]
    line = {"color": COLOURS[0]}
    figure.add_scatter(**_steps(rows, injected, span), name="injected by members", line=line)
    return figure


def _member_energy(report: Report) -> go.Figure:
    figure = _figure("kWh")
    names = _member_names(report)
    for title, colour, values in (
        ("bought", COLOURS[1], [member.bought for member in report.members]),
        ("sold", GREEN, [member.sold for member in report.members]),
        ("imbalance", GREY, [member.imbalance_absolute for member in report.members]),
    ):
        figure.add_bar(x=names, y=[kwh(value) for value in values], name=title, marker_color=colour)
    return figure


def _bills(report: Report) -> go.Figure:
    figure = _figure(report.currency)
    names = _member_names(report)
    tariff = [-units(member.tariff_money) for member in report.members]
    market = [-units(member.money) for member in report.members]
    figure.add_bar(x=names, y=tariff, name="tariff alone", marker_color=GREY)
    figure.add_bar(x=names, y=market, name="with the market", marker_color=COLOURS[0])
    return figure


def _member_names(report: Report) -> list[str]:
    return [escape(member.name) for member in report.members]


def _figure(unit: str, barmode: str = "group") -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        barmode=barmode,
        font={"family": "system-ui, sans-serif", "size": 14},
        margin={"l": 64, "r": 16, "t": 16, "b": 40},
        legend={"orientation": "h", "y": 1.14, "traceorder": "normal"},
        hovermode="x unified",
        yaxis={"title": {"text": escape(unit)}},
    )
    return figure


HEADINGS = (
    "Member",
    "Branch",
    "Bought kWh",
    "Sold kWh",
    "Imbalance kWh",
    "Pays",
    "At the tariff",
    "Saves",
    "Balance",
)


def _member_table(report: Report) -> str:
    head = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
    rows = "\n".join(_row(member_cells(member)) for member in report.members)
    currency = escape(report.currency)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n'
        f"<p>Money in {currency}. Imbalance is the sum of its sizes. The balance holds everything posted so far, "
        "intervals that are not settled yet included.</p>"
    )


def member_cells(member: MemberReport) -> tuple[str, ...]:
    """A member's row under HEADINGS, as text for people."""
    return (
        member.name,
        member.branch,
        f"{kwh(member.bought):.3f}",
        f"{kwh(member.sold):.3f}",
        f"{kwh(member.imbalance_absolute):.3f}",
        f"{-units(member.money):z.2f}",
        f"{-units(member.tariff_money):z.2f}",
        f"{units(member.saving):z.2f}",
        f"{units(member.balance):z.2f}",
    )


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
