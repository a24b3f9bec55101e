"""A SunSpec battery under a real control process: ten lines of TOML, a plug that is pulled, and a process that dies."""

import os
import signal
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import trio
from sunspec_bench import table

from devices.configuration.control_config import parse_config
from devices.configuration.reversions import reversions
from devices.errors import ConfigurationError
from devices.messages.control_messages import Alarm, AlarmCode, DeviceReport, ImageReport
from devices.opening.simulated_devices import build_ders
from devices.process.control_client import ControlClient
from sim.counterparts.started import Counterpart, counterpart

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("control")]

Build = Callable[..., Any]
MWH_PER_WH = 1000
RATHER_LARGE_MWH = -700 * MWH_PER_WH

TOML = """
[[ders]]
driver = "sunspec"
name = "cellar"
host = "127.0.0.1"
port = 5020
kind = "battery"
charge_w = 3000
discharge_w = 3000
capacity_wh = 8000
"""


def problems(settings: Callable[..., dict[str, Any]], **changes: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse_config(settings(ders=[table(5020) | changes]))
    return caught.value.problems


def test_ten_lines_are_a_battery(settings: Callable[..., dict[str, Any]]) -> None:
    config = parse_config(settings(ders=tomllib.loads(TOML)["ders"]))
    assert (config.hardware[0].port, config.hardware[0].unit) == (5020, 1)
    assert [(each.name, each.discharge_w, each.reserve) for each in config.batteries] == [
        ("cellar", 3000, 0.2)
    ]
    assert build_ders(config, None, {}, None) == ()  # type: ignore[arg-type]


def test_every_mistake_is_told(settings: Callable[..., dict[str, Any]]) -> None:
    told = problems(settings, port=70_000, driver="modbus", poll_ms=5_000, colour="red", reversion_w=500)
    expected = (
        "port: is 70000",
        "driver: is 'modbus'",
        "poll_ms: is 5000",
        "colour: is not",
        "reversion_w: is 500",
    )
    assert [sum(f"ders[0].{each}" in text for text in told) for each in expected] == [1] * 5
    assert len(told) == 5


def test_a_real_roof_left_alone_stays_within_the_export_limit(
    settings: Callable[..., dict[str, Any]],
) -> None:
    config = parse_config(settings(ders=[table(5020, "pv", maximum_w=8000)]))
    assert reversions(config) == {"cellar": 5000.0}


def cellar(image: ImageReport) -> DeviceReport:
    return next(device for device in image.devices if device.name == "cellar")


async def image_where(client: ControlClient, wanted: Callable[[DeviceReport], bool]) -> ImageReport:
    """Ask for charging until an image shows what is wanted."""
    async for message in client.messages:
        if isinstance(message, ImageReport):
            for ahead in range(2):
                client.send_position(message.interval + ahead, RATHER_LARGE_MWH)
            if wanted(cellar(message)):
                return message
    raise AssertionError("control fell silent")


async def alarm_of(client: ControlClient, code: AlarmCode) -> Alarm:
    async for message in client.messages:
        if (
            isinstance(message, Alarm)
            and message.code is code
            and message.raised
            and message.device == "cellar"
        ):
            return message
    raise AssertionError("control fell silent")


def build(build_node: Build, settings: Callable[..., dict[str, Any]], server: Counterpart, **way: Any) -> Any:
    house = settings()["ders"][2]
    return build_node(ders=[table(server.port, poll_ms=50, **way), house], cycle_ms=50, command_lease_ms=1000)


async def test_a_position_reaches_the_hardware_and_a_pulled_plug_is_an_alarm(
    build_node: Build, settings: Callable[..., dict[str, Any]]
) -> None:
    with counterpart("--real-time") as server:
        async with build(build_node, settings, server).attached() as client:
            shown = await image_where(client, lambda each: each.power_w is not None and each.power_w < -100)
            setpoint_w = cellar(shown).setpoint_w
            assert setpoint_w is not None
            assert setpoint_w < -100
            assert server.get("701.W") < -100
            server.end()
            alarm = await alarm_of(client, AlarmCode.POWER_UNKNOWN)
            assert alarm.device == "cellar"
            gone = await image_where(client, lambda each: each.power_w is None)
            assert cellar(gone).stored_wh is None
            assert gone.connection_w is None


async def test_when_control_is_killed_the_hardware_reverts_by_its_own_timer(
    build_node: Build, settings: Callable[..., dict[str, Any]]
) -> None:
    with counterpart("--real-time") as server:
        node = build(build_node, settings, server, reversion_w=-150)
        with trio.fail_after(30):
            client = node.client()
            async with trio.open_nursery() as nursery:
                await nursery.start(client.run)
                await image_where(client, lambda each: each.power_w is not None and each.power_w < -200)
                os.kill(node.controller(), signal.SIGSTOP)
                server.ask(advance=3.0)
                while server.get("701.W") != -150.0:  # a write that was under way restarts the timer once
                    server.ask(advance=3.0)
                os.kill(node.controller(), signal.SIGKILL)
                nursery.cancel_scope.cancel()


async def test_when_control_is_stopped_it_leaves_the_reversion_behind(
    build_node: Build, settings: Callable[..., dict[str, Any]]
) -> None:
    with counterpart("--real-time") as server:
        async with build(build_node, settings, server, reversion_w=-150).attached() as client:
            await image_where(client, lambda each: each.power_w is not None and each.power_w < -200)
        with trio.fail_after(10):
            while server.get("704.WSet") != -150.0:
                await trio.lowlevel.checkpoint()
        assert server.get("704.WSetRvrt") == -150.0
