"""How closely a fleet delivers each service, and what the fast response costs a dispatch cycle.

Run with `python benchmarks/bench_response.py [--json]`. The reference for delivery is the service's own curve at the
true frequency: steps to frequencies all over the curve, each home with 5 mHz of noise and up to 200 ms of delay,
measured from the time to full activation on, with all homes and with a tenth of them lost. The reference for the cycle
is the same cycle with nothing armed.
"""

import gc
import json
import platform
import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from devices.dispatch.dispatch import DispatchInput, NetToZero, dispatch
from devices.limits import PowerRange
from devices.power.allocation import PvInput
from devices.power.reserve import BatteryInput
from devices.response.fast_response import Arming, ResponseInput
from devices.response.response_curve import Effect, Quantity, ResponseCurve, response
from devices.response.service_files import built_in_curves, find_curve
from sim.grid.swarm import Fleet, FleetRules

HOMES = 2_000
STEP_S = 0.01
SETTLED_S = 0.5
STEPS = 9
CLEAR_OF_JUMPS_HZ = 0.03
"""A step ends no nearer to a jump of a curve than six deviations of the noise: what is right there is chance."""
CYCLES = 2_000
HOME = DispatchInput(
    locked=False,
    curtailed=False,
    batteries=(BatteryInput("battery", -5e3, 5e3, 1e4, 0.95, 0.95, 2e3, 0.0, 5e3),),
    pv=(PvInput("roof", 9e3, 2e3),),
    load=PowerRange(-500.0, -500.0),
    batteries_w=0.0,
    connection=PowerRange(-17e3, 17e3),
    wish=NetToZero(),
    horizon_s=0.3,
)


def frequencies(curve: ResponseCurve) -> list[float]:
    """Where to step to: over all of the curve and a little beyond, clear of its jumps and dead band's edges."""
    corners = [point.x for point in curve.points]
    edges = [] if curve.dead_band is None else [curve.dead_band.lowest, curve.dead_band.highest]
    inner = [x for x in (*corners, *edges) if curve.valid.lowest < x < curve.valid.highest]
    jumps = [x for x in inner if abs(response(curve, x - 1e-6) - response(curve, x + 1e-6)) > 1e-3]
    low, high = max(min(corners) - 0.1, 47.0), min(max(corners) + 0.1, 53.0)
    return [
        float(hz)
        for hz in np.linspace(low, high, STEPS)
        if all(abs(hz - jump) > CLEAR_OF_JUMPS_HZ for jump in jumps)
    ]


def delivery(curve: ResponseCurve, lost: float) -> tuple[float, float]:
    """The worst deviation from the curve per unit of what is armed, and the longest time to 95 % of the end."""
    worst, slowest_s = 0.0, 0.0
    for hz in frequencies(curve):
        fleet = Fleet(FleetRules(homes=HOMES, lost=lost, energy_kwh=1e3), curve, STEP_S, seed=1)
        before, after = 100, round((curve.full_activation_s + SETTLED_S) / STEP_S)
        after = min(after, 400)
        history = np.concatenate([np.full(before, 50.0), np.full(after, hz)])
        power = np.array([fleet.step(index, history) for index in range(history.size)]) / fleet.nominal_mw
        due = before + min(round(curve.full_activation_s / STEP_S), after - round(SETTLED_S / STEP_S))
        worst = max(worst, float(np.abs(power[due:] - response(curve, hz)).max()))
        end = power[-1]
        if abs(end) > 0.05:
            reached = np.nonzero(np.abs(power[before:]) >= 0.95 * abs(end))[0]
            slowest_s = max(slowest_s, float(reached[0]) * STEP_S)
    return worst, slowest_s


def cycle_us(inputs: DispatchInput) -> tuple[float, float]:
    """Median and 99th percentile of one dispatch, in microseconds."""
    times = []
    for _ in range(CYCLES):
        start = time.perf_counter()
        dispatch(inputs)
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times), sorted(times)[round(0.99 * CYCLES)]


def main() -> None:
    """Print one row per service and the cost of a cycle."""
    gc.disable()
    services = [
        curve
        for curve in built_in_curves()
        if curve.effect is Effect.ACTIVE_POWER
        and curve.quantity is Quantity.FREQUENCY
        and curve.valid.holds(50.0)
    ]
    rows = []
    for curve in services:
        whole, slowest_s = delivery(curve, 0.0)
        rows.append(
            {
                "service": curve.name,
                "worst_deviation": whole,
                "worst_deviation_tenth_lost": delivery(curve, 0.1)[0],
                "to_95_percent_s": slowest_s,
                "allowed_s": curve.full_activation_s,
            }
        )
    armed = ResponseInput(
        49.7,
        1.0,
        (Arming(find_curve("dc"), 1e3, 1e3), Arming(find_curve("fcr-ce"), 1e3, 1e3)),
        (find_curve("lfsm-o"), find_curve("lfsm-u"), find_curve("volt-watt")),
    )
    plain_us, busy_us = cycle_us(HOME), cycle_us(replace(HOME, response=armed))
    if "--json" in sys.argv:
        machine = {"machine": platform.machine(), "python": platform.python_version()}
        print(json.dumps({"rows": rows, "cycle_us": {"nothing": plain_us, "armed": busy_us}, **machine}))
        return
    print("service                         worst deviation  a tenth lost  to 95 %  allowed")
    for row in rows:
        print(
            f"{row['service']:<32}{row['worst_deviation']:>14.4f}  {row['worst_deviation_tenth_lost']:>12.4f}"
            f"  {row['to_95_percent_s']:>5.2f} s  {row['allowed_s']:g} s"
        )
    print(f"dispatch with nothing armed     p50 {plain_us[0]:.0f} us, p99 {plain_us[1]:.0f} us")
    print(
        f"two services, three droops      p50 {busy_us[0]:.0f} us, p99 {busy_us[1]:.0f} us,"
        f" {busy_us[0] / plain_us[0]:.1f} times as long"
    )


if __name__ == "__main__":
    main()
