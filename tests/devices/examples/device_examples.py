"""One configuration of every device type, as it stands in a file, and its simulation."""

from typing import Any

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig, parse_config
from devices.der import Der
from devices.opening.simulated_devices import build_ders
from sim.device_faults.sites import DEVICES

HOUR_NS = 3_600 * 10**9
NOON_NS = 12 * HOUR_NS
"""Cell time of the examples' start: the sun shines and every daily use of them is on."""

EXAMPLES: dict[str, dict[str, Any]] = {
    name: {key: value for key, value in table.items() if key != "reserve"} for name, table in DEVICES.items()
}
"""Those that the search of failing devices takes, but with nothing kept for their owner."""
EXAMPLES["ups"]["initial_state_of_charge"] = 0.5


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
