"""A whole recording becomes a file that the market plays."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from sim.homes.households import read_recording

ROOT = Path(__file__).parents[3]


def test_a_whole_recording_becomes_a_file_of_meters(tmp_path: Path) -> None:
    first = datetime(2013, 1, 1, tzinfo=UTC)
    times = [first + timedelta(minutes=30 * index) for index in range(200)]
    pl.DataFrame({"ts_utc": times, "dtou_gbp_per_kwh": [0.1176] * 200}).write_parquet(
        tmp_path / "tariff_london_lcl_dtou_2013.parquet"
    )
    loads = {"a": [0.5] * 200, "b": [None, *[1.0] * 199], "c": [None] * 100 + [2.0] * 100}
    rows = [
        {"ts_utc": time, "home_id": home, "load_kw": load}
        for home, series in loads.items()
        for time, load in zip(times, series, strict=True)
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "homes_london_lcl_30min_2013.parquet")
    out = tmp_path / "year.csv"
    words = [sys.executable, "-m", "scripts.make_year_csv", str(tmp_path), "london", str(out)]
    subprocess.run(words, cwd=ROOT, check=True, timeout=120)
    recording = read_recording(out)
    assert [record.id for record in recording.records] == ["a", "b"]
    assert recording.records[0].load == (250_000,) * 200
    assert recording.records[1].load[:2] == (None, 500_000)
    assert set(recording.prices.import_price) == {117_600}
    assert set(recording.prices.export_price) == {35_000}
