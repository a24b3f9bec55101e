"""The commands, on a real ledger on disk: invoices that add up, and a statement that can be derived again."""

import csv
import json
import re
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from month_ledger import FLAT, write_month

from ledger.files.directory import LEDGER_FILE
from market.billing.invoice_command import invoice_command
from market.billing.statement import first_difference, read_statement
from market.billing.statement_command import check_statement, statement_command
from market.errors import InputError
from node.cli.ledger import verify
from node.errors import InputRefusedError


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node's directory with a closed January."""
    directory = tmp_path_factory.mktemp("billing") / "node"
    write_month(directory)
    return directory


def invoice(
    node: Path, capsys: pytest.CaptureFixture[str], month: str, member: str = "flat"
) -> dict[str, object]:
    """The invoice as its JSON says."""
    invoice_command(node, month=month, member=member, as_json=True)
    found = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert isinstance(found, dict)
    return found


def test_an_invoice_as_json_adds_up_to_the_last_unit(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    december, january, february = (
        invoice(node, capsys, f"{month}") for month in ("2025-12", "2026-01", "2026-02")
    )
    assert (december["closed"], january["closed"], february["closed"]) == (True, True, False)
    assert december["opening_balance"] == 0
    for earlier, later in ((december, january), (january, february)):
        assert earlier["closing_balance"] == later["opening_balance"]
    lines, items = january["lines"], january["items"]
    assert isinstance(lines, list)
    assert isinstance(items, list)
    total = january["charges"] + january["payments"]  # type: ignore[operator]
    assert sum(line["amount"] for line in lines) == sum(item["amount"] for item in items) == total
    assert january["opening_balance"] + total == january["closing_balance"]
    assert {item["kind"] for item in items} >= {"bought", "surplus", "correction-down", "deposit"}
    assert sum(line["kwh"] for line in lines if line["kind"] == "bought") == -31 * Decimal("1.500007")
    assert all(line["start"].startswith("2026-01") for line in lines)
    assert january["readings"] == 31
    estimates = january["estimated_readings"]
    assert isinstance(estimates, int)
    assert estimates > 0


def test_the_csv_has_a_row_per_posting_and_adds_up(
    node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "out" / "all.csv", tmp_path / "out" / "all.html"
    invoice_command(node, month="2026-01", csv=file, html=page)
    assert "in favour" in capsys.readouterr().out
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    for member in ("flat", "roof"):
        found = invoice(node, capsys, "2026-01", member)
        own = [row for row in rows if row["member"] == member]
        total = found["closing_balance"] - found["opening_balance"]  # type: ignore[operator]
        assert sum(Decimal(row["amount"]) for row in own) == total
    text = page.read_text(encoding="utf-8")
    assert text.count("<article>") == 2
    assert "<script" not in text
    assert "Provisional" not in text
    flat = invoice(node, capsys, "2026-01")
    assert str(flat["invoice"]) in text
    assert str(flat["hash"]) in text


def test_a_month_in_progress_says_that_it_is_provisional(
    node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "february.html"
    invoice_command(node, month="2026-02", member=FLAT.hex()[:10], html=page)
    assert "provisional" in capsys.readouterr().out
    assert "Provisional" in page.read_text(encoding="utf-8")


def test_the_zone_moves_the_edge_of_the_month(node: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days that begin at midnight UTC begin in the evening before in New York: January has 31 others of them."""
    invoice_command(node, month="2026-01", member="flat", zone="America/New_York", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["first_interval"] == invoice(node, capsys, "2026-01")["first_interval"] + 1  # type: ignore[operator]
    assert found["lines"][0]["start"] == "2026-01-01T19:00:00-05:00"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"month": "January"}, "such as 2026-01"),
        ({"month": "2026-03"}, "no block of this ledger reaches that month"),
        ({"month": "2025-11"}, "founded after that month"),
        ({"month": "2026-01", "member": "cellar"}, "the members are flat, roof"),
        ({"month": "2026-01", "zone": "Mars/Olympus"}, "no time zone"),
    ],
)
def test_what_cannot_be_invoiced_says_why(node: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        invoice_command(node, **options)  # type: ignore[arg-type]


def test_ledger_verify_derives_a_statement_again(
    node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "2026-01.json"
    statement_command(node, month="2026-01", out=file, zone="Europe/Zurich")
    verify(node, statement=file)
    assert "holds" in capsys.readouterr().out
    statement = json.loads(file.read_text(encoding="utf-8"))
    for column in ("opening", "closing"):
        assert sum(Decimal(account[column]) for account in statement["accounts"]) == 0
    assert [row["member"] for row in statement["invoices"]] == ["flat", "roof"]


@pytest.fixture(scope="module")
def statement(node: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The statement of January."""
    file = tmp_path_factory.mktemp("statement") / "2026-01.json"
    statement_command(node, month="2026-01", out=file)
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"closing": "', '"closing": "1', r"accounts\[0\].closing"),
        ('"member": "flat"', '"member": "flab"', r"invoices\[0\].member"),
        ('"hash": "', '"hash": "0', r"invoices\[0\].hash"),
        ('"currency": "EUR",\n', "", "currency: is missing"),
        ('"block": ', '"bloc": 1, "block": ', "bloc: does not belong"),
        ('"block": ', '"block": 1', "block: says"),
    ],
)
def test_a_statement_that_was_changed_is_named_where(statement: str, old: str, new: str, where: str) -> None:
    changed = statement.replace(old, new, 1)
    assert changed != statement
    found = first_difference(read_statement(changed), read_statement(statement))
    assert found is not None
    assert re.search(where, found)


def test_ledger_verify_refuses_a_statement_that_the_ledger_does_not_give(
    node: Path, statement: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spoilt.json"
    file.write_text(statement.replace('"opening": "', '"opening": "1', 1), encoding="utf-8")
    with pytest.raises(SystemExit):
        verify(node, statement=file)
    assert "accounts[0].opening" in capsys.readouterr().out
    file.write_text(statement.replace('"month": "2026-01"', '"month": "2026-02"'), encoding="utf-8")
    assert "not closed yet" in (check_statement(node, file) or "")


def test_a_file_that_is_no_statement_is_refused(node: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    for text in ("<html>", "[]", '{"format": "wattswarm-statement-v1"}'):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InputRefusedError, match=r"page\.html"):
            verify(node, statement=file)


def test_the_statement_of_an_open_month_is_refused(node: Path) -> None:
    with pytest.raises(InputError, match="not closed yet"):
        statement_command(node, month="2026-02")


def test_no_invoice_is_made_of_a_ledger_that_does_not_hold(tmp_path: Path) -> None:
    write_month(tmp_path / "node", blocks=4)
    with sqlite3.connect(tmp_path / "node" / LEDGER_FILE) as connection:
        (certificate,) = connection.execute("SELECT certificate FROM blocks WHERE height = 2").fetchone()
        spoiled = certificate[:-1] + bytes([certificate[-1] ^ 1])
        connection.execute("UPDATE blocks SET certificate = ? WHERE height = 2", (spoiled,))
    with pytest.raises(InputError, match="block 2"):
        invoice_command(tmp_path / "node", month="2025-12")
