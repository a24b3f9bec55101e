"""What docs/hardware.md says is what the drivers do: keys, models, and its table is a configuration."""

import re
import textwrap
import tomllib
from pathlib import Path

from devices.configuration.control_config import ControlConfig
from devices.sunspec import inverter
from node.configuration.config import Config, control_table, site_problems

PAGE = (Path(__file__).parents[3] / "docs" / "hardware.md").read_text("utf-8")


def first_cells(heading: str, table: int = 0) -> str:
    parts = [part for part in PAGE.split(heading)[1].split("\n\n") if table == 0 or part.startswith("| ")]
    lines = parts[0].splitlines()
    return "\n".join(line.split(" | ")[0] for line in lines)


def test_the_example_is_a_configuration_without_mistakes() -> None:
    examples = [textwrap.dedent(each) for each in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
    assert [len(each.splitlines()) for each in examples] == [10, 10, 7, 5, 12, 6, 6, 16, 2]
    plugged = examples.pop(1)
    for text in ("\n".join(examples), plugged):
        source = tomllib.loads(text)
        config = Config.model_validate({"node": {"name": "ada"}, "file": "node.toml", **source})
        assert site_problems(config) == ()
        assert control_table(config, 900)["ders"] == source["site"]["ders"]
    assert "hardware" in ControlConfig.__slots__


def test_every_key_is_in_the_table() -> None:
    """The message about an unknown key names the known ones: those are what the tables have."""
    assert known_keys({"driver": "sunspec", "kind": "battery"}, {"driver": "sunspec", "kind": "pv"}) == set(
        re.findall(r"`(\w+)`", first_cells("| key   "))
    )
    assert known_keys({"driver": "nut"}) == set(
        re.findall(r"`(\w+)`", first_cells("## UPS by Network UPS Tools", 1))
    )


def test_every_key_of_a_device_on_a_broker_is_in_the_table() -> None:
    words = {"on": "1", "off": "0"}
    tables = [{"driver": "mqtt", "kind": kind} for kind in ("flexible", "load", "battery", "pv")]
    known = known_keys(*tables, {"driver": "mqtt", "kind": "flexible"} | words)
    assert known == set(re.findall(r"`(\w+)`", first_cells("## Devices on an MQTT broker", 1)))


def test_every_key_of_a_smart_meter_is_in_the_table() -> None:
    listed = set(re.findall(r"`(\w+)`", first_cells("## Smart meters with a P1 port", 1)))
    assert known_keys({"driver": "dsmr"}, {"driver": "dsmr", "serial": "/dev/ttyUSB0"}) == listed


def test_every_key_of_a_modbus_meter_is_in_the_table() -> None:
    listed = set(re.findall(r"`([a-z_]+)`", first_cells("## Meters on Modbus TCP", 1)))
    assert known_keys({"driver": "sunspec-meter"}) == listed


def test_every_key_of_a_sensor_on_a_broker_is_in_the_table() -> None:
    table = {"name": "x", "kind": "co2", "topic": "t", "wrong": 1}
    config = Config.model_validate(
        {"node": {"name": "ada"}, "site": {"sensors": [table]}, "file": "node.toml"}
    )
    (told,) = (text for text in site_problems(config) if "is not a field here" in text)
    known = set(told.split("known are ")[1].split(", "))
    listed = set(re.findall(r"`(\w+)`", first_cells("## Sensors on an MQTT broker", 1)))
    assert known - {"name", "kind", "outdoor", "always", "spans"} == listed


def test_every_key_of_switchgear_is_in_the_table() -> None:
    listed = set(re.findall(r"`([a-z_]+)`", first_cells("## A breaker and a former", 1)))
    problems = site_problems(
        Config.model_validate(
            {"node": {"name": "ada"}, "site": {"switchgear": {"wrong": 1}}, "file": "node.toml"}
        )
    )
    (told,) = (text for text in problems if "is not a field here" in text)
    assert set(told.split("known are ")[1].split(", ")) == listed


def known_keys(*tables: dict[str, object]) -> set[str]:
    known: set[str] = set()
    for each in tables:
        table = each | {"name": "x", "wrong": 1}
        config = Config.model_validate(
            {"node": {"name": "ada"}, "site": {"ders": [table]}, "file": "node.toml"}
        )
        (told,) = (text for text in site_problems(config) if "is not a field here" in text)
        known |= set(told.split("known are ")[1].split(", "))
    return known - {"name"}


def test_every_model_is_in_the_table() -> None:
    listed = {int(number) for number in re.findall(r"\d+", first_cells("| model "))}
    assert listed == {1, *inverter.READ}


def test_every_step_of_the_trial_is_in_the_table() -> None:
    source = (Path(__file__).parents[3] / "devices" / "trials" / "trial.py").read_text("utf-8")
    steps = set(re.findall(r'(?:Step|_follows|_follows_if)\(\s*"([a-z ]+)"', source))
    assert steps == set(re.findall(r"`([a-z ]+)`", first_cells("| step ")))
