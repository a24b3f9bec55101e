"""The owner's reserve, changed while control runs: it replaces what the configuration says of one battery."""

from dataclasses import replace

from devices.configuration.control_config import ControlConfig
from devices.leases import Refused
from devices.messages.control_messages import SetReserve


def with_reserve(config: ControlConfig, wanted: SetReserve) -> ControlConfig | Refused:
    """The configuration with another reserve of one battery, or why not."""
    if not 0 <= wanted.share <= 1:
        return Refused("a reserve is a part of the capacity, from 0 to 1")
    if all(battery.name != wanted.device for battery in config.batteries):
        return Refused(f"{wanted.device} is no battery of this node")
    batteries = tuple(
        replace(battery, reserve=wanted.share) if battery.name == wanted.device else battery
        for battery in config.batteries
    )
    return replace(config, batteries=batteries)
