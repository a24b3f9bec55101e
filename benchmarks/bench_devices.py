"""How long one control cycle takes with modelled devices, beside the cycle of a home with one plain battery.

Everything of a cycle is in it: physics, metering, health, protection, dispatch, permissions, commands.
"""

import sys
import time
from pathlib import Path

from devices.cell_clock import Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.opening.simulated_devices import build_ders

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "devices" / "examples"))
from device_examples import EXAMPLES, NOON_NS

CYCLES = 200
PERIOD_NS = 100_000_000
HOME = ("home-battery", "solar", "ev-charger", "heat-pump", "circuit")
PLAIN = {"kind": "battery", "name": "plain", "charge_w": 3000, "discharge_w": 3000, "capacity_wh": 8000}


def cycle_ms(ders: list[dict[str, object]], speed: int) -> tuple[float, float]:
    """Median and 99th percentile of a cycle in ms, with cell time `speed` times as fast as real time."""
    config = parse_config(
        {
            "data_dir": ".",
            "interval_s": 3600,
            "clock": {"start_wall_ns": 0, "epoch_ns": 0, "speed": speed},
            "connection": {"minimum_w": -1e6, "maximum_w": 1e6},
            "ders": ders,
        }
    )
    start = Instant(0, NOON_NS)
    core = ControlCore(config, build_ders(config, None, {}, start), None, FRESH, start, "bench")
    times = []
    for cycle in range(1, CYCLES + 1):
        now = Instant(cycle * PERIOD_NS, NOON_NS + cycle * PERIOD_NS * speed)
        began = time.perf_counter()
        core.cycle(now)
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return times[CYCLES // 2], times[CYCLES * 99 // 100]


def main() -> None:
    """Print one line per node and speed."""
    modelled = [{"type": name, "name": name, **EXAMPLES[name]} for name in EXAMPLES]
    home = [der for der in modelled if der["type"] in HOME]
    reference, _ = cycle_ms([PLAIN], 1)
    print(f"one plain battery: {reference:.2f} ms (the reference)")
    for what, ders in (("a home of 5", home), (f"all {len(modelled)} types", modelled)):
        for speed in (1, 1200):
            median, late = cycle_ms(ders, speed)
            ratio = median / reference
            print(
                f"{what}, speed {speed}: p50 {median:.2f} ms, p99 {late:.2f} ms, {ratio:.0f} x the reference"
            )


if __name__ == "__main__":
    main()
