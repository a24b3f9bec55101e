"""Builders of configurations, profiles and devices for the tests of control."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOUR_NS = 3600 * 10**9


@pytest.fixture
def settings() -> Callable[..., dict[str, Any]]:
    """A valid configuration as it stands in a file, with changes."""

    def build(**changes: Any) -> dict[str, Any]:
        source: dict[str, Any] = {
            "data_dir": "node",
            "profile": "profile.csv",
            "interval_s": 3600,
            "clock": {"start_wall_ns": 0, "epoch_ns": 0, "speed": 1.0},
            "connection": {"minimum_w": -8000, "maximum_w": 5000},
            "ders": [
                {
                    "kind": "battery",
                    "name": "battery",
                    "charge_w": 3000,
                    "discharge_w": 3000,
                    "capacity_wh": 8000,
                },
                {"kind": "pv", "name": "roof", "maximum_w": 9000},
                {"kind": "load", "name": "house", "maximum_w": 9000},
            ],
        }
        return source | changes

    return build


@pytest.fixture
def profile_file(tmp_path: Path) -> Callable[..., Path]:
    """A profile file of hourly rows (load W, PV W) from cell time 0."""

    def write(*rows: tuple[float, float]) -> Path:
        path = tmp_path / "profile.csv"
        lines = ["start_ns,load_w,pv_w"]
        lines += [f"{hour * HOUR_NS},{load},{pv}" for hour, (load, pv) in enumerate(rows)]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
