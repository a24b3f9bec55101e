"""One configuration of every device type, as it stands in a file, and its simulation."""

from typing import Any

from devices.cell_clock import Instant
from devices.control_config import ControlConfig, parse_config
from devices.der import Der
from devices.drivers.simulated import build_ders

HOUR_NS = 3_600 * 10**9
NOON_NS = 12 * HOUR_NS
"""Cell time of the examples' start: the sun shines and every daily use of them is on."""

USE = {"always_w": 50.0, "use": [[8, 20, 250.0]]}

EXAMPLES: dict[str, dict[str, Any]] = {
    "home-battery": {"capacity_wh": 6400, "charge_w": 3000, "discharge_w": 3300},
    "battery-backup-unit": {"capacity_wh": 240, "charge_w": 240, "discharge_w": 3000},
    "flywheel": {},
    "ups": {"capacity_wh": 500, "charge_w": 100, "discharge_w": 1000, "initial_state_of_charge": 0.5, **USE},
    "rack-power-unit": {
        "capacity_wh": 60,
        "charge_w": 600,
        "discharge_w": 1500,
        "initial_state_of_charge": 0.9,
        "low_load_w": 400,
        **USE,
    },
    "dc-bus": {"assemblies": [[5000, 2500, 2500], [3000, 1000, 1500]], "inverter_w": 4000},
    "solar": {"peak_w": 5000, "inverter_w": 4600},
    "wind": {"rated_w": 6000},
    "backup-generator": {"rated_w": 8000, "minimum_w": 2400, "ramp_w_per_s": 2000, "tank_wh": 100_000},
    "combined-heat-and-power": {"rated_w": 5500, "minimum_w": 2700, "ramp_w_per_s": 200},
    "fuel-cell": {"rated_w": 750, "minimum_w": 230, "ramp_w_per_s": 10},
    "ev-charger": {"maximum_w": 7400, "battery_wh": 60_000, "arrives_h": 8, "departs_h": 17},
    "circuit": {"tier": "essential", **USE},
    "lighting": USE,
    "switch": USE,
    "dc-socket": {"device_wh": 70, "charge_w": 45, "use": [[8, 20, 25.0]], "defer_above": 0.6},
    "heat-pump": {"electric_w": 2000, "litres": 300, "initial_c": 44, "use": [[6, 22, 1500.0]]},
    "appliance": {"ready_h": 9, "deadline_h": 17},
}


def configuration(ders: list[dict[str, Any]], **changes: Any) -> ControlConfig:
    """A node with these devices."""
    source: dict[str, Any] = {
        "data_dir": ".",
        "interval_s": 3600,
        "clock": {"start_wall_ns": 0, "epoch_ns": 0},
        "connection": {"minimum_w": -17_000, "maximum_w": 17_000},
        "ders": ders,
    }
    return parse_config(source | changes)


def devices_of(type_name: str, start: Instant, **changes: Any) -> tuple[Der, ...]:
    """The example of a type as drivers: the device and, where it feeds one, its load."""
    der = {"type": type_name, "name": type_name, **EXAMPLES[type_name], **changes}
    return build_ders(configuration([der]), None, {}, start)
