"""Health: rules, drift, end of life and the monitor against models whose future is known."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from device_examples import EXAMPLES, NOON_NS, configuration, devices_of
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.control.control import ControlCore
from devices.control.control_state import FRESH, SavedState
from devices.der import Der
from devices.health.drift import LEARNING, Drift
from devices.health.end_of_life import NS_PER_DAY, Health, Law, forecast
from devices.health.monitor import HealthMonitor
from devices.health.rules import LITHIUM, Finding, judge, remaining
from devices.image import DeviceImage, ProcessImage, Reading, UnitCondition
from devices.json_codec import from_json, to_json
from devices.leases import Lease
from devices.messages.control_messages import Alarm
from devices.models.lithium_battery import LithiumBattery
from devices.models.model import Surroundings
from devices.opening.simulated_devices import build_ders

SECOND_NS = 10**9
AGE_NS = SECOND_NS


def condition(**values: float | None) -> UnitCondition:
    readings: dict[str, Any] = {
        name: Reading.missing(0) if value is None else Reading.of(value, 0) for name, value in values.items()
    }
    return UnitCondition(**readings, nominal_v=50.0)


@pytest.mark.parametrize(
    ("values", "finding", "factor"),
    [
        ({"temperature_c": 45.0, "state_of_health": 0.8, "voltage_v": 43.0}, None, 1.0),
        ({"temperature_c": 52.5}, Finding.HOT, 0.5),
        ({"temperature_c": 80.0}, Finding.HOT, 0.0),
        ({"temperature_c": -15.0}, Finding.COLD, 0.5),
        ({"voltage_v": 42.0}, Finding.VOLTAGE, 0.0),
        ({"voltage_v": 58.0}, Finding.VOLTAGE, 0.0),
        ({"state_of_health": 0.79}, Finding.WORN, 1.0),
        ({"state_of_health": 0.59}, Finding.WORN, 0.0),
        ({"temperature_c": None, "state_of_health": 0.9}, Finding.UNREADABLE, 0.0),
    ],
)
def test_a_rule_finds_and_leaves_a_part_of_the_power(
    values: dict[str, float | None], finding: Finding | None, factor: float
) -> None:
    found = judge(condition(**values), LITHIUM, 0, AGE_NS)
    assert [each.finding for each in found] == ([] if finding is None else [finding])
    assert remaining(found) == pytest.approx(factor)


def delays(shift: float, seeds: range) -> list[int | None]:
    """After how many values each seed finds a shift of so many deviations; None for never in 2,000."""
    found: list[int | None] = []
    for seed in seeds:
        noise, drift, delay = random.Random(seed), Drift(1e-6), None
        for count in range(LEARNING + 2_000):
            drift = drift.after(noise.gauss(0, 1) + (shift if count >= LEARNING else 0.0))
            if drift.drifting:
                delay = count - LEARNING
                break
        found.append(delay)
    return found


def test_drift_is_found_soon_and_noise_is_left_alone() -> None:
    found = delays(2.0, range(20))
    assert all(delay is not None and delay < 25 for delay in found)
    assert delays(0.0, range(20)) == [None] * 20


def test_a_change_below_the_floor_is_no_drift() -> None:
    drift = Drift(0.01)
    for count in range(500):
        drift = drift.after(0.0 if count < LEARNING else 0.004)
    assert not drift.drifting


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_normal_is_learned_as_mean_and_deviation(values: list[float]) -> None:
    drift = Drift(0.0)
    for value in values[:LEARNING]:
        drift = drift.after(value)
    learned = values[:LEARNING]
    assert drift.mean == pytest.approx(sum(learned) / len(learned), abs=1e-6)
    with pytest.raises(ValueError, match="nan"):
        drift.after(math.nan)


def history(loss_of_day: Any, days: int, noise: float, seed: int) -> tuple[Health, ...]:
    random_ = random.Random(seed)
    return tuple(
        Health(day * NS_PER_DAY, 1 - loss_of_day(day) + random_.gauss(0, noise)) for day in range(days)
    )


@pytest.mark.parametrize("law", Law)
def test_the_end_is_foretold_under_either_law(law: Law) -> None:
    def loss(day: float) -> float:
        return 0.2 * day / 3000 if law is Law.LINEAR else 0.2 * math.sqrt((day + 100) / 3100)

    inside = 0
    for seed in range(20):
        found = forecast(history(loss, 900, 0.002, seed))
        assert found is not None
        assert found.law is law
        assert found.expected_ns / NS_PER_DAY == pytest.approx(3000, rel=0.1)
        assert found.latest_ns is not None
        inside += found.earliest_ns <= 3000 * NS_PER_DAY <= found.latest_ns
    assert inside >= 15


def test_a_short_or_flat_history_foretells_nothing() -> None:
    assert forecast(history(lambda day: 0.001 * day, 50, 0.0, 1)) is None
    assert forecast(history(lambda day: 0.0, 300, 0.0, 1)) is None


def test_the_end_of_a_simulated_battery_is_foretold_from_its_first_two_years() -> None:
    """The model of Naumann's papers, one full cycle a day in a warm cellar, ageing 1.6 times as fast."""
    battery = LithiumBattery(5_000.0, 2_500.0, 2_500.0, ageing=1.6, standby_w=0.0)
    around = Surroundings(cell_ns=0, ambient_c=25.0)
    state, days, ended = battery.begin(None), [], None
    for day in range(6_000):
        for wish_w in (-1_500.0, 1_500.0):
            for _ in range(2):
                state, _ = battery.step(state, wish_w, around, 6 * 3600.0)
        days.append(Health(day * NS_PER_DAY, state.health))
        if state.health <= 0.8:
            ended = day
            break
    assert ended is not None
    found = forecast(tuple(days[:730]))
    assert found is not None
    assert found.expected_ns / NS_PER_DAY == pytest.approx(ended, rel=0.15)


class Lying:
    """A battery's driver whose stored energy is not what it says: frozen, drifting upwards, or less efficient."""

    def __init__(self, der: Der, fault: str, from_s: float) -> None:
        self._der, self._fault, self._from_ns = der, fault, round(from_s * SECOND_NS)
        self._frozen: float | None = None
        self.name, self.nameplate, self.command = der.name, der.nameplate, der.command

    def measure(self, now: Instant) -> DeviceImage:
        image = self._der.measure(now)
        stored_wh = image.stored_wh.value
        assert stored_wh is not None
        if now.cell_ns - NOON_NS < self._from_ns:
            return image
        if self._fault == "frozen":
            self._frozen = stored_wh if self._frozen is None else self._frozen
            stored_wh = self._frozen
        elif self._fault == "jump":
            stored_wh = min(stored_wh + 800.0, 6_400.0)
        return replace(image, stored_wh=Reading.of(stored_wh, now.real_ns))


def cycled(der: Der, hours: float, every_s: float = 60.0) -> HealthMonitor:
    """Charge and discharge in turn, an hour each; the monitor sees an image every minute."""
    monitor = HealthMonitor({der.name: der.nameplate}, AGE_NS)
    for count in range(round(hours * 3600 / every_s)):
        passed_ns = round(count * every_s * SECOND_NS)
        now = Instant(passed_ns, NOON_NS + passed_ns)
        value = 1_500.0 if passed_ns // (3600 * SECOND_NS) % 2 else -1_500.0
        der.command(Lease(value, value, now.real_ns, now.real_ns + 60 * SECOND_NS, "test", count), now)
        monitor.watch(ProcessImage(now, (der.measure(now),)))
    return monitor


@pytest.mark.parametrize("type_name", ["home-battery", "dc-bus", "battery-backup-unit", "flywheel"])
def test_a_sound_unit_is_never_found_sick(type_name: str) -> None:
    (der,) = devices_of(type_name, Instant(0, NOON_NS))
    monitor = cycled(der, 14.0, every_s=58.0)
    assert monitor.judgements(type_name) == ()
    assert monitor.factor(type_name) == 1.0


@pytest.mark.parametrize("fault", ["frozen", "jump"])
def test_a_stored_energy_that_the_meter_cannot_explain_rests_the_unit(fault: str) -> None:
    (sound,) = devices_of("home-battery", Instant(0, NOON_NS))
    monitor = cycled(Lying(sound, fault, 3_700.0), 2.0)
    assert [each.finding for each in monitor.judgements("home-battery")] == [Finding.IMPLAUSIBLE]
    assert monitor.factor("home-battery") == 0.0


def test_a_unit_that_loses_more_than_it_used_to_drifts_and_is_derated_until_somebody_looked() -> None:
    class Wearing(Lying):
        def measure(self, now: Instant) -> DeviceImage:
            image = self._der.measure(now)
            hours = max(0.0, (now.cell_ns - NOON_NS - self._from_ns) / 3.6e12)
            assert image.stored_wh.value is not None
            return replace(
                image, stored_wh=Reading.of(max(0.0, image.stored_wh.value - 60.0 * hours), now.real_ns)
            )

    (sound,) = devices_of("home-battery", Instant(0, NOON_NS))
    monitor = cycled(Wearing(sound, "wearing", 20 * 3600.0), 30.0)
    (found,) = monitor.judgements("home-battery")
    assert (found.finding, found.text) == (Finding.DRIFTING, "it loses more of what passes than it used to")
    assert monitor.factor("home-battery") == 0.5
    monitor.begin_anew("home-battery")
    assert monitor.factor("home-battery") == 1.0


def test_an_implausible_unit_rests_an_hour_and_is_then_compared_anew() -> None:
    (sound,) = devices_of("home-battery", Instant(0, NOON_NS))
    liar = Lying(sound, "jump", 3_700.0)
    monitor = cycled(liar, 2.0)
    for minutes, factor in ((121, 0.0), (123, 1.0)):
        now = Instant((minutes * 60) * SECOND_NS, NOON_NS + minutes * 60 * SECOND_NS)
        monitor.watch(ProcessImage(now, (liar.measure(now),)))
        assert monitor.factor("home-battery") == factor


class Hot:
    """A battery's driver that shows another temperature."""

    def __init__(self, der: Der) -> None:
        self._der = der
        self.celsius = 25.0
        self.name, self.nameplate, self.command = der.name, der.nameplate, der.command

    def measure(self, now: Instant) -> DeviceImage:
        warm = UnitCondition(temperature_c=Reading.of(self.celsius, now.real_ns))
        return replace(self._der.measure(now), condition=warm)


def test_a_hot_unit_is_derated_its_share_moves_to_the_other_and_comes_back_when_it_has_cooled() -> None:
    battery = {"type": "home-battery", **EXAMPLES["home-battery"]}
    ders = [
        {**battery, "name": "one"},
        {**battery, "name": "two"},
        {"type": "circuit", "name": "house", "always_w": 2_000},
    ]
    config = configuration(ders)
    start = Instant(0, NOON_NS)
    one, two, house = build_ders(config, None, {}, start)
    hot = Hot(one)
    core = ControlCore(config, (hot, two, house), None, FRESH, start, "test")
    monitor_told: list[Alarm] = []
    now = start

    def told_w(seconds: float) -> dict[str, float]:
        nonlocal now
        for _ in range(round(seconds * 10)):
            now = Instant(now.real_ns + SECOND_NS // 10, now.cell_ns + SECOND_NS // 10)
            monitor_told.extend(each for each in core.cycle(now).messages if isinstance(each, Alarm))
        inputs = core.cycles[-1].inputs
        return {each.name: each.maximum_w for each in inputs.batteries}

    assert told_w(1) == {"one": 3_300.0, "two": 3_300.0}
    hot.celsius = 55.0
    assert told_w(1) == {"one": pytest.approx(1_100.0), "two": 3_300.0}
    hot.celsius = 62.0
    assert told_w(1) == {"one": 0.0, "two": 3_300.0}
    hot.celsius = 30.0
    assert told_w(30)["one"] == 0.0
    assert told_w(31)["one"] == 3_300.0
    assert [(each.code.value, each.device, each.raised) for each in monitor_told] == [
        ("unit-hot", "one", True),
        ("unit-hot", "one", False),
    ]


def test_health_is_reported_and_its_history_survives_a_restart() -> None:
    config = configuration(
        [{"type": "home-battery", "name": "cellar", **EXAMPLES["home-battery"], "ageing": 4}]
    )
    start = Instant(0, NOON_NS)
    ders = build_ders(config, None, {}, start)
    monitor = HealthMonitor({"cellar": ders[0].nameplate}, AGE_NS)
    for week in range(30):
        now = Instant(week, NOON_NS + week * 7 * NS_PER_DAY)
        image = ProcessImage(now, (ders[0].measure(now),))
        monitor.watch(image)
    (shown,) = monitor.reports(image)
    assert shown.state_of_health is not None
    assert 0.8 < shown.state_of_health < 1.0
    assert shown.voltage_v == pytest.approx(51.2, rel=0.06)
    assert shown.ends_ns is not None
    assert shown.ends_ns > now.cell_ns
    again = HealthMonitor({"cellar": ders[0].nameplate}, AGE_NS)
    again.remember(monitor.histories)
    assert again.end_of_life("cellar") == monitor.end_of_life("cellar")
    core = ControlCore(config, ders, None, FRESH, start, "test")
    core.cycle(Instant(10**8, NOON_NS + 10**8))
    saved = from_json(SavedState, to_json(core.saved_state()))
    assert [each.name for each in saved.health] == ["cellar"]
