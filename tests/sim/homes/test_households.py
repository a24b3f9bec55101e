"""The loader of measured households: what it accepts, what it refuses, and that samples are as committed."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.homes.household_csv import HouseholdFileError, parse_households
from sim.homes.household_samples import load_sample
from sim.homes.households import load_households
from sim.homes.neighbourhood import (
    NS_PER_S,
    HouseholdError,
    energy_from_kwh,
    energy_from_power,
    price_from_units,
)

DATA = Path(__file__).parents[3] / "sim" / "data"
SAMPLES = [(source, season) for source in ("fontana", "london", "swiss") for season in ("summer", "winter")]

GOOD = [
    "start,home,load_kwh,pv_kwh,import_price,export_price",
    "2026-06-01T00:00:00+02:00,a,0.4120005,0,0.31,0.08",
    "2026-06-01T00:00:00+02:00,b,0.2,0.05,0.31,0.08",
    "2026-05-31T22:15:00Z,a,0.5,0,0.32,0.08",
    "2026-05-31T22:15:00Z,b,0.3,0,0.32,0.08",
]


@pytest.mark.parametrize(("source", "season"), SAMPLES)
def test_a_sample_gives_aligned_complete_homes_with_tariff(source: str, season: str) -> None:
    place = load_households(source, season, homes=6, seed=1)
    assert len(place.homes) == 6
    assert place.first_start_ns % (place.interval_s * NS_PER_S) == 0
    assert place.start_ns == place.first_start_ns + (2 * 24 + 9) * 3_600 * NS_PER_S
    assert place.first_interval * place.interval_s * NS_PER_S == place.start_ns
    intervals = 14 * 86_400 // place.interval_s
    assert place.run_intervals == intervals - (2 * 24 + 9) * 3_600 // place.interval_s
    for home in place.homes:
        assert len(home.load) == len(home.pv) == len(place.prices.import_price) == intervals
        assert min(home.load) >= 0
        assert min(home.pv) >= 0
    assert len(place.prices.export_price) == intervals
    prices = zip(place.prices.export_price, place.prices.import_price, strict=True)
    assert all(0 < export < retail for export, retail in prices)


def test_fontana_has_solar_a_time_of_use_price_and_carbon() -> None:
    place = load_households("fontana", homes=14)
    assert place.interval_s == 3600
    assert set(place.prices.import_price) == {220_000, 400_000, 540_000}
    assert place.prices.carbon is not None
    assert 50 < min(place.prices.carbon) < max(place.prices.carbon) < 400
    assert all(max(home.pv) > 2_000_000 for home in place.homes)
    assert all(home.pv[0] == 0 for home in place.homes), "midnight has no sun"


def test_london_has_the_dynamic_price_and_no_solar() -> None:
    place = load_households("london", "winter", homes=12)
    assert place.interval_s == 1800
    assert set(place.prices.import_price) == {39_900, 117_600, 672_000}
    assert not any(any(home.pv) for home in place.homes)


def test_switzerland_has_solar_and_a_price_for_every_quarter_of_an_hour() -> None:
    place = load_households("swiss", homes=6)
    assert place.interval_s == 900
    assert len(set(place.prices.import_price)) > 100
    assert all(max(home.pv) > 1_000_000 for home in place.homes)


def test_the_same_seed_gives_the_same_homes_and_another_seed_others() -> None:
    one = load_households("fontana", homes=6, seed=1)
    assert one == load_households("fontana", homes=6, seed=1)
    others = [
        {home.id for home in load_households("fontana", homes=6, seed=seed).homes} for seed in range(2, 7)
    ]
    assert any(other != {home.id for home in one.homes} for other in others)


def test_every_second_home_has_a_battery() -> None:
    for count in (1, 7, 8):
        place = load_households("fontana", homes=count)
        assert sum(home.battery is not None for home in place.homes) == (count + 1) // 2


def test_suspect_homes_are_chosen_last() -> None:
    suspects = {"fontana_12", "fontana_14", "fontana_15"}
    for seed in range(20):
        assert not suspects & {home.id for home in load_households("fontana", homes=14, seed=seed).homes}
    assert suspects <= {home.id for home in load_households("fontana", homes=17).homes}


def test_a_home_with_a_missing_reading_is_not_chosen() -> None:
    recording = load_sample("london", "winter")
    broken = [record.id for record in recording.records if not record.complete]
    assert broken, "the sample keeps a home with a gap on purpose"
    whole = len(recording.records) - len(broken)
    chosen = {home.id for home in load_households("london", "winter", homes=whole).homes}
    assert not chosen & set(broken)


def test_too_many_homes_says_how_many_there_are() -> None:
    with pytest.raises(HouseholdError, match="18 homes asked for, but 17 of 17"):
        load_households("fontana", homes=18)


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(HouseholdError, match="one of summer, winter"):
        load_households("fontana", "spring", homes=2)
    with pytest.raises(HouseholdError, match="no source of households: fontana, london, swiss, or a CSV"):
        load_households("fontanna", homes=2)


def test_committed_samples_are_those_of_the_manifest() -> None:
    manifest = json.loads((DATA / "manifest.json").read_text())
    assert {path.name for path in DATA.glob("*.parquet")} == set(manifest)
    for name, facts in manifest.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == facts["sha256"], name
        assert facts["licence"].startswith(("MIT", "CC BY 4.0"))
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 1_500_000


def test_a_file_becomes_integers_in_order_of_time() -> None:
    recording = parse_households(GOOD, "meters.csv")
    assert recording.interval_s == 900
    assert [record.id for record in recording.records] == ["a", "b"]
    assert recording.records[0].load == (412_000, 500_000), "half a milliwatt-hour goes to even"
    assert recording.records[1].pv == (50_000, 0)
    assert recording.prices.import_price == (310_000, 320_000)
    assert recording.first_start_ns == 1_780_264_800 * NS_PER_S


def test_without_solar_and_prices_defaults_hold(tmp_path: Path) -> None:
    rows = ["start,home,load_kwh"]
    rows += [f"2026-06-{1 + hour // 24:02}T{hour % 24:02}:00:00Z,a,0.5" for hour in range(72)]
    path = tmp_path / "meters.csv"
    path.write_text("\n".join(rows))
    place = load_households(path, homes=1)
    assert (place.history, place.run_intervals) == (57, 15)
    assert set(place.prices.import_price) == {300_000}
    assert set(place.homes[0].pv) == {0}


def test_an_empty_cell_is_a_missing_reading_and_excludes_the_home() -> None:
    recording = parse_households(replaced(3, "2026-05-31T22:15:00Z,a,,0,0.32,0.08"), "meters.csv")
    assert [record.complete for record in recording.records] == [False, True]


def test_what_is_asked_for_is_left_to_play_and_the_rest_is_history(tmp_path: Path) -> None:
    path = tmp_path / "meters.csv"
    path.write_text("\n".join(GOOD))
    assert load_households(path, homes=1, intervals=1).history == 1
    assert load_households(path, homes=1, intervals=2).history == 0
    with pytest.raises(HouseholdError, match="3 intervals asked for, but the recording has 2 of 900 s"):
        load_households(path, homes=1, intervals=3)


def replaced(index: int, row: str) -> list[str]:
    """The good file with one line replaced (0 is the header)."""
    return [*GOOD[:index], row, *GOOD[index + 1 :]]


BAD = {
    "duplicate": (3, "2026-06-01T00:00:00+02:00,a,0.5,0,0.31,0.08", 4, "start", "duplicate"),
    "another step": (3, "2026-05-31T22:30:00Z,a,0.5,0,0.32,0.08", 5, "start", "shorter step"),
    "backwards": (3, "2026-05-31T21:45:00Z,a,0.5,0,0.32,0.08", 4, "start", "goes back in time"),
    "local time": (1, "2026-06-01T00:00:00,a,0.5,0,0.31,0.08", 2, "start", "no UTC offset"),
    "not a time": (1, "yesterday,a,0.5,0,0.31,0.08", 2, "start", "not an ISO 8601 time"),
    "negative load": (2, "2026-05-31T22:00:00Z,b,-0.2,0,0.31,0.08", 3, "load_kwh", "negative"),
    "negative solar": (2, "2026-05-31T22:00:00Z,b,0.2,-1,0.31,0.08", 3, "pv_kwh", "negative"),
    "watt-hours": (2, "2026-05-31T22:00:00Z,b,200000,0,0.31,0.08", 3, "load_kwh", "wrong unit"),
    "comma": (2, '2026-05-31T22:00:00Z,b,"0,2",0,0.31,0.08', 3, "load_kwh", "not a plain decimal"),
    "infinite": (2, "2026-05-31T22:00:00Z,b,inf,0,0.31,0.08", 3, "load_kwh", "not a plain decimal"),
    "exponent": (2, "2026-05-31T22:00:00Z,b,1e999999999,0,0.31,0.08", 3, "load_kwh", "not a plain decimal"),
    "two prices": (2, "2026-05-31T22:00:00Z,b,0.2,0,0.33,0.08", 3, "import_price", "differs"),
    "export dearer": (
        2,
        "2026-05-31T22:00:00Z,b,0.2,0,0.31,0.32",
        3,
        "export_price",
        "above the import price",
    ),
    "no price": (2, "2026-05-31T22:00:00Z,b,0.2,0,,0.08", 3, "import_price", "not a plain decimal"),
    "no name": (2, "2026-05-31T22:00:00Z,,0.2,0,0.31,0.08", 3, "home", "empty"),
    "few cells": (2, "2026-05-31T22:00:00Z,b,0.2", 3, "pv_kwh", "3 cells where the header has 6"),
    "many cells": (2, "2026-05-31T22:00:00Z,b,1,0,1,1,1", 3, "export_price", "7 cells"),
    "unknown column": (0, "start,home,load_kwh,pv_kw,import_price,export_price", 1, "pv_kw", "unknown"),
    "no load column": (0, "start,home,pv_kwh", 1, "load_kwh", "missing"),
    "one price column": (0, "start,home,load_kwh,import_price", 1, "export_price", "both prices or none"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_row_is_named_with_file_line_column_and_reason(fault: str) -> None:
    index, row, line, column, reason = BAD[fault]
    with pytest.raises(HouseholdFileError, match=reason) as caught:
        parse_households(replaced(index, row), "meters.csv")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("meters.csv", line, column)


def test_the_repeated_hour_of_a_clock_change_is_no_gap_with_offsets() -> None:
    rows = [
        "start,home,load_kwh",
        "2026-10-25T02:00:00+02:00,a,1",
        "2026-10-25T02:00:00+01:00,a,2",
        "2026-10-25T03:00:00+01:00,a,3",
    ]
    recording = parse_households(rows, "meters.csv")
    assert recording.records[0].load == (1_000_000, 2_000_000, 3_000_000)


def test_a_clock_change_without_its_hour_is_a_gap() -> None:
    rows = ["start,home,load_kwh"]
    rows += [f"2026-10-25T{hour:02}:00:00+0{1 + (hour < 3)}:00,a,1" for hour in range(5)]
    with pytest.raises(
        HouseholdFileError, match="gap of 7200 s after 2026-10-25T00:00:00Z where the step is 3600"
    ):
        parse_households(rows, "meters.csv")


def test_homes_must_cover_the_same_span() -> None:
    with pytest.raises(HouseholdFileError, match="home 'b' ends at 2026-05-31T22:00:00Z"):
        parse_households(GOOD[:-1], "meters.csv")


@pytest.mark.parametrize(
    ("written", "mwh"), [("0.41200000000000003", 412_000), ("5e-05", 50), ("1.2E1", 12_000_000)]
)
def test_numbers_are_read_as_programs_write_them(written: str, mwh: int) -> None:
    recording = parse_households(replaced(3, f"2026-05-31T22:15:00Z,a,{written},0,0.32,0.08"), "meters.csv")
    assert recording.records[0].load[1] == mwh


def test_an_odd_step_or_start_is_refused() -> None:
    with pytest.raises(
        HouseholdFileError, match=r"step of 420 s does not divide a day; .* in the order of time"
    ):
        parse_households(["start,home,load_kwh", "2026-06-01T00:00:00Z,a,1", "2026-06-01T00:07:00Z,a,1"], "f")
    with pytest.raises(HouseholdFileError, match="multiple of 900 s"):
        parse_households(["start,home,load_kwh", "2026-06-01T00:01:00Z,a,1", "2026-06-01T00:16:00Z,a,1"], "f")


@given(st.floats(min_value=0, max_value=1000, allow_nan=False), st.sampled_from([900, 1800, 3600]))
def test_rounding_is_to_the_nearest_milliwatt_hour(power_kw: float, interval_s: int) -> None:
    exact = Fraction(power_kw) * interval_s * 1_000_000 / 3600
    assert abs(energy_from_power(power_kw, interval_s) - exact) <= Fraction(1, 2)


def test_halves_go_to_even() -> None:
    assert energy_from_kwh(Fraction("0.0000005")) == 0
    assert energy_from_kwh(Fraction("0.0000015")) == 2
    assert price_from_units(0.21999999880790710) == 220_000
    assert energy_from_power(2.2758, 3600) == 2_275_800
