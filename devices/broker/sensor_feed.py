"""Shell: threads that listen to sensors on MQTT brokers, for the reports that people see. Control waits for none.

What lies at a broker (retained) is of unknown age and is no reading.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from devices.drivers.hardware import HardwareError
from devices.image import Reading
from devices.messages.control_messages import ImageReport, SensorReport
from devices.messages.sensor_port import MEASURED, Sensor, SensorReading, SensorTopic, plausible, warning
from devices.mqtt.access import Access
from devices.mqtt.link import Broker, MqttLink
from devices.mqtt.topics import number_at

TIMEOUT_S = 2.0
LISTEN_S = 1.0
LONGEST_PAUSE_S = 60.0
NS_PER_S = 1_000_000_000


class SensorFeed:
    """The sensors of a configuration that have a topic, and the latest reading of each; one thread per broker."""

    def __init__(self, sensors: tuple[Sensor, ...]) -> None:
        self._sensors = {sensor.name: (sensor, sensor.said) for sensor in sensors if sensor.said is not None}
        self._latest: dict[str, Reading] = {}
        self._closing = threading.Event()
        brokers = dict.fromkeys(said.broker for _, said in self._sensors.values())
        self._threads = [
            threading.Thread(target=self._work, args=(each,), name="sensors", daemon=True) for each in brokers
        ]
        for thread in self._threads:
            thread.start()

    def complete(self, report: ImageReport) -> ImageReport:
        """A report with what these sensors say."""
        if not self._sensors:
            return report
        return replace(report, sensors=tuple(self._shown(each, report.real_ns) for each in report.sensors))

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        for thread in self._threads:
            thread.join(2 * LISTEN_S)

    def _shown(self, report: SensorReport, real_ns: int) -> SensorReport:
        known = self._sensors.get(report.name)
        if known is None:
            return report
        sensor, said = known
        reading = self._latest.get(sensor.name, Reading.missing(real_ns))
        if real_ns - reading.real_ns > said.report_s * NS_PER_S:
            reading = Reading.missing(real_ns)
        text = warning(SensorReading(sensor.name, sensor.kind, reading)) or ""
        return SensorReport(sensor.name, sensor.kind, reading.value, MEASURED[sensor.kind].unit, text)

    def _work(self, broker: tuple[str, int, Access]) -> None:
        host, port, access = broker
        listened = {name: known for name, known in self._sensors.items() if known[1].broker == broker}
        topics = tuple(dict.fromkeys(said.topic for _, said in listened.values()))

        def hear(topic: str, payload: bytes, retained: bool) -> None:
            for name, (sensor, said) in listened.items():
                if said.topic == topic and not retained:
                    self._latest[name] = _reading(sensor, said, payload)

        link = MqttLink(Broker(host, port, TIMEOUT_S, access), topics, None, hear)
        failures = 0
        while not self._closing.is_set():
            try:
                if not link.connected:
                    link.open()
                link.look()
                link.wait(self._closing.is_set, LISTEN_S)
                failures = 0
            except HardwareError:
                failures += 1
                self._closing.wait(min(LISTEN_S * 2**failures, LONGEST_PAUSE_S))
        link.close()


@contextmanager
def sensor_feed(sensors: tuple[Sensor, ...]) -> Iterator[SensorFeed]:
    """A feed while it is used."""
    feed = SensorFeed(sensors)
    try:
        yield feed
    finally:
        feed.close()


def _reading(sensor: Sensor, said: SensorTopic, payload: bytes) -> Reading:
    value = number_at(payload, said.path)
    return plausible(sensor.kind, float("nan") if value is None else value, time.monotonic_ns())
