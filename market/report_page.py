"""A report as one HTML page that opens offline: figures, a table of members, and what the words mean.

Plotly's JavaScript is inside the file. Numbers come from the report's exact integers; floats only draw them.
"""

from collections.abc import Sequence
from datetime import datetime
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from market.report import Fate, MemberReport, Report
from market.report_tables import kwh, share, start_time, unit_price, units

COLOURS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c2255c", "#1864ab", "#862e9c", "#5c940d")
GREY = "#868e96"
GREEN = "#2f9e44"
RED = "#c92a2a"


def report_page(report: Report) -> str:
    """The whole page."""
    currency = escape(report.currency)
    sections = [
        _section("prices", f"Price per branch, {currency} per kWh", _prices(report), PRICE_NOTE),
        _section("volumes", "Energy traded per interval, kWh", _volumes(report), VOLUME_NOTE),
        _section("local", "Consumption covered within the cell, kWh", _local(report), LOCAL_NOTE),
        _section("energy", "Each member's energy, kWh", _member_energy(report), ENERGY_NOTE),
        _section("bills", f"Each member's bill, {currency}", _bills(report), BILL_NOTE),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.cell)}: market report</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(report.cell)}</h1>\n<p>{_span(report)}</p>\n{_totals(report)}\n"
        + "\n".join(sections)
        + f"\n<h2>Members</h2>\n{_member_table(report)}\n"
        f"<footer>Cell {report.cell_id.hex()}, {report.blocks} blocks. Check it yourself: "
        "<code>wattswarm ledger verify DIR</code></footer>\n</main>\n</body>\n</html>\n"
    )


PRICE_NOTE = (
    "Where a branch's limit binds its price parts from the others. A gap means that nothing traded there; the broken "
    "lines are the supplier's prices."
)
VOLUME_NOTE = (
    "What members bought from each other and from the supplier, and what the cell sold to the supplier."
)
LOCAL_NOTE = (
    "Metered at the members' connections: solar power used behind a member's own meter does not appear. Local energy "
    "is the smaller of what all members injected and what all withdrew in an interval."
)
ENERGY_NOTE = "Imbalance is metered minus contracted energy, its size summed over the intervals."
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
        ("Saved against the tariff", f"{units(saving):,.2f} {escape(report.currency)}"),
        ("Intervals voided", str(void)),
    ]
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts) + "</dl>"


def percent(part: int, whole: int) -> str:
    """A share in per cent, a dash of nothing."""
    fraction = share(part, whole)
    return "–" if fraction is None else f"{fraction:.0%}"


def _times(report: Report) -> list[datetime]:
    return [start_time(interval) for interval in report.intervals]


def _prices(report: Report) -> go.Figure:
    figure = _figure()
    times = _times(report)
    if report.intervals:
        for index, branch in enumerate(report.intervals[0].branches):
            prices = [unit_price(interval.branches[index].price) for interval in report.intervals]
            line = _steps(COLOURS[index % len(COLOURS)], "solid")
            figure.add_scatter(x=times, y=prices, name=branch.name, **line)
    tariffs = [interval.tariff for interval in report.intervals]
    retail = [unit_price(tariff.import_price) for tariff in tariffs]
    feed_in = [unit_price(tariff.export_price) for tariff in tariffs]
    figure.add_scatter(x=times, y=retail, name="supplier sells", **_steps(GREY, "dot"))
    figure.add_scatter(x=times, y=feed_in, name="supplier buys", **_steps(GREY, "dash"))
    return figure


def _steps(colour: str, dash: str) -> dict[str, object]:
    return {
        "mode": "lines+markers",
        "line": {"shape": "hv", "color": colour, "dash": dash},
        "marker": {"size": 4},
    }


def _volumes(report: Report) -> go.Figure:
    figure = _figure(barmode="relative")
    times = _times(report)
    counted = [interval if interval.fate is not Fate.VOID else None for interval in report.intervals]
    for name, colour, values in (
        ("between members", GREEN, [row.between_members if row else 0 for row in counted]),
        ("from the supplier", COLOURS[1], [row.grid_import if row else 0 for row in counted]),
        ("to the supplier", COLOURS[0], [-row.grid_export if row else 0 for row in counted]),
    ):
        figure.add_bar(x=times, y=[kwh(value) for value in values], name=name, marker_color=colour)
    return figure


def _local(report: Report) -> go.Figure:
    figure = _figure(barmode="stack")
    settled = [interval for interval in report.intervals if interval.settled]
    times = [start_time(interval) for interval in settled]
    local = [kwh(interval.local) for interval in settled]
    rest = [kwh(interval.consumption - interval.local) for interval in settled]
    figure.add_bar(x=times, y=local, name="covered within the cell", marker_color=GREEN)
    figure.add_bar(x=times, y=rest, name="from the supplier", marker_color=COLOURS[1])
    injected = [kwh(interval.contribution) for interval in settled]
    figure.add_scatter(x=times, y=injected, name="injected by members", **_steps(COLOURS[0], "solid"))
    return figure


def _member_energy(report: Report) -> go.Figure:
    figure = _figure(barmode="group")
    names = [member.name for member in report.members]
    for title, colour, values in (
        ("bought", COLOURS[1], [member.bought for member in report.members]),
        ("sold", GREEN, [member.sold for member in report.members]),
        ("imbalance", GREY, [member.imbalance_absolute for member in report.members]),
    ):
        figure.add_bar(x=names, y=[kwh(value) for value in values], name=title, marker_color=colour)
    return figure


def _bills(report: Report) -> go.Figure:
    figure = _figure(barmode="group")
    names = [member.name for member in report.members]
    tariff = [-units(member.tariff_money) for member in report.members]
    market = [-units(member.money) for member in report.members]
    figure.add_bar(x=names, y=tariff, name="tariff alone", marker_color=GREY)
    figure.add_bar(x=names, y=market, name="with the market", marker_color=COLOURS[0])
    return figure


def _figure(barmode: str = "group") -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="plotly_white",
        barmode=barmode,
        margin={"l": 48, "r": 16, "t": 16, "b": 40},
        legend={"orientation": "h", "y": 1.12},
        hovermode="x unified",
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
        f"{-units(member.money):.2f}",
        f"{-units(member.tariff_money):.2f}",
        f"{units(member.saving):.2f}",
        f"{units(member.balance):.2f}",
    )


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
