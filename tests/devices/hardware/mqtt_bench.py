"""A mosquitto of the test's own, and a device on it: a charger, a switch or a battery that can be told to fail."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from sunspec_bench import PATIENCE_S, SECOND_NS, Awaited, config

from devices.cell_clock import Instant
from devices.drivers.polled import PolledDer
from devices.image import DeviceImage
from devices.leases import Lease
from devices.opening.real_devices import connect

AMPERE_W = 690.0
BUSY_MACHINE_S = 60.0
BOX: dict[str, Any] = {
    "kind": "flexible",
    "maximum_w": 11_040,
    "power_topic": "box/status",
    "power_path": "meter.power",
    "setpoint_topic": "box/status",
    "setpoint_path": "limit",
    "setpoint_unit_w": -AMPERE_W,
    "command_topic": "box/limit/set",
    "availability_topic": "box/availability",
}
PLUG: dict[str, Any] = {
    "kind": "flexible",
    "maximum_w": 2000,
    "power_topic": "box/status",
    "power_path": "meter.power",
    "setpoint_topic": "box/switch",
    "command_topic": "box/limit/set",
    "command": '{"state": "{value}"}',
    "on": "ON",
    "off": "OFF",
}
STORE: dict[str, Any] = {
    "kind": "battery",
    "charge_w": 3000,
    "discharge_w": 3000,
    "capacity_wh": 8000,
    "response_s": 0,
    "power_topic": "box/status",
    "power_path": "meter.power",
    "state_of_charge_topic": "box/status",
    "state_of_charge_path": "soc",
    "setpoint_topic": "box/status",
    "setpoint_path": "limit",
    "command_topic": "box/limit/set",
}
TABLES = {"box": BOX, "plug": PLUG, "store": STORE}


def table(port: int, device: str = "box", **changes: Any) -> dict[str, Any]:
    """A table of site.ders."""
    way = {"driver": "mqtt", "name": "box", "port": port, "timeout_ms": 300, "poll_ms": 500}
    return way | TABLES[device] | changes


class Mosquitto:
    """A broker on loopback; `more` are lines of its configuration."""

    def __init__(self, folder: Path, *more: str) -> None:
        found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert found, "mosquitto is missing: sudo apt-get update && sudo apt-get install -y mosquitto"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", *(more or ("allow_anonymous true",))]
        lines += ["user root"] if os.getuid() == 0 else []
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            [found, "-c", str(folder / "mosquitto.conf")], stdout=quiet, stderr=quiet
        )
        until(self._answers, "mosquitto did not come up")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), PATIENCE_S).close()
        except OSError:
            return False
        return True


@contextmanager
def mosquitto(folder: Path, *more: str) -> Iterator[Mosquitto]:
    broker = Mosquitto(folder, *more)
    try:
        yield broker
    finally:
        broker.end()


def until(done: Callable[[], bool], otherwise: str) -> None:
    pause, end = threading.Event(), time.monotonic() + BUSY_MACHINE_S
    while not done():
        assert time.monotonic() < end, otherwise
        pause.wait(0.02)


class Gadget:
    """A device on the broker. It says what it does when it is told something, and whenever time passes.

    Faults: `deaf` does not do what it is told, `mute` says nothing, `liar` says that it obeys and does not, `garbage`
    says what is no number.
    """

    def __init__(self, port: int, device: str, wants_w: float = 4000.0, soc: float = 50.0) -> None:
        self.device, self.wants_w, self.soc = device, wants_w, soc
        self.limit = 0.0
        self.fault = ""
        self.told: list[str] = []
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"gadget-{id(self)}")
        self._client.on_message = self._on_message
        listening = threading.Event()
        self._client.on_subscribe = lambda *_: listening.set()
        self._client.connect("127.0.0.1", port, 60)
        self._client.loop_start()
        self._client.subscribe("box/limit/set", 1)
        assert listening.wait(PATIENCE_S)

    @property
    def power(self) -> float:
        """What its meter shows, with its own sign: drawn for a load, given for a battery."""
        if self.fault == "liar":
            return 1234.0
        if self.device == "store":
            return self.limit
        return max(0.0, min(self.wants_w, self.limit * (AMPERE_W if self.device == "box" else 2000.0)))

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.soc -= self.power * seconds / 3600 / 80 if self.device == "store" else 0.0
        self.say()

    def say(self, retain: bool = False) -> None:
        """Publish its state, and return when the broker has it."""
        for topic, payload in self._state():
            self.publish(topic, payload, retain)

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _state(self) -> list[tuple[str, str]]:
        if self.fault == "mute":
            return []
        if self.fault == "garbage":
            return [
                ("box/status", '{"meter": {"power": "much"}, "limit": [], "soc": 1e999}'),
                ("box/switch", "?"),
            ]
        with self._lock:
            status = {"meter": {"power": self.power}, "limit": self.limit, "soc": self.soc}
        return [("box/status", json.dumps(status)), ("box/switch", "ON" if self.limit else "OFF")]

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        text = message.payload.decode()
        number = {"ON": "1", "OFF": "0"}[json.loads(text)["state"]] if self.device == "plug" else text
        if self.fault != "deaf":
            with self._lock:
                self.limit = float(number)
        self.told.append(text)
        for topic, payload in self._state():
            client.publish(topic, payload, qos=1)


class MqttBench:
    """A driver on a clock that the test moves, before a device on a broker."""

    def __init__(self, port: int, device: str = "box", fault: str = "", **changes: Any) -> None:
        self.gadget = Gadget(port, device)
        self.gadget.fault = fault
        self.now = Instant(10**12, 0)
        parsed = config(table(port, device, **changes)).hardware[0]
        self.polled: PolledDer = connect(parsed, 0.0, lambda: self.now)
        self.der = Awaited(self.polled)
        assert self.polled.refresh(PATIENCE_S)
        self.pass_time(1.0)

    def pass_time(self, seconds: float) -> None:
        left_s = seconds
        while left_s > 0:
            step_s = min(1.0, left_s)
            left_s -= step_s
            passed_ns = round(step_s * SECOND_NS)
            self.now = Instant(self.now.real_ns + passed_ns, self.now.cell_ns + passed_ns)
            self.gadget.advance(step_s)
            assert self.polled.refresh(PATIENCE_S)

    def look(self, seconds: float = 1.0) -> DeviceImage:
        self.pass_time(seconds)
        return self.polled.measure(self.now)

    def lease(self, power_w: float, reversion_w: float = 0.0, lasts_s: float = 30.0) -> Lease[float]:
        real_ns = self.now.real_ns
        expires_ns = real_ns + round(lasts_s * SECOND_NS)
        return Lease(power_w, reversion_w, real_ns, expires_ns, "test", real_ns)

    def end(self) -> None:
        self.polled.close()
        self.gadget.end()
