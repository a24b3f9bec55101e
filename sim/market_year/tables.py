"""The comparison as a table for a terminal and as JSON: figures over seeds, a row for each way of doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from market.units import MONEY_PER_UNIT
from sim.market_year.comparison import Played
from sim.market_year.measures import Measures, Spread, spread_over_seeds

Json = dict[str, object]
Rows = dict[str, dict[str, Spread | None]]


@dataclass(frozen=True, slots=True)
class Column:
    """A figure to show: its name in `Measures`, a heading, and a format."""

    figure: str
    heading: str
    form: str


COLUMNS = (
    Column("bill", "bill", ",.2f"),
    Column("saving", "saving", ",.2f"),
    Column("share_of_bound", "of possible", ".1%"),
    Column("bill_per_member", "per member", ",.2f"),
    Column("better_off", "better off", ".4g"),
    Column("worse_off", "worse off", ".4g"),
    Column("worse_off_shared", "after sharing", ".4g"),
    Column("self_sufficiency", "self-suff.", ".1%"),
    Column("self_consumption", "self-cons.", ".1%"),
    Column("peak_import_kw", "peak in kW", ",.1f"),
    Column("peak_export_kw", "peak out kW", ",.1f"),
    Column("carbon_kg", "CO2 kg", ",.0f"),
    Column("local_kwh", "local kWh", ",.0f"),
    Column("discharged_kwh", "battery kWh", ",.0f"),
    Column("price_mean", "price", ".4f"),
    Column("price_deviation", "deviation", ".4f"),
    Column("jain", "Jain", ".3f"),
    Column("gini", "Gini", ".3f"),
    Column("kept", "kept", ",.2f"),
)


def rows_of(played: Sequence[Mapping[str, Measures]]) -> Rows:
    """Each row's figures over the seeds."""
    return {name: spread_over_seeds([seed[name] for seed in played]) for name in played[0]}


def comparison_table(rows: Rows, strategy: str) -> Table:
    """One column for each way with this strategy and those without any; with several seeds each figure has half of its
    95 % interval beside it.
    """
    table = Table(title=f"strategy {strategy}")
    table.add_column("")
    ending = f", {strategy}"
    ways = {name: row for name, row in rows.items() if ", " not in name or name.endswith(ending)}
    for name in ways:
        table.add_column(name.removesuffix(ending), justify="right")
    for column in COLUMNS:
        if any(row[column.figure] for row in ways.values()):
            table.add_row(column.heading, *(cell(row[column.figure], column.form) for row in ways.values()))
    return table


def cell(spread: Spread | None, form: str) -> str:
    """A figure as text."""
    if spread is None:
        return ""
    mean = format(spread.mean, form)
    return mean if spread.high is None else f"{mean} ± {spread.high - spread.mean:{form}}"


def rows_json(rows: Rows) -> list[Json]:
    """Each row with all its figures: mean, low and high over the seeds, null where there is none."""
    return [
        {
            "name": name,
            **{figure: None if spread is None else asdict(spread) for figure, spread in row.items()},
        }
        for name, row in rows.items()
    ]


def bills_json(played: Played) -> list[Json]:
    """What every home paid in each row, currency units, and whether it has a battery."""
    return [
        {
            "home": name,
            "battery": bool(played.world.battery[home]),
            "bills": {row: int(bills[home]) / MONEY_PER_UNIT for row, bills in played.bills.items()},
        }
        for home, name in enumerate(played.world.names)
    ]
