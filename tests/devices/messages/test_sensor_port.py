"""Sensors on the expansion port: what is plausible, what is old, what warns, and what the models feel."""

import pytest
from device_examples import HOUR_NS, NOON_NS, configuration

from devices.cell_clock import Instant
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.errors import ConfigurationError
from devices.image import Quality, Reading
from devices.leases import Accepted, Refused
from devices.messages.control_messages import ImageReport
from devices.messages.sensor_port import ExpansionPort, Sensor, SensorKind, SensorReading, warning
from devices.models.model import Surroundings
from devices.opening.simulated_devices import build_ders, surroundings

KITCHEN = Sensor("kitchen", SensorKind.GAS)
GARDEN = Sensor("garden", SensorKind.TEMPERATURE, outdoor=True)


def port() -> ExpansionPort:
    return ExpansionPort((KITCHEN, GARDEN), max_age_ns=1000)


@pytest.mark.parametrize(
    "line", ["", "garden temperature", "garden gas 3", "attic gas 3", "garden temperature warm", "x " * 70]
)
def test_a_line_of_no_known_sensor_is_refused(line: str) -> None:
    assert isinstance(port().hear(line, 0), Refused)


@pytest.mark.parametrize("value", ["nan", "inf", "-41", "126"])
def test_what_cannot_be_true_is_invalid_and_has_no_value(value: str) -> None:
    sensors = port()
    assert sensors.hear(f"garden temperature {value}", 5) == Accepted()
    garden = sensors.readings(0, 6)[1]
    assert garden.reading == Reading(None, 5, Quality.INVALID)


def test_an_old_line_is_no_reading() -> None:
    sensors = port()
    sensors.hear("garden temperature 3.5", 100)
    assert sensors.readings(0, 1100)[1].reading.value == 3.5
    assert sensors.readings(0, 1101)[1].reading.quality is Quality.MISSING


def test_outdoor_sensors_tell_the_models_how_warm_it_is_and_unknown_ones_do_not() -> None:
    sensors, around = port(), Surroundings(cell_ns=0, ambient_c=15.0)
    assert sensors.observed(around, 0) == around
    sensors.hear("garden temperature -4", 0)
    assert sensors.observed(around, 10).ambient_c == -4.0
    assert sensors.observed(around, 2_000) == around


def test_gas_warns_and_so_does_a_gas_sensor_that_is_silent() -> None:
    def gas(value: float) -> SensorReading:
        return SensorReading("kitchen", SensorKind.GAS, Reading.of(value, 0))

    assert warning(gas(9.9)) is None
    assert warning(gas(10.0)) == "kitchen: 10 % LEL, 10 or more"
    assert warning(SensorReading("kitchen", SensorKind.GAS, Reading.missing(0))) == "kitchen: no reading"
    assert warning(SensorReading("bath", SensorKind.HUMIDITY, Reading.of(99.0, 0))) is None


def test_readings_reach_the_daemon_and_the_models() -> None:
    sensors = [
        {"name": "garden", "kind": "temperature", "outdoor": True, "always": 2, "spans": [[10, 16, 6]]},
        {"name": "office", "kind": "co2", "always": 420, "spans": [[8, 18, 1500]]},
    ]
    config = configuration([], sensors=sensors)
    assert surroundings(config)(NOON_NS).ambient_c == 8.0
    assert surroundings(config)(NOON_NS + 8 * HOUR_NS).ambient_c == 2.0
    start = Instant(0, NOON_NS)
    core = ControlCore(config, build_ders(config, None, {}, start), None, FRESH, start, "test")
    (report,) = core.cycle(Instant(10**8, NOON_NS + 10**8)).messages
    assert isinstance(report, ImageReport)
    assert [(each.name, each.value, each.unit) for each in report.sensors] == [
        ("garden", 8.0, "C"),
        ("office", 1920.0, "ppm"),
    ]
    assert report.sensors[1].warning == "office: 1920 ppm, 1750 or more"


def test_mistakes_in_sensors_are_told_one_by_one() -> None:
    sensors = [
        {"name": "a", "kind": "gas", "outdoor": True},
        {"name": "a", "kind": "smell"},
        {"name": "c", "kind": "humidity", "always": 101},
    ]
    with pytest.raises(ConfigurationError) as caught:
        configuration([], sensors=sensors)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        "sensors[0].outdoor:",
        "sensors[1].name:",
        "sensors[1].kind:",
        "sensors[2].always:",
    ]
