"""Sensors on a broker: read by a control process from Debian's mosquitto, and shown as they are or not at all."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mqtt_bench import Gadget, Mosquitto, mosquitto, until

from devices.broker.sensor_feed import SensorFeed
from devices.configuration.control_config import parse_config
from devices.errors import ConfigurationError
from devices.fields import Fields
from devices.messages.control_messages import ImageReport, Mode, SensorReport
from devices.messages.sensor_port import SensorKind, parse_sensors

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("mqtt")]


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as started:
        yield started


@pytest.fixture
def sender(broker: Mosquitto) -> Iterator[Gadget]:
    gadget = Gadget(broker.port, "box")
    yield gadget
    gadget.publish("air", "", retain=True)
    gadget.end()


def table(broker: Mosquitto, **changes: Any) -> dict[str, Any]:
    return {"name": "attic", "kind": "co2", "port": broker.port, "topic": "air", "path": "co2"} | changes


def shown(feed: SensorFeed, later_s: float = 0.0) -> SensorReport:
    """What a report that came so much later would show."""
    real_ns = time.monotonic_ns() + round(later_s * 1e9)
    old = SensorReport("attic", SensorKind.CO2, 1.0, "ppm", "")
    report = ImageReport(real_ns, 0, 0, None, None, None, Mode.STANDBY, "", "", True, (), (old,))
    return feed.complete(report).sensors[0]


@pytest.fixture
def feed(broker: Mosquitto) -> Iterator[SensorFeed]:
    problems: list[str] = []
    sensors = parse_sensors((Fields.of(table(broker), "", problems),))
    assert problems == []
    made = SensorFeed(sensors)
    yield made
    made.close()


def comes(feed: SensorFeed, sender: Gadget, payload: str, value: float | None) -> None:
    """Say it until it shows: the feed listens from some moment on."""

    def seen() -> bool:
        sender.publish("air", payload)
        return shown(feed).value == value

    until(seen, f"{payload} did not show")


def test_a_reading_is_shown_warned_of_and_forgotten(feed: SensorFeed, sender: Gadget) -> None:
    assert shown(feed).value is None
    comes(feed, sender, '{"co2": 600}', 600.0)
    assert shown(feed).warning == ""
    comes(feed, sender, '{"co2": 2000}', 2000.0)
    assert shown(feed).warning == "attic: 2000 ppm, 1750 or more"
    assert shown(feed, later_s=601.0).value is None
    comes(feed, sender, '{"co2": -5}', None)
    comes(feed, sender, '{"co2": 600}', 600.0)
    comes(feed, sender, "nothing", None)


def test_what_lay_at_the_broker_is_no_reading(broker: Mosquitto, sender: Gadget) -> None:
    sender.publish("air", '{"co2": 600}', retain=True)
    feed = SensorFeed(
        parse_sensors(
            (Fields.of(table(broker), "", []), Fields.of(table(broker, name="x", topic="b"), "", []))
        )
    )
    try:
        comes_of_b(feed, sender)
        assert shown(feed).value is None
    finally:
        feed.close()


def comes_of_b(feed: SensorFeed, sender: Gadget) -> None:
    """Wait until the feed has heard something of another topic: what lay there has then come, too."""

    def seen() -> bool:
        sender.publish("b", '{"co2": 700}')
        return "x" in feed._latest

    until(seen, "nothing came")


async def test_a_control_process_shows_it(
    broker: Mosquitto, sender: Gadget, build_node: Callable[..., Any]
) -> None:
    node = build_node(sensors=[table(broker)])
    async with node.attached() as client:
        async for message in client.messages:
            if isinstance(message, ImageReport):
                if message.sensors[0].value is not None:
                    break
                sender.publish("air", '{"co2": 640}')
    assert message.sensors[0].value == 640.0


MISTAKES = [
    ({"always": 500}, "topic: and always exclude each other"),
    ({"topic": "a/#"}, "topic: 'a/#' is no single topic"),
    ({"report_s": 0}, "report_s: is 0"),
]


@pytest.mark.parametrize(("changes", "text"), MISTAKES)
def test_a_mistake_is_told(
    changes: dict[str, Any], text: str, settings: Callable[..., dict[str, Any]]
) -> None:
    sensor = {"name": "attic", "kind": "co2", "topic": "air"} | changes
    with pytest.raises(ConfigurationError) as caught:
        parse_config(settings(sensors=[sensor]))
    assert any(problem.startswith(f"sensors[0].{text}") for problem in caught.value.problems), caught.value
