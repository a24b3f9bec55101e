"""`wattswarm market clear`, as its user sees it; the example is the documentation's."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from market.clear_command import clear_command
from market.clear_tables import MAX_ROWS

DOCUMENT = Path(__file__).parents[2] / "docs" / "market-clearing.md"


def example(language: str) -> str:
    """The example of the documentation in this language."""
    match = re.search(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert match is not None
    return match[1]


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(example("csv"))
    return path


@pytest.fixture
def feeder(tmp_path: Path) -> Path:
    path = tmp_path / "feeder.toml"
    path.write_text(example("toml"))
    return path


def test_the_example_of_the_documentation_gives_what_it_says(
    orders: Path, feeder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clear_command(orders, feeder=feeder, as_json=True) == 0
    output = capsys.readouterr()
    assert output.out == example("json")
    assert output.err == ""


def test_the_json_is_one_object_of_exact_decimals(
    orders: Path, feeder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clear_command(orders, feeder=feeder, as_json=True)
    result = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert list(result) == [
        "prices",
        "volume_kwh",
        "welfare",
        "fills",
        "flows",
        "grid_import_kwh",
        "grid_export_kwh",
    ]
    assert result["welfare"] == Decimal("0.45")
    assert result["fills"][1] == {"id": "o3", "kwh": Decimal("2.5"), "price": Decimal("0.1")}


def test_the_money_of_the_example_adds_up(
    orders: Path, feeder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clear_command(orders, feeder=feeder, as_json=True)
    fills = {fill["id"]: fill for fill in json.loads(capsys.readouterr().out, parse_float=Decimal)["fills"]}
    paid = {order_id: fill["kwh"] * fill["price"] for order_id, fill in fills.items()}
    assert (paid["o1"] + paid["o4"], paid["o3"]) == (Decimal("0.625"), Decimal("0.25"))


def test_welfare_keeps_all_twelve_decimals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,member,side,price,kwh\na,m,buy,0.000002,0.000001\nb,m,sell,0.000001,7\n")
    assert clear_command(path, as_json=True) == 0
    assert '"welfare": 0.000000000001,' in capsys.readouterr().out


def test_without_a_feeder_all_orders_are_in_one_cell(
    orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clear_command(orders, as_json=True) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["prices"] == {"cell": 0.25}
    assert result["volume_kwh"] == 5.0


def test_a_price_is_null_where_nothing_trades(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,member,side,price,kwh\na,m,buy,1,1\nb,m,sell,2,1\n")
    assert clear_command(path, as_json=True) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["prices"], result["fills"], result["welfare"]) == ({"cell": None}, [], 0)


def test_mistakes_go_to_standard_error_and_nothing_is_cleared(
    tmp_path: Path, feeder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,member,branch,side,price,kwh\no1,ada,north,buy,0.3,1\no2,ada,east,buy,x,1\n")
    assert clear_command(path, feeder=feeder, as_json=True) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert f"{path}, line 3, column branch: 'east' is no branch" in output.err
    assert f"{path}, line 3, column price: 'x'" in output.err
    assert "Nothing was cleared." in output.err


def test_a_bad_feeder_clears_nothing(
    tmp_path: Path, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "feeder.toml"
    path.write_text("[branches.a]\nparent = 'a'\n")
    assert clear_command(orders, feeder=path) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert str(path) in output.err


def test_people_get_tables(orders: Path, feeder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clear_command(orders, feeder=feeder) == 0
    shown = capsys.readouterr().out
    for text in ("substation", "0.250000", "-2.500000", "o4", "1.000000", "3 of 4 orders filled", "rent"):
        assert text in shown
    assert "welfare 0.450000" in shown


def test_long_tables_are_cut_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    rows = "".join(f"b{index},m,buy,2,1\ns{index},m,sell,1,1\n" for index in range(MAX_ROWS))
    path.write_text("id,member,side,price,kwh\n" + rows)
    assert clear_command(path) == 0
    assert f"Fills: the first {MAX_ROWS} of {2 * MAX_ROWS}" in capsys.readouterr().out


def test_names_with_brackets_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,member,side,price,kwh\n[red]a,m,buy,2,1\n[/b],m,sell,1,1\n")
    assert clear_command(path) == 0
    shown = capsys.readouterr().out
    assert "[red]a" in shown
    assert "[/b]" in shown
