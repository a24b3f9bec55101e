"""One table per device type, as it stands in a node's configuration, and nodes that are made of some of them."""

from typing import Any

from devices.configuration.control_config import ControlConfig, parse_config

USE: dict[str, Any] = {"always_w": 50.0, "use": [[8, 20, 250.0]]}
RESERVE = 0.3

DEVICES: dict[str, dict[str, Any]] = {
    "home-battery": {"capacity_wh": 6400, "charge_w": 3000, "discharge_w": 3300, "reserve": RESERVE},
    "battery-backup-unit": {"capacity_wh": 240, "charge_w": 240, "discharge_w": 3000, "reserve": RESERVE},
    "flywheel": {"reserve": RESERVE},
    "ups": {"capacity_wh": 500, "charge_w": 100, "discharge_w": 1000, "reserve": RESERVE, **USE},
    "rack-power-unit": {
        "capacity_wh": 60,
        "charge_w": 600,
        "discharge_w": 1500,
        "initial_state_of_charge": 0.9,
        "low_load_w": 400,
        "reserve": RESERVE,
        **USE,
    },
    "dc-bus": {
        "assemblies": [[5000, 2500, 2500], [3000, 1000, 1500]],
        "inverter_w": 4000,
        "reserve": RESERVE,
    },
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


def node_of(types: list[str], speed: float, limit_w: float) -> ControlConfig:
    """A node with these devices behind a connection of `limit_w` both ways."""
    return parse_config(
        {
            "data_dir": ".",
            "interval_s": 900,
            "clock": {"start_wall_ns": 0, "epoch_ns": 0, "speed": speed},
            "connection": {"minimum_w": -limit_w, "maximum_w": limit_w},
            "ders": [{"type": name, "name": name, **DEVICES[name]} for name in types],
        }
    )
