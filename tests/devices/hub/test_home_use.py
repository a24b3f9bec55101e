"""What the hub learned survives a restart, and what comes from a file is believed only where it can be."""

from dataclasses import replace

import pytest
from hub_days import DAY_S, DEVICES, PRICES, WATCHED, image, watched_for

from devices.errors import MessageError
from devices.hub.advice import advise
from devices.hub.demand import NS_PER_S, Demand
from devices.hub.home_use import MOST_WINDOWS, CircuitUse, HomeUse
from devices.hub.hub import Hub
from devices.hub.recognition import DeviceKind
from devices.json_codec import from_json, to_json

WINDOW_NS = 900 * NS_PER_S


@pytest.fixture(scope="module")
def use() -> HomeUse:
    return watched_for(Hub(WATCHED), 2 * DAY_S + 3600).use


def test_it_reads_back_as_it_was_written(use: HomeUse) -> None:
    assert from_json(HomeUse, to_json(use)) == use
    assert use.problem() == ""
    assert {each.name for each in use.circuits} == set(DEVICES)


def test_a_hub_that_begins_again_advises_as_before(use: HomeUse) -> None:
    hub = Hub(WATCHED, known=use)
    assert advise(tuple(hub.use.days().values()), PRICES) == advise(tuple(use.days().values()), PRICES) != ()
    for second in range(2 * DAY_S + 3660, 2 * DAY_S + 4 * 3600, 60):
        hub.observe(image(second), NS_PER_S)
    kinds = {each.name: each.kind for each in hub.use.circuits}
    assert kinds == {each.name: each.kind for each in use.circuits}
    assert len(hub.demands("fridge")) > len(use.circuits[0].windows)
    assert hub.use.problem() == ""


def test_its_own_trace_counts_from_the_second_day_on(use: HomeUse) -> None:
    wrong = replace(use, circuits=tuple(replace(each, kind=DeviceKind.CAR) for each in use.circuits))
    unlike = {"router": lambda hour, day: 300.0 if hour % 6 < 3 else 0.0}  # no signature fits
    hub = Hub(tuple(each for each in WATCHED if each.name == "router"), known=wrong)
    for second in range(0, 13 * 3600, 60):
        hub.observe(image(second, unlike), NS_PER_S)
    assert hub.use.circuits[0].kind is DeviceKind.CAR
    for second in range(13 * 3600, 3 * DAY_S, 60):
        hub.observe(image(second, unlike), NS_PER_S)
    assert hub.use.circuits[0].kind is DeviceKind.UNKNOWN


def test_what_is_watched_no_more_or_otherwise_is_forgotten(use: HomeUse) -> None:
    assert Hub(WATCHED[:1], known=use).use.circuits[0].windows == use.circuits[0].windows
    assert all(each.windows == () for each in Hub(WATCHED, window_s=1800, known=use).use.circuits)


def test_a_clock_that_was_set_back_begins_anew(use: HomeUse) -> None:
    hub = Hub(WATCHED, known=use)
    for second in range(0, 3 * 3600, 60):
        hub.observe(image(second), NS_PER_S)
    assert [window.start_ns for window in hub.demands("fridge")] == [each * WINDOW_NS for each in range(11)]


def window(start: int, *, wh: float = 1.0, known: float = 1.0) -> Demand:
    return Demand("tv", start * WINDOW_NS, wh, 2.0, known)


@pytest.mark.parametrize(
    ("windows", "problem"),
    [
        ((window(1), window(0)), "out of order"),
        ((window(1), window(1)), "out of order"),
        (tuple(map(window, range(MOST_WINDOWS + 1))), "more than 672"),
        ((window(0, known=1.5),), "cannot be"),
        ((window(0, known=-0.1),), "cannot be"),
        ((window(0, wh=-1.0),), "cannot be"),
    ],
)
def test_what_cannot_be_is_named(windows: tuple[Demand, ...], problem: str) -> None:
    use = HomeUse(900, 0, (CircuitUse("tv", DeviceKind.UNKNOWN, "", False, windows),))
    assert problem in use.problem()
    assert "no length" in HomeUse(0, 0, ()).problem()


def test_a_kind_that_nobody_knows_is_refused(use: HomeUse) -> None:
    with pytest.raises(MessageError, match=r"circuits\[0\]\.kind"):
        from_json(
            HomeUse,
            to_json(use)
            .replace(b'"laptop","why"', b'"x","why"', 1)
            .replace(b'"kind":"laptop"', b'"kind":"x"', 1),
        )
