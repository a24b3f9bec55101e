"""`wattswarm market clear --mechanism --certificate` and `market check-certificate`, as their user sees them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.certificates.certify import certify
from market.certificates.json_form import KEYS, certificate_from_json, certificate_json
from market.check_certificate_command import check_certificate_command
from market.clear_command import clear_command
from market.errors import CertificateError
from market.mechanisms.names import Mechanism
from market.mechanisms.run import run
from market.orders import Order, Side

ROWS = """id,member,branch,side,price,kwh
o1,ada,north,buy,0.30,1.5
o2,ben,south,sell,0.12,2
o3,cy,south,sell,0.10,3
o4,di,north,buy,0.25,4
"""
FEEDER = """[grid]
import_price = 0.31
export_price = 0.04
[branches.substation]
[branches.north]
parent = "substation"
limit_kwh = 2.5
[branches.south]
parent = "substation"
"""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def feeder(tmp_path: Path) -> Path:
    path = tmp_path / "feeder.toml"
    path.write_text(FEEDER)
    return path


def read(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out, parse_float=Decimal)


def test_mcafee_tells_what_buyers_pay_and_sellers_get(
    orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clear_command(orders, mechanism=Mechanism.MCAFEE, as_json=True) == 0
    told = read(capsys)
    assert (told["mechanism"], told["prices"]) == ("mcafee", {"cell": None})
    assert (told["price_buy"], told["price_sell"]) == (Decimal("0.25"), Decimal("0.12"))
    assert told["kept"] == Decimal("1.5") * Decimal("0.13")
    assert [fill["id"] for fill in told["fills"]] == ["o1", "o3"]
    assert [fill["money"] for fill in told["fills"]] == [Decimal("-0.375"), Decimal("0.18")]


def test_pay_as_bid_tells_every_pair(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clear_command(orders, mechanism=Mechanism.PAY_AS_BID, as_json=True) == 0
    told = read(capsys)
    pairs = [(trade["buy"], trade["sell"], trade["price_buy"]) for trade in told["trades"]]
    assert pairs == [
        ("o1", "o3", Decimal("0.2")),
        ("o4", "o3", Decimal("0.175")),
        ("o4", "o2", Decimal("0.185")),
    ]
    assert sum(fill["money"] for fill in told["fills"]) + told["kept"] == 0


def test_people_get_the_trades_as_a_table(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clear_command(orders, mechanism=Mechanism.CONTINUOUS) == 0
    shown = capsys.readouterr().out
    assert "Trades" in shown
    assert "kept by the market 0.000000" in shown


def test_a_mechanism_that_knows_no_feeder_refuses_one(
    orders: Path, feeder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clear_command(orders, feeder=feeder, mechanism=Mechanism.MCAFEE, as_json=True) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "the mechanism mcafee knows no feeder" in output.err
    assert "Nothing was cleared." in output.err


def test_a_feeders_certificate_holds_for_its_orders_and_feeder_alone(
    orders: Path, feeder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "certificate.json"
    assert clear_command(orders, feeder=feeder, certificate=path) == 0
    capsys.readouterr()
    assert check_certificate_command(orders, path, feeder=feeder) == 0
    assert "The certificate holds: uniform" in capsys.readouterr().out
    other_feeder = tmp_path / "other.toml"
    other_feeder.write_text(FEEDER.replace("2.5", "2.6"))
    assert check_certificate_command(orders, path, feeder=other_feeder) == 1
    assert "the feeder is not that of the certificate" in capsys.readouterr().err
    assert check_certificate_command(orders, path) == 1
    capsys.readouterr()
    orders.write_text(ROWS.replace("0.30", "0.29"))
    assert check_certificate_command(orders, path, feeder=feeder, as_json=True) == 1
    output = capsys.readouterr()
    told = json.loads(output.out)
    assert (told["holds"], told["mechanism"]) == (False, "uniform")
    assert "the orders are not those" in told["reason"]
    assert "The certificate does not hold." in output.err


@pytest.mark.parametrize("mechanism", Mechanism)
def test_every_mechanism_certifies_a_file(
    mechanism: Mechanism, orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "certificate.json"
    assert clear_command(orders, mechanism=mechanism, certificate=path, as_json=True) == 0
    capsys.readouterr()
    assert check_certificate_command(orders, path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is True
    assert told["hash"] == certificate_from_json(path.read_text()).hash().hex()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[1]", "must be one JSON object"),
        ("{}", "format: is missing"),
        ('{"colour": 3}', "colour: unknown key"),
        ("[" * 100_000, "not valid JSON"),
        ("9" * 5_000, "not valid JSON"),
    ],
)
def test_a_file_that_is_no_certificate_is_refused(
    text: str, message: str, orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(text)
    assert check_certificate_command(orders, path) == 1
    assert message in capsys.readouterr().err


def test_files_that_cannot_be_read_are_named(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_certificate_command(orders, tmp_path / "none.json") == 1
    assert "none.json: cannot be read" in capsys.readouterr().err
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    assert check_certificate_command(orders, tmp_path / "bytes.json") == 1
    assert "not UTF-8 text" in capsys.readouterr().err
    assert check_certificate_command(tmp_path / "none.csv", tmp_path / "none.json") == 1
    assert "none.csv: cannot be read" in capsys.readouterr().err


ORDERS = [
    Order("a", "a", 0, Side.BUY, 30, 4),
    Order("b", "b", 0, Side.SELL, 10, 3),
    Order("ç", "c", 0, Side.BUY, 25, 2),
    Order("d", "d", 0, Side.SELL, 20, 9),
]


@pytest.mark.parametrize("mechanism", Mechanism)
def test_what_is_written_is_read_again(mechanism: Mechanism) -> None:
    made = certify(run(mechanism, ORDERS))
    assert certificate_from_json(certificate_json(made)) == made


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), mechanism=st.sampled_from(Mechanism))
def test_no_change_of_a_field_is_read(mechanism: Mechanism, data: st.DataObject) -> None:
    fields = json.loads(certificate_json(certify(run(mechanism, ORDERS))))
    key = data.draw(st.sampled_from(KEYS))
    junk = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=5),
        max_leaves=6,
    )
    fields[key] = data.draw(junk.filter(lambda value: json.dumps(value) != json.dumps(fields[key])))
    with pytest.raises(CertificateError):
        certificate_from_json(json.dumps(fields))
