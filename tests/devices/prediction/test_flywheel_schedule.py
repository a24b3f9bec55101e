"""A flywheel's schedule: no draw is a transient, no wheel is asked for more than it can, it returns to its middle."""

from hypothesis import given
from hypothesis import strategies as st

from devices.prediction.flywheel_schedule import FADE_S, FeedRules, Wheel, draw_w, wheel_w

RULES = FeedRules(ramp_w_per_s=500.0, horizon_s=120.0)
powers = st.floats(0, 2e5)
wheels = st.builds(
    Wheel, st.floats(0, 5600), st.just(5600.0), st.sampled_from([0.0, 1e5]), st.sampled_from([0.0, 1e5])
)


@given(powers, wheels, powers, st.floats(0.1, 10))
def test_the_draw_is_never_a_transient_and_never_feeds_back(
    expected_w: float, wheel: Wheel, before_w: float, passed_s: float
) -> None:
    drawn = draw_w(expected_w, wheel, before_w, RULES, passed_s)
    assert abs(drawn - before_w) <= RULES.ramp_w_per_s * passed_s + 1e-6
    assert drawn >= 0


@given(powers, powers, wheels)
def test_the_wheel_is_asked_for_what_it_can_and_no_more(load_w: float, drawn: float, wheel: Wheel) -> None:
    told = wheel_w(load_w, drawn, wheel)
    assert -wheel.charge_w <= told <= wheel.discharge_w
    full_wh = FADE_S * 1e5 / 3600
    in_the_middle = full_wh <= wheel.stored_wh <= wheel.band_wh - full_wh
    if in_the_middle and -wheel.charge_w <= load_w - drawn <= wheel.discharge_w:
        assert told == load_w - drawn


def test_a_wheel_fades_out_towards_the_ends_of_its_band() -> None:
    given_w = [
        wheel_w(90_000.0, 0.0, Wheel(stored_wh, 5600.0, 1e5, 1e5)) for stored_wh in (0.0, 100.0, 600.0)
    ]
    assert given_w == [0.0, 100.0 * 3600 / FADE_S, 90_000.0]
    taken_w = [wheel_w(0.0, 90_000.0, Wheel(stored_wh, 5600.0, 1e5, 1e5)) for stored_wh in (5600.0, 5500.0)]
    assert taken_w == [0.0, -100.0 * 3600 / FADE_S]


def test_with_a_steady_load_the_wheel_comes_back_to_its_middle() -> None:
    stored_wh, drawn = 1000.0, 80_000.0
    for _ in range(600):
        wheel = Wheel(stored_wh, 5600.0, 1e5, 1e5)
        drawn = draw_w(80_000.0, wheel, drawn, RULES, 2.0)
        stored_wh -= wheel_w(80_000.0, drawn, wheel) * 2.0 / 3600
    assert abs(stored_wh - 2800.0) < 10.0
    assert abs(drawn - 80_000.0) < 500.0
