"""SQL over a report's Parquet files: what was written is read again, exactly, and nothing else is."""

import json
from pathlib import Path

import pytest
from month_ledger import write_month

from market.errors import InputError
from market.reporting.command import market_report
from market.reporting.source import read_report
from market.reporting.sql_command import sql_command


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node's directory with a few days."""
    directory = tmp_path_factory.mktemp("sql") / "node"
    write_month(directory, blocks=6)
    return directory


@pytest.fixture(scope="module")
def tables(node: Path) -> Path:
    """Its tables."""
    folder = node.parent / "tables"
    market_report(node, parquet=folder)
    return folder


def test_a_query_gives_what_the_report_says_to_the_last_digit(
    node: Path, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = read_report(node).report
    sql_command("select member, balance, cell from members order by member", tables, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [row["member"] for row in found] == [member.name for member in report.members]
    exact = [int(row["balance"].replace(".", "")) for row in found]
    assert exact == [member.balance for member in report.members]
    assert {row["cell"] for row in found} == {report.cell_id.hex()[:16]}


def test_there_is_a_folder_for_each_day_and_the_day_is_a_column(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = sorted(path.name for path in (tables / "intervals").glob("cell=*/day=*"))
    assert days == [f"day=2025-12-{day}" for day in range(18, 24)]
    sql_command("select day, count(*) as rows from intervals group by day order by day", tables)
    shown = capsys.readouterr().out
    assert "2025-12-18" in shown


def test_writing_again_replaces_and_does_not_double(
    node: Path, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market_report(node, parquet=tables)
    capsys.readouterr()
    sql_command("select count(*) as rows from intervals", tables, as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"rows": 6}]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("select nothing from nowhere", "the tables are branches, intervals, members, settlements"),
        ("select * from read_csv('/etc/hostname')", "the query fails"),
        ("copy members to '/tmp/out.csv'", "the query fails"),
        ("not sql", "the query fails"),
    ],
)
def test_a_query_that_fails_or_reaches_out_says_so(tables: Path, statement: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sql_command(statement, tables)


def test_a_folder_without_tables_says_how_to_write_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="market report DIR --parquet"):
        sql_command("select 1", tmp_path)
