"""What the texts on topics mean: laws over all of them, and every mistake of a table."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_bench import table
from sunspec_bench import config

from devices.errors import ConfigurationError
from devices.mqtt.topics import SetpointTopics, Source, command, held_w, means, number_at, text_at, told

NUMBERED = SetpointTopics("set", Source("held", "a.limit"), unit_w=-690.0, decimals=1)
SWITCH = SetpointTopics("set", Source("held"), '{"state": "{value}"}', on="ON", off="OFF")
LEAST_W = -2000.0


@given(st.binary(max_size=60), st.sampled_from(["", "a", "0", "a.0.b", "a.limit"]))
def test_any_bytes_are_a_finite_number_or_nothing(payload: bytes, path: str) -> None:
    value = number_at(payload, path)
    assert value is None or math.isfinite(value)
    assert held_w(SWITCH, payload, LEAST_W) in (None, LEAST_W, 0.0)


LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=9)
KEYS = st.sampled_from(["a", "b", "c"])


@settings(max_examples=50)
@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=6))
def test_any_json_is_a_text_or_nothing(value: Any) -> None:
    payload = json.dumps(value).encode()
    for path in ("", "0", "a", "a.b"):
        text = text_at(payload, path)
        assert text is None or isinstance(text, str)


@given(st.floats(-12_000, 0), st.floats(1, 5000), st.integers(0, 3))
def test_what_is_told_passes_no_limit_and_is_recognised(power_w: float, unit: float, decimals: int) -> None:
    setpoint = SetpointTopics("set", Source("held"), unit_w=-unit, decimals=decimals)
    text = told(setpoint, power_w, -12_000.0)
    meant_w = held_w(setpoint, text.encode(), -12_000.0)
    assert meant_w is not None
    step_w = unit / 10**decimals
    assert power_w - 1e-5 <= meant_w < power_w + step_w + 1e-5
    assert meant_w <= 0.0
    assert means(setpoint, text.encode(), text)


def test_three_amperes_stay_three_and_nothing_is_plain() -> None:
    assert told(NUMBERED, -2070.0, -11_040.0) == "3.0"
    assert told(NUMBERED, -0.0, -11_040.0) == "0.0"
    assert held_w(NUMBERED, b'{"a": {"limit": "3"}}', -11_040.0) == -2070.0


def test_a_switch_is_on_only_where_all_it_may_draw_is_allowed() -> None:
    assert [told(SWITCH, each, LEAST_W) for each in (LEAST_W, -1999.0, 0.0)] == ["ON", "OFF", "OFF"]
    assert command(SWITCH, "ON") == '{"state": "ON"}'
    assert (held_w(SWITCH, b"ON", LEAST_W), held_w(SWITCH, b"on", LEAST_W)) == (LEAST_W, None)


MISTAKES = [
    ("box", {"power_topic": "box/#"}, "power_topic: 'box/#' is no single topic"),
    ("box", {"command_topic": "$SYS/x"}, "command_topic: '$SYS/x' is no single topic"),
    ("box", {"command": "off"}, "command: must contain {value}"),
    ("box", {"setpoint_topic": "box/limit/set"}, "setpoint_topic: must not be the command's"),
    ("box", {"power_unit_w": 0}, "power_unit_w: must not be 0"),
    ("box", {"report_s": 600}, "report_s: is 600"),
    ("plug", {"off": "ON"}, "off: must differ from on"),
    ("plug", {"setpoint_unit_w": 5}, "setpoint_unit_w: is not a field here"),
    ("store", {"on": "1", "off": "0"}, "on: only a flexible load can be a switch"),
    ("store", {"reversion_w": 100}, "reversion_w: is 100"),
    ("box", {"kind": "load"}, "command_topic: is not a field here"),
]


@pytest.mark.parametrize(("device", "changes", "text"), MISTAKES, ids=lambda value: str(value)[:30])
def test_a_mistake_is_told(device: str, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(table(1883, device, **changes))
    assert any(problem.startswith(f"ders[0].{text}") for problem in caught.value.problems), caught.value
