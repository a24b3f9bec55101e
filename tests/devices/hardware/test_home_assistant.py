"""A node's state on its owner's broker, as Home Assistant finds and reads it; against Debian's mosquitto."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt_bench import Mosquitto, mosquitto, until
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from devices.configuration.control_config import parse_config
from devices.configuration.publish_settings import plain
from devices.errors import ConfigurationError

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("mqtt")]

CONFIG = "homeassistant/device/wattswarm_ada/config"
STATE = "wattswarm/ada/state"
PRESENCE = "wattswarm/ada/availability"


class Reader:
    """What somebody at the broker hears: the newest payload of each topic, and which were retained."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, str] = {}
        self.retained: set[str] = set()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port, 60)
        self.client.loop_start()
        self.client.subscribe("#", 1)

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self.heard[message.topic] = message.payload.decode()
        if message.retain:
            self.retained.add(message.topic)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def settings_of(broker: Mosquitto) -> dict[str, Any]:
    return {"node": "ada", "port": broker.port, "every_s": 1}


def test_the_sensors_are_found_and_show_what_control_measures(
    tmp_path: Path, build_node: Callable[..., Any]
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker:
        node = build_node(home_assistant=settings_of(broker))
        reader = Reader(broker.port)
        late = None
        with node.start() as process:
            try:
                until(lambda: STATE in reader.heard, "no state came")
                state = json.loads(reader.heard[STATE])
                components = json.loads(reader.heard[CONFIG])["components"]
                assert {f"{name}_power" for name in state["devices"]} <= set(components)
                assert all(each["expire_after"] == 3 for each in components.values())
                assert components["connection"]["value_template"] == "{{ value_json.connection_w }}"
                assert state["connection_w"] == sum(each["power_w"] for each in state["devices"].values())
                late = Reader(broker.port)
                until(lambda: {CONFIG, PRESENCE} <= late.retained, "nothing is retained")
                assert late.heard[PRESENCE] == "online"
                assert STATE not in late.retained
                process.send_signal(signal.SIGKILL)
                until(lambda: reader.heard[PRESENCE] == "offline", "the last will did not come")
            finally:
                process.kill()
                for each in (reader, late):
                    if each is not None:
                        each.end()


def test_control_goes_on_without_a_broker(build_node: Callable[..., Any]) -> None:
    node = build_node(home_assistant={"node": "ada", "port": 9, "every_s": 1})
    with node.start() as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("home_assistant: 127.0.0.1:9: ")
        process.terminate()
        assert process.wait(60) == 0


@given(st.text(max_size=12), st.text(max_size=12))
def test_two_names_never_become_one(first: str, second: str) -> None:
    assert first == second or plain(first) != plain(second)
    assert all(character.isascii() and character not in "/+#'\"" for character in plain(first))


def test_mistakes_are_told(settings: Callable[..., dict[str, Any]]) -> None:
    wrong = {"node": "ada", "every_s": 0, "discovery_prefix": "a/b", "broker": "x"}
    with pytest.raises(ConfigurationError) as caught:
        parse_config(settings(home_assistant=wrong))
    told = [problem.split(": ")[0] for problem in caught.value.problems]
    assert sorted(told) == [f"home_assistant.{key}" for key in ("broker", "discovery_prefix", "every_s")]
