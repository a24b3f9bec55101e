"""The configuration of a control process: one message per mistake."""

from collections.abc import Callable
from typing import Any

import pytest

from devices.configuration.control_config import parse_config
from devices.configuration.reversions import reversions
from devices.errors import ConfigurationError

Settings = Callable[..., dict[str, Any]]


def problems(source: object) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse_config(source)
    return caught.value.problems


def test_a_valid_configuration_gets_its_defaults(settings: Settings) -> None:
    config = parse_config(settings())
    assert (config.cycle_ms, config.command_lease_ms, config.linger_s) == (100, 300, None)
    assert config.batteries[0].reserve == 0.2
    assert [each.name for each in config.replayed] == ["roof", "house"]


def test_setpoints_of_a_fast_loop_outlive_more_than_three_of_its_cycles(settings: Settings) -> None:
    assert [parse_config(settings(cycle_ms=each)).command_lease_ms for each in (10, 100, 200)] == [
        300,
        300,
        600,
    ]


def test_every_mistake_gets_its_own_message_with_path_and_rule(settings: Settings) -> None:
    battery = settings()["ders"][0] | {"capacity_wh": "big", "reserve": 2, "colour": "red"}
    found = problems(
        settings(
            interval_s=0,
            clock={"start_wall_ns": 0, "epoch_ns": 0, "speed": 0},
            ders=[battery, {"kind": "wind", "name": "mill", "maximum_w": 1}],
            cycle_time=5,
        )
    )
    expected = (
        "interval_s: is 0; it must be a whole number from 1",
        "clock.speed: is 0; it must be a number from 0.001",
        "ders[0].capacity_wh: is 'big'; it must be a number",
        "ders[0].reserve: is 2; it must be a number from 0 to 1",
        "ders[0].colour: is not a field here",
        "ders[1].kind: is 'wind'; it must be one of battery, pv, load",
        "cycle_time: is not a field here",
    )
    for message in expected:
        assert sum(each.startswith(message) for each in found) == 1, (message, found)
    assert len(found) == len(expected)


def test_two_devices_of_one_name_are_a_mistake(settings: Settings) -> None:
    ders = settings()["ders"]
    assert problems(settings(ders=[*ders, ders[1]])) == ("ders[3].name: 'roof' is taken by another device",)


def test_pv_and_load_need_a_profile(settings: Settings) -> None:
    assert problems(settings(profile=None)) == ("profile: is missing; PV and load replay it",)


def test_a_file_that_is_no_table_is_one_mistake() -> None:
    assert problems([1, 2])[0].startswith("the top level: must be a table")


def test_a_battery_that_nobody_controls_must_not_run_down(settings: Settings) -> None:
    battery = settings()["ders"][0] | {"reversion_w": 500}
    assert problems(settings(ders=[battery])) == (
        "ders[0].reversion_w: is 500; it must be a number from -3000 to 0",
    )


def test_without_leases_all_pv_together_stays_within_the_export_limit(settings: Settings) -> None:
    ders = [{"kind": "pv", "name": name, "maximum_w": 6000} for name in ("east", "west")]
    held = reversions(parse_config(settings(ders=ders)))
    assert held == {"east": 2500.0, "west": 2500.0}
