"""Scenarios on measured data: a year of service, disturbances replayed, racks with a flywheel, trouble foreseen."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.power.reserve import BatteryInput
from devices.response.fast_response import Arming, ResponseInput, recovery_w
from devices.response.response_curve import Band
from devices.response.service_files import find_curve
from node.errors import ConfigError
from sim.grid.cli import grid
from sim.grid.data_centre import NAMES, ROTORS, data_centre
from sim.grid.event_replay import envelope, event_replay
from sim.grid.frequency_year import (
    CAPACITY_H,
    ONE_WAY,
    RESERVE_H,
    drawn_year,
    frequency_year,
    recorded,
    recovery_h,
)
from sim.grid.measured import (
    measured_events,
    measured_home,
    measured_pieces,
    measured_racks,
    measured_weather,
)
from sim.grid.swarm import FleetRules
from sim.grid.trouble import trouble

CONTAINMENT = find_curve("gb-dynamic-containment")
EVENTS = measured_events()


def test_the_days_of_a_drawn_year_are_whole_repeat_by_seed_and_hold_every_disturbance() -> None:
    pieces = measured_pieces()
    days = [list(drawn_year(pieces, EVENTS, 3, seed)) for seed in (1, 1, 2)]
    assert [day.size for day in days[0]] == [86_400] * 3
    assert np.array_equal(np.concatenate(days[0]), np.concatenate(days[1]), equal_nan=True)
    assert not np.array_equal(np.concatenate(days[0]), np.concatenate(days[2]), equal_nan=True)
    for seed_days in days:
        assert np.nanmin(np.concatenate(seed_days)) == 48.787


def test_a_steady_low_frequency_is_served_until_the_energy_is_gone_and_recovery_does_not_undo_it() -> None:
    curve = replace(find_curve("fcr-ce"), dead_band=Band(49.99, 50.01))
    result = frequency_year(recorded(np.full(86_400, 49.9)), (curve,), "steady", 0)
    without, with_recovery = result.rows
    assert without["given_kwh_per_kw"] == pytest.approx(12.0)
    # What lies above the reserve at first, once, and no recovery against the response.
    possible = (1.4 - RESERVE_H) * ONE_WAY / 12
    assert without["delivered_part"] == with_recovery["delivered_part"] == pytest.approx(possible, abs=1e-4)
    assert with_recovery["recovered_kwh_per_kw"] == 0
    assert result.checks["no battery went below its owner's reserve"]
    assert not result.ok


@given(st.floats(0, CAPACITY_H), st.sampled_from(["fcr-ce", "gb-dynamic-regulation"]))
def test_recovery_in_the_year_is_the_recovery_of_a_node(stored_h: float, service: str) -> None:
    curve = find_curve(service)
    battery = BatteryInput(
        "b", -2000, 2000, 1000 * CAPACITY_H, ONE_WAY, ONE_WAY, 1000 * RESERVE_H, 0, 1000 * stored_h
    )
    inputs = ResponseInput(50.0, None, (Arming(curve, 1000.0, 1000.0),), ())
    above_h = max(0.0, stored_h - RESERVE_H) * ONE_WAY
    room_h = (CAPACITY_H - stored_h) / ONE_WAY
    ours = recovery_h(above_h, room_h, curve.duration_s / 3600) * 60
    # A node charges (negative) where it lacks energy to give.
    assert recovery_w(inputs, (battery,), 60.0) / 1000 == pytest.approx(ours, abs=1e-9)


def test_missing_seconds_ask_for_nothing() -> None:
    hz = np.full(7_200, np.nan)
    hz[:60] = 49.5
    result = frequency_year(recorded(hz), (CONTAINMENT,), "gaps", 0)
    assert result.assumptions["seconds_without_a_reading"] == 7_140
    assert result.rows[0]["given_kwh_per_kw"] == pytest.approx(60 / 3600, abs=1e-3)


def test_a_year_of_ones_own_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.csv"
    path.write_text("f\n" + "\n".join(["49.99", "50.02"] * 900))
    grid("year", frequency=path, service="gb-dynamic-regulation", as_json=True)
    result = json.loads(capsys.readouterr().out)
    assert result["assumptions"]["source"] == "own.csv"
    assert [row["service"] for row in result["rows"]] == ["gb-dynamic-regulation"] * 2
    path.write_text("f\n" + "\n".join(["50"] * 4_000))
    with pytest.raises(ConfigError, match="at most 3600"):
        grid("replay", frequency=path)


def test_a_replayed_disturbance_is_answered_by_the_curve_but_for_who_is_lost() -> None:
    result = event_replay({"gb": EVENTS["2019-08-09"][80:140]}, (CONTAINMENT, find_curve("nordic-ffr")), 0)
    assert result.ok, result.checks
    contained, _ = result.rows
    assert contained["given_peak"] == pytest.approx(0.9, abs=1e-3)
    assert 0.1 <= float(contained["worst_deviation"] or 0) <= 0.11
    nobody_lost = event_replay(
        {"gb": EVENTS["2019-08-09"][80:140]}, (CONTAINMENT,), 0, FleetRules(homes=200, lost=0.0, noise_hz=0.0)
    )
    assert float(nobody_lost.rows[0]["worst_deviation"] or 0) < 1e-3


def test_an_envelope_is_what_was_asked_within_the_time() -> None:
    lowest, highest = envelope(np.array([1.0, 3.0, 2.0, 2.0]), 1)
    assert lowest.tolist() == [0, 1, 2, 2]
    assert highest.tolist() == [1, 3, 3, 2]


def test_a_flywheel_hides_what_racks_do_and_a_forecast_helps() -> None:
    runs = [run for run in measured_racks() if run.job == "resnet"]
    result = data_centre(tuple(runs[:3]), seed=0)
    assert result.ok, result.checks
    alone, *others = result.rows
    assert len(others) == len(ROTORS) * (len(NAMES) - 1)
    smallest = {row["expects"]: row for row in others if row["flywheel_kwh"] == others[-1]["flywheel_kwh"]}
    assert float(alone["ups_transients"] or 0) > float(smallest["truth"]["ups_transients"] or 0)
    assert float(smallest["truth"]["battery_cycled_kwh"] or 0) <= float(
        smallest["nothing changes"]["battery_cycled_kwh"] or 0
    )
    assert smallest["truth"]["error_120s_kw"] == 0


def test_trouble_is_foreseen_on_measured_data() -> None:
    homes = measured_weather()
    some = replace(
        homes,
        hour_of_day=homes.hour_of_day[:2_000],
        net_load_w=homes.net_load_w[:2_000],
        weather=homes.weather[:2_000],
    )
    result = trouble(measured_pieces()[:18], measured_home()[: 9 * 1_440], some, EVENTS)
    assert result.ok, result.checks
    assert {row["predictor"] for row in result.rows} == {"base rate", "threshold", "model", "proven model"}
    assert all(float(row["rate"] or 0) > 0 for row in result.rows if row["trouble"] == "frequency")
