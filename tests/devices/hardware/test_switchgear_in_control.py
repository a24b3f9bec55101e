"""A real control process behind real switchgear: outage, black start, and back to the public grid in step."""

import os
import signal
from collections.abc import Callable
from typing import Any

import trio
from switchgear_bench import table

from devices.messages.control_messages import AlarmCode, ImageReport
from sim.counterparts.started import Started


def site(build_node: Callable[..., Any], server: Started) -> Any:
    """A home that can form its own grid behind the server's breaker."""
    circuits = [
        {"type": "circuit", "name": name, "tier": tier, "always_w": 500.0}
        for name, tier in (("alarm", "critical"), ("kitchen", "normal"))
    ]
    battery = {
        "kind": "battery",
        "name": "battery",
        "charge_w": 3000,
        "discharge_w": 3000,
        "capacity_wh": 8000,
    }
    return build_node(
        ders=[battery, *circuits],
        profile=None,
        clock={"start_wall_ns": 0, "epoch_ns": 0, "speed": 1.0},
        islanding=True,
        forming={"device": "battery", "name": "us", "rank": ["us"], "settle_s": 0.5, "back_after_s": 10},
        switchgear=table(server.port, poll_ms=50, watchdog_s=10),
    )


async def test_an_outage_a_black_start_and_the_way_back(build_node: Callable[..., Any]) -> None:
    server = Started("switchgear_server", "--real-time")
    try:
        node = site(build_node, server)
        states: list[str] = []
        with trio.fail_after(90):
            client = node.client()
            async with trio.open_nursery() as nursery:
                await nursery.start(client.run)
                async for message in client.messages:
                    assert getattr(message, "code", None) is not AlarmCode.FORMER_FAILED
                    if not isinstance(message, ImageReport):
                        continue
                    if message.island not in states[-1:]:
                        states.append(message.island)
                        if states == ["connected"]:
                            server.ask(grid=[0.0, 0.0])
                        if message.island == "island":
                            assert server.ask(get=True)["forming"]
                            server.ask(grid=[231.0, 50.03])
                    if "synchronising" in states and message.island == "connected":
                        break
                await client.stop()
        truth = server.ask(get=True)
        assert truth["closed"]
        assert not truth["forming"]
        # What refuses in the switchgear itself was never asked for.
        assert truth["refused"] == []
        assert states[0] == "connected"
        assert states[-5:] == ["dead-bus", "black-start", "island", "synchronising", "connected"]
    finally:
        server.end()


async def test_a_control_process_that_dies_on_the_island_finds_its_former_forming(
    build_node: Callable[..., Any],
) -> None:
    server = Started("switchgear_server", "--real-time")
    try:
        node = site(build_node, server)
        killed = None
        with trio.fail_after(90):
            client = node.client()
            async with trio.open_nursery() as nursery:
                await nursery.start(client.run)
                server.ask(grid=[0.0, 0.0])
                async for message in client.messages:
                    if not isinstance(message, ImageReport) or message.island != "island":
                        continue
                    if killed is None:
                        killed = node.controller()
                        os.kill(killed, signal.SIGKILL)
                    elif node.controller() != killed:
                        break
                await client.stop()
        truth = server.ask(get=True)
        # One beginning: the bus was never let go between the two processes, nor asked for while it was live.
        assert truth["formed"] == 1
        assert truth["refused"] == []
    finally:
        server.end()
