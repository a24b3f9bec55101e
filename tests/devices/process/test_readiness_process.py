"""A real control process whose model, fitted beforehand from its profile, charges the battery before the overload."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices.messages.control_messages import Alarm, AlarmCode, ImageReport
from devices.process.dispatch_log import replay
from node.cli.root import app

S = 10**9
QUIET_W, RISING_W, OVER_W = 400.0, (1_500.0, 2_500.0, 3_500.0), 6_000.0
TABLE = {"against": "overload", "every_s": 1, "horizon_s": 8, "spans_s": [1, 2], "hold_s": 5}


def shape_of_a_day(start_s: int, repeats: int) -> list[str]:
    """Rises by steps of two seconds, overloads for four, rests for twenty: a thing that a model can learn."""
    rows, second = [], start_s
    for _ in range(repeats):
        for load_w, lasts_s in ((QUIET_W, 20), *((each, 2) for each in RISING_W), (OVER_W, 4)):
            rows.append(f"{second * S},{load_w},0")
            second += lasts_s
    return [*rows, f"{second * S},{QUIET_W},0"]


def node_file(directory: Path) -> Path:
    """The configuration of a home whose profile is yesterday's record."""
    (directory / "past.csv").write_text("\n".join(["start_ns,load_w,pv_w", *shape_of_a_day(10_000, 40)]))
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in TABLE.items())
    (directory / "node.toml").write_text(
        f"""[node]
name = "home"
[site]
profile = "past.csv"
import_limit_w = 5000.0
[site.readiness]
{table}
[[site.ders]]
kind = "load"
name = "house"
maximum_w = 9000
[[site.ders]]
kind = "battery"
name = "battery"
charge_w = 3000
discharge_w = 3000
capacity_wh = 200
"""
    )
    return directory / "node.toml"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """A command's JSON."""
    app(["devices", "readiness", *words, "--json"], result_action="return_value")
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


async def test_the_battery_is_full_before_the_overload_that_its_model_foresees(
    build_node: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, model = node_file(tmp_path), tmp_path / "model.json"
    fitted = run(capsys, "fit", str(config), "--out", str(model))
    assert fitted["uses"] == "model"
    assert fitted["log_loss_model"] < fitted["log_loss_threshold"]
    start_s = time.time_ns() // S
    profile = tmp_path / "present.csv"
    rows = [
        f"{(start_s - 10) * S},{QUIET_W},0",
        *(f"{(start_s + 8 + 2 * number) * S},{load_w},0" for number, load_w in enumerate(RISING_W)),
        f"{(start_s + 14) * S},{OVER_W},0",
        f"{(start_s + 600) * S},{OVER_W},0",
    ]
    profile.write_text("\n".join(["start_ns,load_w,pv_w", *rows]))
    log = tmp_path / "dispatch.jsonl"
    node = build_node(
        ders=[
            {
                "kind": "battery",
                "name": "battery",
                "charge_w": 3000,
                "discharge_w": 3000,
                "capacity_wh": 50,
                "initial_state_of_charge": 0.2,
            },
            {"kind": "load", "name": "house", "maximum_w": 9000},
        ],
        profile=str(profile),
        clock={"start_wall_ns": 0, "epoch_ns": 0, "speed": 1.0},
        connection={"minimum_w": -5000, "maximum_w": 5000},
        readiness=TABLE | {"model": str(model)},
        dispatch_log=str(log),
    )
    before: ImageReport | None = None
    alarms = []
    async with node.attached() as client:
        async for message in client.messages:
            if isinstance(message, Alarm) and message.code is AlarmCode.TROUBLE_EXPECTED:
                alarms.append(message)
            if not isinstance(message, ImageReport):
                continue
            drawn_w = next(each.power_w for each in message.devices if each.name == "house")
            if drawn_w is not None and drawn_w < -5_500:
                break
            before = message
    assert before is not None
    assert alarms[0].raised
    assert before.readiness == "ready"
    # It began at its reserve, a fifth; acting by self-consumption alone it would still be there.
    stored_wh = next(each.stored_wh for each in before.devices if each.name == "battery")
    assert stored_wh is not None
    assert stored_wh > 12.0
    assert replay(log).different is None
    shown = run(capsys, "show", str(config), "--data-dir", str(node.data_dir))
    assert shown["level"] == "ready"
    assert shown["uses"] == "model"
