"""Frequency: the simulation is the closed form, the closed form is the model's, and a fleet answers by its curve."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.response.response_curve import ResponseCurve, response
from devices.response.service_files import built_in_curves, find_curve
from sim.grid.curves import responses
from sim.grid.frequency import simulate
from sim.grid.loss_of_infeed import SYSTEM, loss_of_infeed
from sim.grid.swarm import Fleet, FleetRules
from sim.grid.system import ClosedForm, GridSystem

PAPER = GridSystem(60.0, 1000.0, 4000.0, 1.0, 0.05, 0.95, 0.3, 8.0)
"""The example of Anderson and Mirheydar, section IV: R 0.05, H 4, Km 0.95, FH 0.3, TR 8, D 1."""
CONTAINMENT = find_curve("gb-dynamic-containment")
systems = st.builds(
    GridSystem,
    st.sampled_from([50.0, 60.0]),
    st.floats(1e3, 1e5),
    st.floats(2e3, 4e5),
    st.floats(0, 2),
    st.floats(0.03, 0.1),
    st.floats(0.1, 1),
    st.floats(0.1, 0.5),
    st.floats(4, 12),
)


def test_the_example_of_the_paper() -> None:
    exact = ClosedForm(PAPER, 200.0)
    stiffness = 1.0 * 0.05 + 0.95
    assert exact.natural_rad_per_s == pytest.approx((stiffness / (2 * 4 * 0.05 * 8)) ** 0.5)
    assert exact.damping_ratio == pytest.approx(
        (2 * 4 * 0.05 + (0.05 + 0.95 * 0.3) * 8) / (2 * stiffness) * exact.natural_rad_per_s
    )
    assert exact.settled_hz == pytest.approx(60 - 60 * 0.05 * 0.2 / stiffness)
    times = np.linspace(0, 30, 300_001)
    lowest = times[int(exact.frequency_hz(times).argmin())]
    assert exact.nadir_s == pytest.approx(lowest, abs=1e-3)
    assert exact.nadir_hz == pytest.approx(exact.frequency_hz(times).min(), abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(systems, st.floats(10, 2000))
def test_the_simulation_is_the_closed_form(system: GridSystem, loss_mw: float) -> None:
    try:
        exact = ClosedForm(system, loss_mw)
    except ValueError:
        assert system.inertia_s > 0
        return
    run = simulate(system, loss_mw, 20.0, 0.01)
    drop_hz = system.nominal_hz * loss_mw / system.base_mw
    assert np.abs(run.frequency_hz - exact.frequency_hz(run.time_s)).max() <= 1e-6 * max(drop_hz, 1.0)
    if exact.nadir_s < 20.0:
        assert run.nadir_hz == pytest.approx(exact.nadir_hz, abs=1e-3 * drop_hz)


def test_the_first_moment_is_the_swing_equation_alone() -> None:
    run = simulate(SYSTEM, 1000.0, 1.0, 0.001)
    first = (run.frequency_hz[1] - run.frequency_hz[0]) / 0.001
    assert first == pytest.approx(SYSTEM.initial_rocof_hz_per_s(1000.0), rel=1e-2)
    assert SYSTEM.with_kinetic(102_000.0).initial_rocof_hz_per_s(1000.0) == pytest.approx(-0.245098, abs=1e-6)


def test_a_system_that_does_not_swing_has_no_closed_form() -> None:
    with pytest.raises(ValueError, match="swings"):
        ClosedForm(replace(PAPER, high_pressure=1.0), 100.0)


@given(st.sampled_from(built_in_curves()), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_curves_over_arrays_are_the_curves(curve: ResponseCurve, parts: list[float]) -> None:
    valid = curve.valid
    x = [min(valid.lowest + part * (valid.highest - valid.lowest), valid.highest) for part in parts]
    x += [point.x for point in curve.points]
    assert responses(curve, np.array(x)).tolist() == pytest.approx([response(curve, each) for each in x])
    outside = np.array([valid.lowest - 0.1, valid.highest + 0.1, np.nan])
    assert responses(curve, outside).tolist() == [0, 0, 0]


def test_a_fleet_gives_what_its_curve_says_but_for_those_who_are_lost() -> None:
    rules = FleetRules(homes=1000, lost=0.1, noise_hz=0.0)
    fleet = Fleet(rules, CONTAINMENT, 0.01, seed=1)
    history = np.full(400, 49.65)
    power_mw = [fleet.step(index, history) for index in range(400)][-1]
    assert fleet.nominal_mw == 5.0
    assert power_mw == pytest.approx(0.9 * 5.0 * 0.525, rel=1e-6)


def test_a_fleet_answers_within_the_time_that_its_service_allows() -> None:
    fleet = Fleet(FleetRules(homes=1000, lost=0.0), CONTAINMENT, 0.01, seed=1)
    history = np.concatenate([np.full(50, 50.0), np.full(150, 49.4)])
    power_mw = [fleet.step(index, history) for index in range(200)]
    assert power_mw[49] == pytest.approx(0.0, abs=0.01)
    assert power_mw[50 + 100] >= 0.99 * fleet.nominal_mw


def test_homes_that_have_given_all_their_energy_stop() -> None:
    rules = FleetRules(homes=100, lost=0.0, energy_kwh=5.0 * 2 / 3600)
    fleet = Fleet(rules, CONTAINMENT, 0.01, seed=1)
    history = np.full(600, 49.4)
    power_mw = [fleet.step(index, history) for index in range(600)]
    assert max(power_mw) > 0.45
    assert power_mw[-1] == pytest.approx(0.0, abs=1e-3)


def test_a_control_cycle_is_a_whole_number_of_steps() -> None:
    with pytest.raises(ValueError, match="whole number"):
        Fleet(FleetRules(homes=1), CONTAINMENT, 0.03, seed=1)


def test_a_seed_repeats_itself() -> None:
    runs = [
        simulate(SYSTEM, 1000.0, 3.0, 0.01, Fleet(FleetRules(homes=5_000), CONTAINMENT, 0.01, seed))
        for seed in (3, 3, 4)
    ]
    assert runs[0].frequency_hz.tolist() == runs[1].frequency_hz.tolist()
    assert runs[0].frequency_hz.tolist() != runs[2].frequency_hz.tolist()


@pytest.mark.parametrize(
    ("service", "message"), [("volt-var", "needs a service"), ("ieee-1547-frequency-droop-60hz", "at 50 Hz")]
)
def test_a_service_of_another_grid_is_refused(service: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_of_infeed(10, find_curve(service), 0)
