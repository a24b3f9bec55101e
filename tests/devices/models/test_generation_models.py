"""Sun, wind and fuelled generators against closed forms and known values."""

import math

import pytest

from devices.models.fuelled_generator import FuelledGenerator
from devices.models.model import Flow, Surroundings
from devices.models.sun_and_wind import SolarArray, WindTurbine, clear_sky_w_m2

HOUR_NS = 3_600 * 10**9
EQUINOX_NS = 1_742_428_800 * 10**9
"""2025-03-20, midnight UTC."""
AROUND = Surroundings(cell_ns=0)


def test_the_clear_sky_at_noon_of_an_equinox_is_haurwitz_at_the_latitude() -> None:
    for latitude in (0.0, 30.0, 52.5):
        height = math.cos(math.radians(latitude))
        noon = max(clear_sky_w_m2(EQUINOX_NS + minute * 60 * 10**9, latitude, 0.0) for minute in range(1440))
        assert noon == pytest.approx(1098 * height * math.exp(-0.059 / height), rel=0.02)


def test_night_is_dark_and_the_sun_rises_in_the_east_first() -> None:
    assert clear_sky_w_m2(EQUINOX_NS, 52.5, 0.0) == 0.0
    seven = EQUINOX_NS + 7 * HOUR_NS
    assert clear_sky_w_m2(seven, 52.5, 20.0) > clear_sky_w_m2(seven, 52.5, 0.0) > 0


def test_an_array_at_standard_conditions_gives_its_peak_less_losses() -> None:
    array = SolarArray(5_000.0, 10_000.0, other_losses=0.0, noct_c=20.0)
    around = Surroundings(cell_ns=0, ambient_c=25.0, irradiance_w_m2=1000.0)
    _, flow = array.step(None, 10_000.0, around, 60.0)
    assert flow.terminal_w == pytest.approx(5_000.0 * 0.97)


def test_heat_and_the_inverter_cut_what_the_sun_gives() -> None:
    around = Surroundings(cell_ns=0, ambient_c=30.0, irradiance_w_m2=800.0)
    array = SolarArray(5_000.0, 3_000.0, other_losses=0.0)
    assert array.array_w(around) == pytest.approx(4_000.0 * (1 - 0.0035 * 30))
    assert array.step(None, 1e6, around, 60.0)[1].terminal_w == 3_000.0
    assert array.step(None, 500.0, around, 60.0)[1].terminal_w == 500.0


@pytest.mark.parametrize(
    ("wind_m_s", "power_w"),
    [
        (2.9, 0.0),
        (3.0, 0.0),
        (7.0, 6000 * (343 - 27) / (1331 - 27)),
        (11.0, 6000.0),
        (24.9, 6000.0),
        (25.0, 0.0),
    ],
)
def test_the_power_curve_of_a_turbine(wind_m_s: float, power_w: float) -> None:
    assert WindTurbine(6_000.0).curve_w(wind_m_s) == pytest.approx(power_w)


DIESEL = FuelledGenerator(8_000.0, 2_400.0, 10.0, 2_000.0, 0.35, 0.25, tank_wh=10_000.0)


def run(wish_w: float, seconds: int) -> list[Flow]:
    state, flows = DIESEL.begin(None), []
    for _ in range(seconds):
        state, flow = DIESEL.step(state, wish_w, AROUND, 1.0)
        flows.append(flow)
    return flows


def test_a_generator_starts_in_its_start_time_and_then_ramps_from_its_minimum_load() -> None:
    powers = [flow.terminal_w for flow in run(6_400.0, 14)]
    assert powers == [0.0] * 10 + [3_400.0, 5_400.0, 6_400.0, 6_400.0]


def test_below_its_minimum_load_a_generator_stands_still() -> None:
    assert all(flow.terminal_w == 0.0 and flow.loss_w == 0.0 for flow in run(2_399.0, 30))


def test_a_tank_lasts_as_long_as_the_efficiency_says_and_then_the_power_ends() -> None:
    flows = run(8_000.0, 2_000)
    given_wh = sum(flow.terminal_w for flow in flows) / 3600
    assert 0.34 * 10_000 < given_wh < 0.35 * 10_000
    assert flows[-1].terminal_w == 0.0


def test_heat_and_power_share_the_fuel() -> None:
    dachs = FuelledGenerator(5_500.0, 2_700.0, 0.0, 1e6, 0.27, 0.24, heat_efficiency=0.61)
    _, flow = dachs.step(dachs.begin(None), 5_500.0, AROUND, 3600.0)
    assert flow.source_w == pytest.approx(20_370, rel=0.01)
    assert flow.useful_w == pytest.approx(12_430, rel=0.01)
    assert dachs.status(dachs.begin(None), AROUND).stored_wh is None
