"""A scenario's result as one HTML page that opens offline: what was assumed, figures, rules, and drawn lines."""

from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from sim.grid.result import Chart, Figure, Result

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:#212529}"
    "table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}td,th{padding:.25rem .75rem;text-align:right;"
    "border-bottom:1px solid #dee2e6}th{font-weight:600}td:first-child,th:first-child{text-align:left}"
)


def result_page(result: Result) -> str:
    """The whole page."""
    rows = [list(row.values()) for row in result.rows]
    checks = "".join(
        f"<li>{'yes' if held else '<strong>NO</strong>'}: {escape(rule)}</li>"
        for rule, held in result.checks.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(result.title)}</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n<h1>{escape(result.title)}</h1>\n"
        + "\n".join(_chart(chart, f"chart-{index}") for index, chart in enumerate(result.charts))
        + f"\n<h2>Figures</h2>\n{_table(list(result.rows[0]), rows)}\n"
        f"<h2>Rules</h2>\n<ul>{checks}</ul>\n"
        f"<h2>Assumed</h2>\n{_table(['', ''], [[key, value] for key, value in result.assumptions.items()])}\n"
        "</body>\n</html>\n"
    )


def shown(value: Figure) -> str:
    """A figure in words."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e-2 else str(value)


def _chart(chart: Chart, name: str) -> str:
    figure = go.Figure([go.Scatter(x=x, y=y, name=label, mode="lines") for label, x, y in chart.lines])
    figure.update_layout(
        title=chart.title,
        xaxis_title=chart.x_title,
        yaxis_title=chart.y_title,
        template="plotly_white",
        height=460,
        hovermode="x unified",
    )
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name))


def _table(head: list[str], rows: list[list[Figure]]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(shown(value))}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><tr>{names}</tr>{body}</table>"
