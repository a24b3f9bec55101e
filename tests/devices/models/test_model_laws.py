"""Laws of physics for every model: energy balances, limits hold, states stay possible, whatever is commanded."""

import math
import os
from typing import Any

import pytest
from device_examples import EXAMPLES, NOON_NS, configuration
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.image import DerKind
from devices.leases import Lease
from devices.models.model import AnyModel, Surroundings
from devices.models.simulation import Simulation

SECOND_NS = 10**9
SITUATIONS = max(6, int(os.environ.get("WATTSWARM_SOAK", "0")) // 10)
"""Command sequences per device type; a soak raises it."""
BALANCE = 1e-9
"""Part of the turnover by which sums of floats may differ."""


def model_of(type_name: str, **changes: Any) -> AnyModel:
    der = {"type": type_name, "name": type_name, **EXAMPLES[type_name], **changes}
    return configuration([der]).models[0].model


def weather(cell_ns: int) -> Surroundings:
    """A day with sun and gusts, a cold night, and mains that fail for a minute of every quarter of an hour."""
    hour = cell_ns / 3.6e12 % 24
    return Surroundings(
        cell_ns=cell_ns,
        ambient_c=5 + 10 * math.sin(math.tau * (hour - 9) / 24),
        irradiance_w_m2=max(0.0, 900 * math.cos(math.tau * (hour - 12) / 24)),
        wind_m_s=8 + 6 * math.sin(7 * hour),
        mains=cell_ns // (60 * SECOND_NS) % 15 != 0,
    )


MOVES = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0.003, 0.7, 12.0, 300.0, 5000.0]), st.booleans()),
    min_size=1,
    max_size=12,
)
"""Where in the nameplate the setpoint lies, how long it is let alone, and whether it is given at all."""


@pytest.mark.parametrize("type_name", EXAMPLES)
@settings(max_examples=SITUATIONS, deadline=None)
@given(moves=MOVES, start_h=st.integers(0, 23))
def test_energy_balances_and_limits_hold(
    type_name: str, moves: list[tuple[float, float, bool]], start_h: int
) -> None:
    model = model_of(type_name)
    plate = model.nameplate
    now = Instant(0, start_h * 3600 * SECOND_NS)
    simulation = Simulation(model, weather, 0.0, now)
    for sequence, (part, seconds, told) in enumerate(moves, 1):
        value = plate.minimum_w + part * (plate.maximum_w - plate.minimum_w)
        if told:
            lease = Lease(value, 0.0, now.real_ns, now.real_ns + 60 * SECOND_NS, "test", sequence)
            simulation.command(lease, now)
        passed_ns = round(seconds * SECOND_NS)
        now = Instant(now.real_ns + passed_ns, now.cell_ns + passed_ns)
        simulation.advance(now)
        flow, books, status = simulation.flow, simulation.books, simulation.status
        assert plate.minimum_w - 1e-6 <= flow.terminal_w <= plate.maximum_w + 1e-6
        assert flow.attached_w <= 0
        assert min(flow.source_w, flow.useful_w, flow.loss_w) >= -1e-9
        assert abs(books.error_wh) <= BALANCE * max(1.0, books.turnover_wh)
        assert status.state_of_charge is None or 0 <= status.state_of_charge <= 1
        assert status.stored_wh is None or status.stored_wh >= 0
        if plate.capacity_wh is not None and status.stored_wh is not None:
            assert status.stored_wh <= plate.capacity_wh * (1 + 1e-12)
        assert abs(simulation.terminal / 3.6e15 - books.terminal) <= 1e-9 * max(1.0, books.turnover_wh)


@pytest.mark.parametrize("type_name", EXAMPLES)
@settings(max_examples=8, deadline=None)
@given(part=st.floats(0, 1), dt_s=st.floats(1e-4, 3600.0))
def test_one_step_obeys_its_wish_at_once_or_not_at_all(type_name: str, part: float, dt_s: float) -> None:
    """Limits are hard from the first step on; a storage gives no more than it is asked, in no other direction."""
    model = model_of(type_name)
    plate = model.nameplate
    wish_w = plate.minimum_w + part * (plate.maximum_w - plate.minimum_w)
    _, flow = model.step(model.begin(None), wish_w, Surroundings(NOON_NS, 20.0, 800.0, 9.0), dt_s)
    tolerance_w = 1e-9 * max(1.0, abs(wish_w))
    if plate.kind is DerKind.PV:
        assert flow.terminal_w <= wish_w + tolerance_w
    elif plate.kind is DerKind.FLEXIBLE:
        assert flow.terminal_w >= wish_w - tolerance_w
    else:
        assert min(0.0, wish_w) - tolerance_w <= flow.terminal_w <= max(0.0, wish_w) + tolerance_w


def test_two_simulations_of_the_same_commands_are_the_same_to_the_last_bit() -> None:
    def run() -> list[tuple[int, float]]:
        found = []
        for type_name in EXAMPLES:
            simulation = Simulation(model_of(type_name), weather, 0.0, Instant(0, NOON_NS))
            simulation.advance(Instant(3 * SECOND_NS, NOON_NS + 7_000 * SECOND_NS))
            found.append((simulation.terminal, simulation.books.loss))
        return found

    assert run() == run()


def test_a_pause_of_a_week_takes_a_bounded_number_of_steps() -> None:
    simulation = Simulation(model_of("rack-power-unit"), weather, 0.0, Instant(0, 0))
    week_ns = 7 * 86_400 * SECOND_NS
    simulation.advance(Instant(week_ns, week_ns))
    assert abs(simulation.books.error_wh) <= BALANCE * simulation.books.turnover_wh
