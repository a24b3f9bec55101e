"""Overloads met prepared: acting helps, touches no reserve, and never makes the overload itself."""

import numpy as np
import pytest

from devices.prediction.readiness_config import USUAL
from sim.grid.preparation import ALWAYS, LIMIT_W, Ready, play, preparing


def evenings(days: int) -> np.ndarray:
    """A home whose overload comes every day at six, after half an hour of rising."""
    day = np.full(1_440, 800.0)
    day[1_050:1_080] = np.linspace(1_000.0, 4_800.0, 30)
    day[1_080:1_095] = 6_500.0
    return np.tile(day, days)


def test_acting_on_what_is_foreseen_takes_away_most_of_a_daily_overload() -> None:
    result = preparing(evenings(1))
    assert result.ok, result.checks
    rows = {str(row["acting"]): row for row in result.rows}
    assert float(str(rows["not acting"]["excess_kwh"])) == pytest.approx(0.375, abs=0.01)
    assert float(str(rows["threshold"]["excess_kwh"])) < 0.375
    assert float(str(rows["always full"]["excess_kwh"])) == pytest.approx(0.0, abs=0.01)
    assert float(str(rows["threshold"]["time_held"])) < 0.1


def test_the_scenario_asks_what_a_node_would_ask() -> None:
    ready = Ready(learns=False)
    for minute in range(40):
        ready(LIMIT_W * 0.95, minute)
    assert ready(LIMIT_W * 0.95, 40) is not None
    assert ALWAYS.limit_w == LIMIT_W
    assert len(USUAL) == 2


def test_a_record_without_an_overload_is_refused() -> None:
    with pytest.raises(ValueError, match="never draws more"):
        preparing(np.full(1_440, 500.0))


def test_what_was_not_read_is_not_prepared_for() -> None:
    played = play(np.full(30, np.nan), Ready(learns=True))
    assert not played.held.any()
