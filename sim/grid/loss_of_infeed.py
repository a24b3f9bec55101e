"""Scenario: a large infeed is lost in a system of low inertia, with and without a fleet of homes that answers.

The system is shaped after Great Britain: 25 GW of demand that falls by 2.5 % per Hz (a damping of 1.25), governors of
5 % droop on a fifth of the generation, reheat of 8 s with 30 % of the power at once (the middle of the ranges of
Anderson and Mirheydar 1990, section IV). Kinetic energies of 210, 140 and 102 GVA s are a windless winter evening,
NESO's present floor, and what it plans to allow.
"""

import numpy as np

from devices.response.response_curve import Effect, Quantity, ResponseCurve
from sim.grid.curves import responses
from sim.grid.frequency import FrequencyRun, simulate
from sim.grid.result import Chart, Figure, Result
from sim.grid.swarm import Fleet, FleetRules
from sim.grid.system import ClosedForm, GridSystem

SYSTEM = GridSystem(
    nominal_hz=50.0,
    base_mw=25_000.0,
    kinetic_mws=210_000.0,
    damping=1.25,
    droop=0.05,
    gain=0.2,
    high_pressure=0.3,
    reheat_s=8.0,
)
KINETIC_GVAS = (210.0, 140.0, 102.0)
FLEETS_MW = (0.0, 100.0, 250.0, 500.0)
LOSS_MW = 1000.0
DURATION_S = 30.0
STEP_S = 0.01
CLOSED_FORM_HZ = 1e-3
"""A millihertz: ten times less than the best meter of a home sees."""


def loss_of_infeed(homes: int, curve: ResponseCurve, seed: int) -> Result:
    """Run every inertia with every fleet; `homes` of 5 kW are the largest one. Deterministic in the seed.

    `curve` must read frequency at 50 Hz and act on active power (ValueError).
    """
    if curve.quantity is not Quantity.FREQUENCY or curve.effect is not Effect.ACTIVE_POWER:
        raise ValueError(
            f"{curve.name}: this scenario needs a service that answers frequency with active power"
        )
    if not curve.valid.holds(SYSTEM.nominal_hz):
        raise ValueError(f"{curve.name}: this scenario is at {SYSTEM.nominal_hz:g} Hz")
    rules = FleetRules()
    largest_mw = homes * rules.armed_kw / 1000
    rows: list[dict[str, Figure]] = []
    runs: dict[tuple[float, float], FrequencyRun] = {}
    for kinetic_gvas in KINETIC_GVAS:
        system = SYSTEM.with_kinetic(kinetic_gvas * 1000)
        for part_mw in FLEETS_MW:
            fleet_mw = part_mw / FLEETS_MW[-1] * largest_mw
            count = round(homes * part_mw / FLEETS_MW[-1])
            fleet = Fleet(FleetRules(homes=count), curve, STEP_S, seed) if count else None
            run = simulate(system, LOSS_MW, DURATION_S, STEP_S, fleet)
            runs[kinetic_gvas, part_mw] = run
            rows.append(_row(system, kinetic_gvas, fleet_mw, count, run, curve))
    return Result(
        scenario="loss-of-1gw",
        title="Loss of 1 GW in a low-inertia system, with and without a swarm of homes",
        assumptions={
            "loss_mw": LOSS_MW,
            "demand_mw": SYSTEM.base_mw,
            "service": curve.name,
            "armed_kw_per_home": rules.armed_kw,
            "control_cycle_s": rules.cycle_s,
            "largest_delay_s": rules.delay_s,
            "noise_hz": rules.noise_hz,
            "homes_lost": rules.lost,
            "duration_s": DURATION_S,
            "seed": seed,
        },
        rows=tuple(rows),
        checks=_checks(rows),
        charts=_charts(runs, largest_mw),
    )


def _row(
    system: GridSystem,
    kinetic_gvas: float,
    fleet_mw: float,
    homes: int,
    run: FrequencyRun,
    curve: ResponseCurve,
) -> dict[str, Figure]:
    exact = ClosedForm(system, LOSS_MW)
    row: dict[str, Figure] = {
        "kinetic_gvas": kinetic_gvas,
        "fleet_mw": fleet_mw,
        "homes": homes,
        "nadir_hz": round(run.nadir_hz, 6),
        "nadir_s": round(run.nadir_s, 3),
        "end_hz": round(run.end_hz, 6),
        "rocof_hz_per_s": round(run.worst_rocof_hz_per_s, 6),
        "initial_rocof_hz_per_s": round(system.initial_rocof_hz_per_s(LOSS_MW), 6),
        "fleet_peak_mw": round(float(run.fleet_mw.max()), 3),
        "closed_form_nadir_hz": None,
        "closed_form_error_hz": None,
        "worst_deviation": None,
    }
    if not homes:
        error_hz = np.abs(run.frequency_hz - exact.frequency_hz(run.time_s)).max()
        row |= {
            "closed_form_nadir_hz": round(exact.nadir_hz, 6),
            "closed_form_error_hz": float(f"{error_hz:.3e}"),
        }
    else:
        asked = responses(curve, run.frequency_hz)
        # The curve's time to full delivery has passed at the nadir; until then the answer is on its way.
        late = run.time_s >= curve.full_activation_s
        row["worst_deviation"] = round(float(np.abs(run.fleet_mw / fleet_mw - asked)[late].max()), 4)
    return row


def _checks(rows: list[dict[str, Figure]]) -> dict[str, bool]:
    """The rules of the scenario."""
    errors = [row["closed_form_error_hz"] for row in rows]
    nadirs = [float(row["nadir_hz"] or 0.0) for row in rows]
    groups = [nadirs[start : start + len(FLEETS_MW)] for start in range(0, len(nadirs), len(FLEETS_MW))]
    return {
        "without a fleet the simulation is the closed form to a millihertz": all(
            float(error) < CLOSED_FORM_HZ for error in errors if error is not None
        ),
        "a larger fleet never has a lower nadir": all(group == sorted(group) for group in groups),
    }


def _charts(runs: dict[tuple[float, float], FrequencyRun], largest_mw: float) -> tuple[Chart, ...]:
    every = 10
    frequency = [
        (
            f"{kinetic_gvas:g} GVA s, {part_mw / FLEETS_MW[-1] * largest_mw:g} MW",
            run.time_s[::every],
            run.frequency_hz[::every],
        )
        for (kinetic_gvas, part_mw), run in runs.items()
        if part_mw in (FLEETS_MW[0], FLEETS_MW[-1])
    ]
    power = [
        (f"{kinetic_gvas:g} GVA s", run.time_s[::every], run.fleet_mw[::every])
        for (kinetic_gvas, part_mw), run in runs.items()
        if part_mw == FLEETS_MW[-1]
    ]
    return (
        Chart("Frequency after the loss", "seconds", "Hz", tuple(frequency)),
        Chart("What the largest fleet gives", "seconds", "MW, injection positive", tuple(power)),
    )
