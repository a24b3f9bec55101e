"""Shell: `wattswarm market sql`: a query over the Parquet files of a report."""

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from market.reporting.files import query
from market.terminal import table_console

MAX_ROWS = 200
"""Rows on the screen; --json has all."""


def sql_command(
    statement: str,
    folder: Path = Path("tables"),
    /,
    *,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Ask SQL of the Parquet files that `wattswarm market report DIR --parquet FOLDER` wrote, of any number of cells.

    The tables are intervals, branches, members and settlements (docs/reports.md), each with the column `cell` and, but
    for members, `day`. Nothing else can be read, and nothing is written.

    Example: wattswarm market sql "select day, sum(volume_kwh) from intervals group by day order by day" ./tables

    Exit status: 0 answered; 1 there are no tables, or the query fails.

    Parameters
    ----------
    statement
        The query, as DuckDB reads it.
    folder
        The folder that the report wrote.
    as_json
        Print a list of one JSON object per row; exact decimals are texts.
    """
    columns, rows = query(folder, statement)
    console = table_console()
    if as_json:
        found = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
        console.file.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    table = Table()
    for column in columns:
        table.add_column(escape(column))
    for row in rows[:MAX_ROWS]:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    console.print(table)
    if len(rows) > MAX_ROWS:
        console.print(f"The first {MAX_ROWS} of {len(rows)} rows; --json has all.")


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
