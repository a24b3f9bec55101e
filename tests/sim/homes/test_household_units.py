"""Meter files with energies in another unit, or with clocks that jump, are refused with line, reason and remedy."""

import pytest

from sim.homes.household_csv import HouseholdFileError, parse_households

HEADER = "start,home,load_kwh,pv_kwh"


def day(
    load: float = 0.4, pv: float = 0.0, odd: tuple[int, str, float] | None = None, step_s: int = 3600
) -> list[str]:
    """A day of a home that alternates between the load and half of it; `odd` is row, column and value of another."""
    rows = [HEADER]
    for index in range(86_400 // step_s):
        minutes = index * step_s // 60
        values = {"load_kwh": load / (1 + index % 2), "pv_kwh": pv}
        if odd is not None and odd[0] == index:
            values[odd[1]] = odd[2]
        start = f"2026-06-01T{minutes // 60:02}:{minutes % 60:02}:00Z"
        rows.append(f"{start},a,{values['load_kwh']:.6f},{values['pv_kwh']:.6f}")
    return rows


def refusal(rows: list[str]) -> HouseholdFileError:
    """What the reader says of a file that it must refuse."""
    with pytest.raises(HouseholdFileError) as caught:
        parse_households(rows, "meters.csv")
    return caught.value


@pytest.mark.parametrize("step_s", [900, 1800, 3600])
def test_a_home_is_read_at_every_step(step_s: int) -> None:
    assert parse_households(day(step_s=step_s), "meters.csv").records[0].complete


@pytest.mark.parametrize(("step_s", "load"), [(900, 300.0), (1800, 600.0), (3600, 1_200.0)])
def test_a_file_in_watt_hours_is_refused(step_s: int, load: float) -> None:
    error = refusal(day(load=load, step_s=step_s))
    assert (error.line, error.column) == (2, "load_kwh")
    assert "a mean of 1,200 kW" in error.reason
    assert "Wh instead of kWh?" in error.reason


def test_a_file_in_megawatt_hours_is_refused() -> None:
    error = refusal(day(load=0.0004))
    assert (error.line, error.column) == (2, "load_kwh")
    assert "home 'a' never draws more than 0.4 W: MWh instead of kWh?" in error.reason


def test_one_row_in_watt_hours_is_named() -> None:
    error = refusal(day(odd=(7, "load_kwh", 400.0)))
    assert (error.line, error.column) == (9, "load_kwh")
    assert "wrong unit (Wh instead of kWh) in this row?" in error.reason
    error = refusal(day(pv=0.5, odd=(7, "pv_kwh", 500.0)))
    assert (error.line, error.column) == (9, "pv_kwh")


def test_a_big_consumer_a_peak_and_an_empty_home_are_not_mistaken() -> None:
    rows = day(load=40.0) + [
        row.replace(",a,", ",b,") for row in day(load=0.1, odd=(3, "load_kwh", 11.0))[1:]
    ]
    rows += [row.replace(",a,", ",c,") for row in day(load=0.0)[1:]]
    assert len(parse_households(rows, "meters.csv").records) == 3


def test_an_hour_that_a_clock_change_left_out_is_named_as_one() -> None:
    rows = ["start,home,load_kwh"]
    # Local time with the winter's offset all through: in spring an hour seems to be missing.
    rows += [f"2026-03-29T{hour:02}:00:00+01:00,a,1" for hour in (0, 1, 3, 4)]
    error = refusal(rows)
    assert error.line == 4
    assert "gap of 7200 s" in error.reason
    assert "a clock change? give each row the UTC offset" in error.reason
    assert "give the row with an empty cell" in error.reason


@pytest.mark.parametrize(("step_minutes", "said"), [(60, "duplicate"), (30, "goes back in time")])
def test_an_hour_that_comes_twice_is_named_as_a_clock_change(step_minutes: int, said: str) -> None:
    minutes = [*range(0, 180, step_minutes), *range(120, 300, step_minutes)]
    rows = ["start,home,load_kwh"]
    rows += [f"2026-10-25T{each // 60:02}:{each % 60:02}:00+02:00,a,1" for each in minutes]
    error = refusal(rows)
    assert said in error.reason
    assert "a clock change? give each row the UTC offset" in error.reason


def test_another_gap_is_not_called_a_clock_change() -> None:
    rows = ["start,home,load_kwh", *(f"2026-06-01T{hour:02}:00:00Z,a,1" for hour in (0, 1, 4))]
    error = refusal(rows)
    assert "gap of 10800 s" in error.reason
    assert "clock" not in error.reason
