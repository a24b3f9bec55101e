"""Shell: a report's tables as Parquet files, partitioned by cell and day, and SQL over them.

    FOLDER/intervals/cell=0123456789abcdef/day=2026-01-31/rows.parquet

Members, whose rows are sums over all days, are partitioned by cell alone. The partition's columns are in the names of
the folders only, as Hive writes them, and every reader of such a tree gives them back as columns.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from market.errors import InputError
from market.reporting.report import Report
from market.reporting.tables import EPOCH, report_tables

CELL_DIGITS = 16
"""Hexadecimal digits of the cell's id in the name of its folder."""
ROWS = "rows.parquet"


def write_tables(report: Report, folder: Path) -> None:
    """Write every table; files of the same cell and day are replaced, others stay. Raises OSError."""
    cell = f"cell={report.cell_id.hex()[:CELL_DIGITS]}"
    for name, table in report_tables(report).items():
        place = folder / name / cell
        if "interval" not in table.columns:
            _write(table, place)
            continue
        days = [EPOCH + timedelta(seconds=row * report.interval_s) for row in table["interval"].to_list()]
        dated = table.with_columns(pl.Series("day", [f"{day:%Y-%m-%d}" for day in days], pl.String))
        for (day,), rows in dated.group_by("day", maintain_order=True):
            _write(rows.drop("day"), place / f"day={day}")


def query(folder: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns and the rows that a query gives; nothing but the folder's tables can be read.

    Raises InputError for a folder without tables, and for a query that DuckDB does not take.
    """
    import duckdb  # here, since it takes a third of a second that no other command needs

    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    files = {name: sorted(map(str, (folder / name).rglob("*.parquet"))) for name in names}
    found = {name: paths for name, paths in files.items() if paths and name.isidentifier()}
    if not found:
        raise InputError(
            f"{folder}: holds no tables; write them with: wattswarm market report DIR --parquet {folder}"
        )
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        try:
            for name, paths in found.items():
                types = "{'cell': VARCHAR, 'day': DATE}" if name != "members" else "{'cell': VARCHAR}"
                connection.execute(
                    f"create table {name} as select * from read_parquet(?, hive_partitioning = true, "
                    f"hive_types = {types})",
                    [paths],
                )
            connection.execute("set enable_external_access = false")
            cursor = connection.execute(sql)
            return [column[0] for column in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            raise InputError(f"the query fails: {error}; the tables are {', '.join(found)}") from error


def _write(table: pl.DataFrame, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    table.write_parquet(place / ROWS)
