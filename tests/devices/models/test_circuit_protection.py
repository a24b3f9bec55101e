"""Circuit faults: each disconnects in time, stays off until released, over restarts, and never releases blindly."""

from dataclasses import replace
from typing import Any

import pytest
from device_examples import NOON_NS, configuration
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.circuit_protection import (
    BLIND_NS,
    Cause,
    CircuitState,
    Curve,
    Rating,
    protect,
    release,
)
from devices.control.control import ControlCore
from devices.control.control_state import FRESH, SavedState
from devices.image import CircuitReadings, Reading
from devices.json_codec import from_json, to_json
from devices.leases import Accepted, Refused
from devices.messages.control_messages import Alarm, ReleaseCircuit
from devices.messages.frames import decode_downward
from devices.opening.simulated_devices import build_ders

SECOND_NS = 10**9
RATING = Rating(16.0)
AGE_NS = SECOND_NS


def readings(now_ns: int, current_a: float, residual_a: float = 0.0, warm_c: float = 25.0) -> CircuitReadings:
    return CircuitReadings(
        Reading.of(current_a, now_ns), Reading.of(residual_a, now_ns), Reading.of(warm_c, now_ns)
    )


def seconds_to_trip(multiple: float, most_s: int) -> int | None:
    state = CircuitState()
    for second in range(most_s):
        now_ns = second * SECOND_NS
        state = protect(state, RATING, readings(now_ns, multiple * 16.0), now_ns, 0, AGE_NS)
        if state.trip is not None:
            assert state.trip.cause is Cause.OVER_CURRENT
            return second
    return None


def test_over_current_trips_within_the_bands_of_the_standard() -> None:
    assert seconds_to_trip(1.13, 3600) is None
    slow, fast = seconds_to_trip(1.45, 3600), seconds_to_trip(2.55, 60)
    assert slow is not None
    assert fast is not None
    assert 1 < fast < 60 < slow


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (readings(0, 80.0), Cause.SHORT_CIRCUIT),
        (readings(0, 5.0, residual_a=0.03), Cause.EARTH_FAULT),
        (readings(0, 5.0, warm_c=70.0), Cause.OVER_TEMPERATURE),
        (readings(0, 79.0, 0.029, 69.0), None),
    ],
)
def test_the_other_faults_trip_at_the_first_reading(seen: CircuitReadings, cause: Cause | None) -> None:
    trip = protect(CircuitState(), RATING, seen, 0, 7, AGE_NS).trip
    assert (None if trip is None else trip.cause) is cause
    assert trip is None or trip.cell_ns == 7


def test_a_c_curve_bears_the_inrush_that_trips_a_b_curve() -> None:
    inrush = readings(0, 100.0)
    assert protect(CircuitState(), replace(RATING, curve=Curve.C), inrush, 0, 0, AGE_NS).trip is None


def blind(now_ns: int) -> CircuitReadings:
    return CircuitReadings(Reading.missing(now_ns), Reading.of(0.0, now_ns), None)


def test_a_silent_sensor_disconnects_unless_the_circuit_matters_more() -> None:
    for rating, cause in ((RATING, Cause.BLIND), (replace(RATING, keeps_when_blind=True), None)):
        state = protect(CircuitState(), rating, readings(0, 1.0), 0, 0, AGE_NS)
        state = protect(state, rating, blind(BLIND_NS), BLIND_NS, 0, AGE_NS)
        assert state.trip is None
        state = protect(state, rating, blind(BLIND_NS + 1), BLIND_NS + 1, 0, AGE_NS)
        assert (None if state.trip is None else state.trip.cause) is cause


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.none() | st.floats(0, 200), st.none() | st.floats(0, 0.1)),
        max_size=30,
    )
)
def test_a_trip_holds_through_anything_until_it_is_released(
    moments: list[tuple[int, float | None, float | None]],
) -> None:
    state = protect(CircuitState(), RATING, readings(0, 500.0), 0, 0, AGE_NS)
    trip, now_ns = state.trip, 0
    for seconds, current_a, residual_a in moments:
        now_ns += seconds * SECOND_NS
        seen = CircuitReadings(
            Reading.missing(now_ns) if current_a is None else Reading.of(current_a, now_ns),
            Reading.missing(now_ns) if residual_a is None else Reading.of(residual_a, now_ns),
        )
        state = protect(state, RATING, seen, now_ns, 0, AGE_NS)
        assert state.trip == trip
        freed, answer = release(state, RATING, seen, now_ns, AGE_NS)
        good = current_a is not None and residual_a is not None and current_a < 80 and residual_a < 0.03
        assert isinstance(answer, Refused) or (good and freed.trip is None)


def test_hot_conductors_are_not_released_before_they_have_cooled() -> None:
    state = CircuitState()
    for second in range(200):
        state = protect(state, RATING, readings(second * SECOND_NS, 40.0), second * SECOND_NS, 0, AGE_NS)
        if state.trip is not None:
            break
    now_ns = second * SECOND_NS
    assert release(state, RATING, readings(now_ns, 0.0), now_ns, AGE_NS)[1] == Refused(
        "the conductors are still hot"
    )
    later_ns = now_ns + 60 * SECOND_NS
    assert release(state, RATING, readings(later_ns, 0.0), later_ns, AGE_NS)[1] == Accepted()
    assert release(CircuitState(), RATING, readings(0, 0.0), 0, AGE_NS)[1] == Refused(
        "the circuit is not disconnected"
    )


class House:
    """A node with a sound and a faulty circuit, whose fault lasts from 12 to 13 o'clock."""

    def __init__(self, fault: list[float], saved: SavedState = FRESH, hour: float = 11.9) -> None:
        start_ns = NOON_NS + round((hour - 12) * 3600) * SECOND_NS
        circuit: dict[str, Any] = {"type": "circuit", "always_w": 1000.0, "rated_a": 16.0}
        ders = [
            {**circuit, "name": "sound"},
            {**circuit, "name": "faulty", "faults": [[12, 13, *fault]]},
        ]
        config = configuration(ders)
        self.now = Instant(0, start_ns)
        self.ders = {der.name: der for der in build_ders(config, None, {}, self.now)}
        self.core = ControlCore(config, tuple(self.ders.values()), None, saved, self.now, "test")

    def run(self, seconds: float) -> list[Alarm]:
        """A cycle every ten seconds of cell time, a quarter of a second of real time."""
        alarms: list[Alarm] = []
        for _ in range(round(seconds / 10)):
            self.now = Instant(self.now.real_ns + SECOND_NS // 4, self.now.cell_ns + 10 * SECOND_NS)
            messages = self.core.cycle(self.now).messages
            alarms += [message for message in messages if isinstance(message, Alarm)]
        return alarms

    def drawn_w(self, name: str) -> float | None:
        power_w = self.ders[name].measure(self.now).power_w.value
        return None if power_w is None else -power_w


FAULTS = {
    Cause.SHORT_CIRCUIT: [200.0, 0.0, 0.0],
    Cause.EARTH_FAULT: [0.0, 0.05, 0.0],
    Cause.OVER_TEMPERATURE: [0.0, 0.0, 60.0],
    Cause.OVER_CURRENT: [75.0, 0.0, 0.0],
}


@pytest.mark.parametrize("cause", FAULTS)
def test_a_fault_disconnects_its_circuit_alone_and_it_stays_off_after_the_fault_is_gone(cause: Cause) -> None:
    house = House(FAULTS[cause])
    assert house.run(350) == []
    assert house.drawn_w("faulty") == 1000.0
    alarms = house.run(600)
    assert [(alarm.code.value, alarm.device) for alarm in alarms] == [(f"circuit-{cause.value}", "faulty")]
    house.run(4000)
    assert house.drawn_w("faulty") == 0.0
    assert house.drawn_w("sound") == 1000.0


def test_a_tripped_circuit_stays_off_when_control_dies_and_when_it_restarts() -> None:
    house = House(FAULTS[Cause.EARTH_FAULT])
    house.run(420)
    saved = from_json(SavedState, to_json(house.core.saved_state()))
    assert [each.name for each in saved.trips] == ["faulty"]
    house.now = Instant(house.now.real_ns + 3600 * SECOND_NS, house.now.cell_ns + 3600 * SECOND_NS)
    assert house.drawn_w("faulty") == 0.0
    again = House(FAULTS[Cause.EARTH_FAULT], saved, hour=14.0)
    again.run(10)
    assert again.drawn_w("faulty") == 0.0
    again.core.stop(again.now)
    again.now = Instant(again.now.real_ns + 3600 * SECOND_NS, again.now.cell_ns + 3600 * SECOND_NS)
    assert again.drawn_w("faulty") == 0.0


def test_a_release_connects_again_and_a_fault_that_is_still_there_trips_again() -> None:
    house = House(FAULTS[Cause.EARTH_FAULT])
    house.run(420)
    message = decode_downward(to_json(ReleaseCircuit("faulty")))
    assert message == ReleaseCircuit("faulty")
    assert house.core.handle(ReleaseCircuit("faulty"), house.now).save
    cleared, raised = house.run(40)
    assert (cleared.raised, raised.raised) == (False, True)
    house.run(4000)
    house.core.handle(ReleaseCircuit("faulty"), house.now)
    assert [alarm.raised for alarm in house.run(40)] == [False]
    assert house.drawn_w("faulty") == 1000.0


def test_a_release_of_what_is_not_off_is_refused_with_an_alarm() -> None:
    house = House(FAULTS[Cause.EARTH_FAULT])
    house.run(10)
    for name, reason in (
        ("sound", "the circuit is not disconnected"),
        ("attic", "no circuit 'attic' has a rating"),
    ):
        (alarm,) = house.core.handle(ReleaseCircuit(name), house.now).messages
        assert isinstance(alarm, Alarm)
        assert reason in alarm.text
