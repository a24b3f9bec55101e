"""What docs/reports.md lists is what a report has: every column with its type, every key, every fate."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from market.reporting.report import Fate, Report, build_report
from market.reporting.tables import report_json, report_tables

TEXT = (Path(__file__).parents[3] / "docs" / "reports.md").read_text("utf-8")
TYPES = {
    "int64": pl.Int64(),
    "timestamp": pl.Datetime("us", "UTC"),
    "text": pl.String(),
    "boolean": pl.Boolean(),
    "decimal(20,6)": pl.Decimal(20, 6),
    "decimal(38,12)": pl.Decimal(38, 12),
}


def listed(heading: str) -> dict[str, str]:
    """The first two cells of each row under a heading, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", TEXT, re.M | re.S)
    assert found is not None, heading
    return dict(re.findall(r"^\| `(\w+)` +\| +(.*?) +\|", found.group(1), re.M))


@pytest.fixture
def report(world: Any) -> Report:
    """A cell of two blocks, of which the second is pending."""
    world.block(world.order(0, 100, sells=[(50, 100)]), world.order(1, 100, buys=[(250, 100)]))
    world.block()
    return build_report(world.genesis, world.outcomes, world.state)


def test_the_fates_are_those_listed() -> None:
    assert list(listed("What became of an interval")) == [fate.value for fate in Fate]


@pytest.mark.parametrize("name", ["intervals", "branches", "members", "settlements"])
def test_a_file_has_the_columns_listed_with_their_types(report: Report, name: str) -> None:
    columns = {column: TYPES[kind] for column, kind in listed(f"{name}.parquet").items()}
    table = report_tables(report)[name]
    assert list(columns.items()) == list(table.schema.items())


def test_every_table_is_listed(report: Report) -> None:
    assert re.findall(r"^## (\w+)\.parquet$", TEXT, re.M) == list(report_tables(report))


def test_the_json_has_the_keys_listed(report: Report) -> None:
    value: dict[str, Any] = report_json(report)
    assert list(listed("The report as JSON")) == list(value)
    assert list(listed("totals")) == list(value["totals"])
    intervals, members = value["intervals"], value["members"]
    of_the_table, more = listed("intervals.parquet"), listed("Each interval")
    assert not of_the_table.keys() & more.keys()
    assert len(intervals) == 2
    assert all(interval.keys() == of_the_table.keys() | more.keys() for interval in intervals)
    assert all(list(member) == list(listed("members.parquet")) for member in members)
    assert set(intervals[0]["quotes"]["north"]) == {"bid", "ask"}
    assert "by branch name: `bid` and `ask`" in TEXT
