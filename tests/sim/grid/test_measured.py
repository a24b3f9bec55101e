"""Measured samples: as the manifest says, plausible, and a record of one's own with its mistakes named."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from node.errors import ConfigError
from sim.grid.measured import (
    DATA,
    measured_events,
    measured_home,
    measured_pieces,
    measured_racks,
    measured_weather,
    read_frequency,
)


def test_committed_samples_are_those_of_the_manifest() -> None:
    manifest = json.loads((DATA / "manifest.json").read_text("utf-8"))
    assert {path.name for path in DATA.glob("*.parquet")} == set(manifest)
    for name, facts in manifest.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == facts["sha256"]
        table = pq.read_schema(DATA / name)
        assert table.metadata[b"licence"].decode() == facts["licence"]
        assert table.names == facts["columns"]


def test_frequency_is_what_was_measured() -> None:
    events, pieces = measured_events(), measured_pieces()
    assert events["2019-08-09"].min() == 48.787
    assert events["2023-12-22"].min() == 49.275
    assert len(pieces) == 130
    assert sum(piece.size for piece in pieces) == 79_332
    assert all(np.nanmin(piece) > 49.95 and np.nanmax(piece) < 50.06 for piece in pieces)


def test_loads_are_what_was_measured() -> None:
    racks, homes = measured_racks(), measured_weather()
    assert [len([run for run in racks if run.job == job]) for job in ("ssd", "resnet", "unet3d")] == [
        5,
        5,
        40,
    ]
    assert all(run.step_s == 2 and 10_000 < run.power_w.max() < 50_000 for run in racks)
    assert np.nanmax(measured_home()) == pytest.approx(9_272)
    assert homes.net_load_w.size == homes.weather.shape[0] == 8_759
    assert homes.weather[:, 2].max() < 1_200


@pytest.mark.parametrize("column", ["hz", "f"])
def test_a_record_of_ones_own_is_read(tmp_path: Path, column: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        f"dtm,{column}\n2026-01-01 00:00:00,50.01\n2026-01-01 00:00:01,\n2026-01-01 00:00:02,49.99\n"
    )
    assert read_frequency(path) == pytest.approx([50.01, np.nan, 49.99], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column hz"),
        ("hz\nfifty\n", "not all are numbers"),
        ("hz\n\n", "no column hz|is empty|no data"),
        ("hz\n49.9\n50010\n", "goes from 49.9 to 50010, not from 40 to 70 Hz"),
    ],
)
def test_a_mistake_in_a_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_frequency(path)
    with pytest.raises(ConfigError, match=r"no\.csv"):
        read_frequency(tmp_path / "no.csv")
