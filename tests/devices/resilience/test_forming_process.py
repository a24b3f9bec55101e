"""A real control process through an outage: it forms the island's grid and starts its loads in order."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devices.messages.control_messages import AlarmCode, ImageReport

S = 10**9


async def test_a_real_control_process_forms_its_grid_on_a_dead_bus(
    build_node: Callable[..., Any], tmp_path: Path
) -> None:
    start_ns = time.time_ns()
    grid = tmp_path / "grid.csv"
    lost_ns = start_ns + 2 * S
    grid.write_text(
        f"start_ns,frequency_hz,voltage_pu\n{start_ns - 10 * S},50,1\n{lost_ns},0,0\n{start_ns + 600 * S},0,0\n"
    )
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
    node = build_node(
        ders=[battery, *circuits],
        profile=None,
        clock={"start_wall_ns": 0, "epoch_ns": 0, "speed": 1.0},
        grid_profile=str(grid),
        islanding=True,
        forming={"device": "battery", "name": "us", "rank": ["us"], "settle_s": 0.5},
    )
    states: list[str] = []
    async with node.attached() as client:
        async for message in client.messages:
            assert getattr(message, "code", None) not in (AlarmCode.SWITCH_REFUSED, AlarmCode.FORMER_FAILED)
            if not isinstance(message, ImageReport):
                continue
            if message.island not in states[-1:]:
                states.append(message.island)
            drawn = {
                each.name for each in message.devices if each.power_w is not None and each.power_w < -400
            }
            if message.island == "island" and {"alarm", "kitchen"} <= drawn:
                break
    # A machine that is slow to start the process finds the grid gone already.
    assert states[-3:] == ["dead-bus", "black-start", "island"]
