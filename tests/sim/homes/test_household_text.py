"""Meter files as other programs write them: what can be read is read, and what can't is told with its remedy."""

from pathlib import Path

import pytest

from sim.homes.household_csv import HouseholdFileError, parse_households
from sim.homes.households import read_recording

HEADER = "start,home,load_kwh"
ROWS = [f"2026-06-01T{hour:02}:00:00Z,a,0.4" for hour in range(24)]


def refusal(rows: list[str]) -> HouseholdFileError:
    """What the reader says of a file that it must refuse."""
    with pytest.raises(HouseholdFileError) as caught:
        parse_households(rows, "meters.csv")
    return caught.value


@pytest.mark.parametrize(
    ("rows", "column", "said"),
    [
        ([], "start", "the file is empty; the columns are start, home"),
        (["", "  "], "start", "the file has no rows"),
        ([HEADER], "start", "the file has no rows"),
        ([HEADER.replace(",", ";"), ROWS[0].replace(",", ";")], "start", "separated by semicolons"),
        ([HEADER.replace(",", "\t"), ROWS[0].replace(",", "\t")], "start", "separated by tabs"),
        ([HEADER, ROWS[0].replace("0.4", "0,4")], "load_kwh", "a decimal comma? write 0.412"),
        ([HEADER, ROWS[0].replace("0.4", "nan")], "load_kwh", "not a plain decimal number"),
        ([HEADER, ROWS[0].replace("0.4", "9" * 40)], "load_kwh", "not a plain decimal number"),
        ([HEADER, ROWS[0].replace("2026", "0001")], "start", "is not from 1970 to 2199"),
        ([HEADER, ROWS[0].replace("2026", "9999")], "start", "is not from 1970 to 2199"),
        ([HEADER, ROWS[1], ROWS[0]], "start", "goes back in time"),
        (["x" * 200_000], "start", "not CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(rows: list[str], column: str, said: str) -> None:
    error = refusal(rows)
    assert error.column == column
    assert said in error.reason


def test_a_small_home_in_watt_hours_is_refused_by_its_mean() -> None:
    error = refusal([HEADER, *(row.replace("0.4", "400") for row in ROWS)])
    assert error.column == "load_kwh"
    assert "home 'a' has 400 kW on average: Wh instead of kWh?" in error.reason


def test_marks_spaces_and_empty_lines_of_other_programs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "meters.csv"
    text = "\r\n".join(["", HEADER.replace(",", " , "), *ROWS[:2], "", *ROWS[2:], ""])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    recording = read_recording(path)
    assert (recording.intervals, recording.records[0].load[0]) == (24, 400_000)


def test_carbon_is_read_and_is_the_grid_s() -> None:
    rows = [HEADER + ",carbon_g_per_kwh", *(f"{row},{150 + place}" for place, row in enumerate(ROWS))]
    assert parse_households(rows, "meters.csv").prices.carbon == tuple(range(150, 174))
    other = [*rows, *(row.replace(",a,", ",b,") for row in rows[1:])]
    assert refusal([*other[:-1], other[-1][:-3] + "999"]).column == "carbon_g_per_kwh"
    assert "wrong unit?" in refusal([rows[0], rows[1][:-3] + "150000"]).reason
