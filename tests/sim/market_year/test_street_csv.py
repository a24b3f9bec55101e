"""London's loads under Swiss roofs: what is measured stays, and a roof makes in the year what its home uses."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sim.homes.households import read_recording

ROOT = Path(__file__).parents[3]
HALF_HOURS = 96


def test_a_street_has_the_loads_of_its_homes_and_roofs_of_their_size(tmp_path: Path) -> None:
    first = datetime(2013, 6, 1, tzinfo=UTC)
    times = [first + timedelta(minutes=30 * index) for index in range(HALF_HOURS)]
    pl.DataFrame({"ts_utc": times, "dtou_gbp_per_kwh": [0.1176] * HALF_HOURS}).write_parquet(
        tmp_path / "tariff_london_lcl_dtou_2013.parquet"
    )
    loads = [{"ts_utc": time, "home_id": home, "load_kw": 0.5} for home in "ab" for time in times]
    pl.DataFrame(loads).write_parquet(tmp_path / "homes_london_lcl_30min_2013.parquet")
    quarters = [datetime(2024, 6, 1, tzinfo=UTC) + timedelta(minutes=15 * index) for index in range(192)]
    roof = [
        {"ts_utc": time, "site_id": "house1", "load_kw": 0.0, "pv_kw": time.hour / 3} for time in quarters
    ]
    pl.DataFrame(roof).write_parquet(tmp_path / "community_swiss_15min_2024.parquet")
    hours = [datetime(2021, 6, 1, tzinfo=UTC) + timedelta(hours=index) for index in range(48)]
    grams = pl.DataFrame({"ts_utc": hours, "gb_direct_g_per_kwh": [150.4] * 48})
    grams.write_parquet(tmp_path / "carbon_intensity_60min_2021_24.parquet")
    out = tmp_path / "street.csv"
    words = [sys.executable, "-m", "scripts.make_street_csv", str(tmp_path), str(out), "--step", "1h"]
    subprocess.run(words, cwd=ROOT, check=True, timeout=300)
    recording = read_recording(out)
    under, without = recording.records
    assert (recording.interval_s, recording.intervals) == (3600, 48)
    assert under.load == without.load == (500_000,) * 48
    assert without.pv == (0,) * 48
    made = [energy for energy in under.pv if energy is not None]
    assert sum(made) == pytest.approx(24_000_000, abs=48)
    assert made[0] == 0
    assert made[23] > made[1] > 0
    assert recording.prices.carbon == (150,) * 48
