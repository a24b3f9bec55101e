"""The figures of a report's page that look into it: merit order, duration curves, and who supplied whom."""

from html import escape

import plotly.graph_objects as go

from market.reporting.duration import falling
from market.reporting.energy_flows import EnergyFlow, energy_flows, name_of
from market.reporting.merit_order import MeritOrder
from market.reporting.report import OrderReport, Report
from market.reporting.series import branch_prices, mean_powers
from market.reporting.tables import kwh, start_time, unit_price

BLUE, ORANGE, GREEN, GREY = "#0b7285", "#e8590c", "#2f9e44", "#868e96"
MOST_MEMBERS = 12
"""On either side of the picture of flows; the rest are drawn as one."""

MERIT_NOTE = (
    "How a price comes about. The falling line: what members would pay at most, dearest first. The rising line: what "
    "sellers want at least, cheapest first. The broken lines are the supplier, who sells and buys any amount. Whatever "
    "lies left of where the lines meet is traded, all of it at one price. Shown is the interval in which most "
    "was traded between members."
)
PRICE_DURATION_NOTE = (
    "Every interval's price, the highest first. Read it so: for so many per cent of the time the price was at least "
    "this high. Intervals without trade are left out."
)
POWER_DURATION_NOTE = (
    "Mean power of every settled interval, the highest first, each line by itself. A line that is steep at the left "
    "means a few short peaks; the connection to the grid has to be built for them."
)
FLOW_NOTE = (
    "From left to right: who gave and who took, by contracts. Electricity mixes, so what each one gave "
    "in an interval is spread over all who took in proportion to what they took. Wide means much."
)


def merit_figure(figure: go.Figure, merit: MeritOrder) -> go.Figure:
    """Both curves of one interval, over energy in kWh."""
    tariff = merit.interval.tariff
    for name, orders, colour in (("members buy", merit.bids, ORANGE), ("members sell", merit.asks, BLUE)):
        figure.add_scatter(**_stairs(orders), name=name, mode="lines", line={"color": colour, "width": 3})
    reach = [0.0, max(kwh(sum(order.offered for order in side)) for side in (merit.bids, merit.asks))]
    for name, price, dash in (
        ("supplier sells", tariff.import_price, "dot"),
        ("supplier buys", tariff.export_price, "dash"),
    ):
        line = {"color": GREY, "dash": dash}
        figure.add_scatter(x=reach, y=[unit_price(price)] * 2, name=name, mode="lines", line=line)
    prices = merit.prices
    for price in prices:
        figure.add_scatter(
            x=reach,
            y=[unit_price(price)] * 2,
            name="price" if len(prices) == 1 else "price per branch",
            showlegend=price == prices[0],
            mode="lines",
            line={"color": GREEN, "width": 1},
        )
    figure.update_layout(hovermode="closest", xaxis={"title": {"text": "kWh"}})
    return figure


def merit_title(merit: MeritOrder, currency: str) -> str:
    """With the interval's time."""
    return f"Merit order of {start_time(merit.interval):%Y-%m-%d %H:%M} UTC, {escape(currency)} per kWh"


def price_duration(figure: go.Figure, report: Report) -> go.Figure:
    """One curve for each branch."""
    for name, prices in branch_prices(report).items():
        _add_curve(figure, falling(prices), name)
    return _over_time(figure)


def power_duration(figure: go.Figure, report: Report) -> go.Figure:
    """Power over the grid connection both ways, and what members drew in all."""
    for name, powers in mean_powers(report).items():
        _add_curve(figure, falling(powers), name)
    return _over_time(figure)


def flow_figure(figure: go.Figure, report: Report) -> go.Figure:
    """A band from each giver to each taker."""
    flows = energy_flows(report)
    sources, targets = _largest(flows, giving=True), _largest(flows, giving=False)
    places = {end: at for at, end in enumerate([*sources, *targets])}
    bands: dict[tuple[int, int], float] = {}
    for flow in flows:
        source = places.get(("from", flow.source), places.get(("from", b"")))
        target = places.get(("to", flow.target), places.get(("to", b"")))
        if source is not None and target is not None:
            bands[source, target] = bands.get((source, target), 0.0) + kwh(flow.energy)
    labels = ["others" if who == b"" else name_of(report, who) for _, who in [*sources, *targets]]
    colours = [GREY if who is None else BLUE if side == "from" else ORANGE for side, who in places]
    figure.add_sankey(
        node={"label": [escape(label) for label in labels], "color": colours, "pad": 12, "thickness": 14},
        link={
            "source": [source for source, _ in bands],
            "target": [target for _, target in bands],
            "value": list(bands.values()),
            "color": "rgba(11, 114, 133, 0.18)",
        },
        textfont={"color": "#212529", "size": 14, "shadow": "none"},
        valuesuffix=" kWh",
        valueformat=".2f",
    )
    return figure


def _largest(flows: tuple[EnergyFlow, ...], *, giving: bool) -> list[tuple[str, bytes | None]]:
    """The ends of one side, the largest first; an empty id stands for those beyond `MOST_MEMBERS`."""
    sums: dict[bytes | None, int] = {}
    for flow in flows:
        end = flow.source if giving else flow.target
        sums[end] = sums.get(end, 0) + flow.energy
    ends = sorted(sums, key=lambda end: (-sums[end], end or b""))
    shown = ends if len(ends) <= MOST_MEMBERS else [*ends[: MOST_MEMBERS - 1], b""]
    return [("from" if giving else "to", end) for end in shown]


def _stairs(orders: tuple[OrderReport, ...]) -> dict[str, object]:
    """A curve that goes from price to price in steps as wide as what is offered there."""
    x, y, at = [], [], 0
    for order in orders:
        x += [kwh(at), kwh(at + order.offered)]
        y += [unit_price(order.limit_price)] * 2
        at += order.offered
    return {"x": x, "y": y}


def _add_curve(figure: go.Figure, curve: list[float], name: str) -> None:
    shares = [100 * (place + 0.5) / len(curve) for place in range(len(curve))]
    figure.add_scatter(
        x=shares, y=curve, name=escape(name), mode="lines" if len(curve) > 60 else "lines+markers"
    )


def _over_time(figure: go.Figure) -> go.Figure:
    figure.update_layout(xaxis={"title": {"text": "% of the time"}, "range": [0, 100]})
    return figure
