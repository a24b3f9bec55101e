"""Tariff files: steps in order, and one message for every bad row."""

from pathlib import Path

import pytest

from market.rules import TariffStep
from node.configuration.tariff_file import load_tariff
from node.errors import ConfigError

HEADER = "from_interval,import_price,export_price\n"


def load(tmp_path: Path, text: str) -> tuple[TariffStep, ...]:
    path = tmp_path / "tariff.csv"
    path.write_text(text, "utf-8")
    return load_tariff(path)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return caught.value.mistakes


def test_prices_are_exact_millionths(tmp_path: Path) -> None:
    steps = load(tmp_path, HEADER + "0,0.310001,0.04\n\n96, -0.05 ,-0.1\n")
    assert steps == (TariffStep(0, 310_001, 40_000), TariffStep(96, -50_000, -100_000))


def test_a_byte_order_mark_of_a_spreadsheet_is_no_mistake(tmp_path: Path) -> None:
    assert len(load(tmp_path, "\ufeff" + HEADER + "0,1,0\n")) == 1


def test_every_bad_row_is_told_with_its_line(tmp_path: Path) -> None:
    rows = "0,0.3,0.04\n0,0.3,0.04\nx,0.3,0.04\n5,0.0000001,0\n6,0.3\n7,0.1,0.2\n8,cheap,0\n-9,1,0\n"
    found = mistakes(tmp_path, HEADER + rows)
    assert [mistake.split("line ")[1].split(":")[0] for mistake in found] == [
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
    ]


@pytest.mark.parametrize("text", ["", "a,b,c\n", HEADER, "0,0.3,0.04\n"])
def test_a_file_without_header_or_rows_is_refused(tmp_path: Path, text: str) -> None:
    assert len(mistakes(tmp_path, text)) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.csv"):
        load_tariff(tmp_path / "no.csv")
