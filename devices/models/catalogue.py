"""Every device type that a configuration can name, its keys with limits and defaults, and the model it makes.

Power in W, energy in Wh, hours of the UTC day. A default of None is an option that is off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devices.circuit_protection import Curve, Rating
from devices.fields import Fields
from devices.models import catalogue_keys as keys
from devices.models.appliance import DISHWASHER, Appliance
from devices.models.catalogue_keys import Key, daily_use
from devices.models.dc_bus import DcBus
from devices.models.dc_socket import DcSocket
from devices.models.ev_charger import EvCharger
from devices.models.flywheel import Flywheel
from devices.models.fuelled_generator import FuelledGenerator
from devices.models.heat_pump import HeatPump
from devices.models.lithium_battery import LithiumBattery
from devices.models.load_circuit import LoadCircuit
from devices.models.model import AnyModel
from devices.models.rack_power_unit import RackPowerUnit
from devices.models.sun_and_wind import SolarArray, WindTurbine
from devices.models.ups import Topology, Ups
from devices.tier import Tier


@dataclass(frozen=True, slots=True)
class DeviceType:
    """One type: what it is in a few words, its keys, and how a model is made of their values."""

    name: str
    what: str
    keys: tuple[Key, ...]
    build: Callable[[Mapping[str, Any]], AnyModel]


def parse_model(fields: Fields, device_type: DeviceType) -> AnyModel | None:
    """The model that a device's table describes; None when one of its keys is wrong (see `fields.problems`)."""
    known = len(fields.problems)
    values = {key.name: key.read(fields) for key in device_type.keys}
    if len(fields.problems) > known:
        return None
    try:
        return device_type.build(values)
    except ValueError as error:
        fields.problem("type", f"{device_type.name}: {error}")
        return None


def _home_battery(values: Mapping[str, Any]) -> AnyModel:
    return LithiumBattery(**values)


def _battery_backup_unit(values: Mapping[str, Any]) -> AnyModel:
    return LithiumBattery(**values)


def _flywheel(values: Mapping[str, Any]) -> AnyModel:
    if values["lowest_rpm"] >= values["highest_rpm"]:
        raise ValueError("lowest_rpm must be below highest_rpm")
    return Flywheel(**values)


def _ups(values: Mapping[str, Any]) -> AnyModel:
    rest = {name: value for name, value in values.items() if name not in keys.USE_NAMES}
    return Ups(**{**rest, "topology": Topology(values["topology"])}, use=daily_use(values))


def _rack(values: Mapping[str, Any]) -> AnyModel:
    if values["low"] >= values["high"]:
        raise ValueError("low must be below high")
    rest = {name: value for name, value in values.items() if name not in keys.USE_NAMES}
    return RackPowerUnit(**rest, use=daily_use(values))


def _dc_bus(values: Mapping[str, Any]) -> AnyModel:
    if not values["assemblies"]:
        raise ValueError("assemblies must name at least one battery")
    initial = values["initial_state_of_charge"]
    assemblies = tuple(
        LithiumBattery(capacity_wh, charge_w, discharge_w, initial_state_of_charge=initial)
        for capacity_wh, charge_w, discharge_w in values["assemblies"]
    )
    named = ("assemblies", "initial_state_of_charge")
    return DcBus(assemblies, **{name: value for name, value in values.items() if name not in named})


def _generator(values: Mapping[str, Any]) -> AnyModel:
    if values["minimum_w"] > values["rated_w"]:
        raise ValueError("minimum_w must not be above rated_w")
    if values["efficiency"] + values["heat_efficiency"] > 1:
        raise ValueError("efficiency and heat_efficiency together must not be above 1")
    return FuelledGenerator(**values)


def _solar(values: Mapping[str, Any]) -> AnyModel:
    return SolarArray(**values)


def _wind(values: Mapping[str, Any]) -> AnyModel:
    if not values["cut_in_m_s"] < values["rated_m_s"] < values["cut_out_m_s"]:
        raise ValueError("cut_in_m_s, rated_m_s and cut_out_m_s must rise in this order")
    return WindTurbine(**values)


def _ev_charger(values: Mapping[str, Any]) -> AnyModel:
    if values["target_state_of_charge"] < values["arrival_state_of_charge"]:
        raise ValueError("target_state_of_charge must not be below arrival_state_of_charge")
    charger = EvCharger(**values)
    if charger.least_w > charger.maximum_w:
        raise ValueError(
            f"minimum_a on {charger.phases} phases are {charger.least_w:g} W, more than maximum_w"
        )
    return charger


def _circuit(values: Mapping[str, Any]) -> AnyModel:
    rated_a = values["rated_a"]
    rating = None
    if rated_a is not None:
        rating = Rating(
            rated_a,
            Curve[values["curve"]],
            values["residual_a"],
            values["limit_c"],
            values["keeps_when_blind"],
        )
    named = ("efficiency", "standby_w", "lowest_level", "volt", "faults")
    rest = {name: values[name] for name in named}
    return LoadCircuit(**rest, tier=Tier(values["tier"]), use=daily_use(values), rating=rating)


def _dc_socket(values: Mapping[str, Any]) -> AnyModel:
    rest = {name: value for name, value in values.items() if name not in keys.USE_NAMES}
    return DcSocket(**rest, use=daily_use(values))


def _heat_pump(values: Mapping[str, Any]) -> AnyModel:
    if not values["room_c"] < values["comfort_c"] <= values["from_c"] < values["to_c"]:
        raise ValueError("room_c, comfort_c, from_c and to_c must rise in this order")
    rest = {name: value for name, value in values.items() if name not in keys.USE_NAMES}
    return HeatPump(**rest, use=daily_use(values))


def _appliance(values: Mapping[str, Any]) -> AnyModel:
    programme = tuple((minutes, phase_w) for minutes, phase_w in values["programme"]) or DISHWASHER
    return Appliance(**{**values, "programme": programme})


TYPES: Mapping[str, DeviceType] = {
    each.name: each
    for each in (
        DeviceType("home-battery", "lithium-ion storage of a home", keys.home_battery(), _home_battery),
        DeviceType(
            "battery-backup-unit", "lithium-ion storage of a rack", keys.backup_unit(), _battery_backup_unit
        ),
        DeviceType("flywheel", "a rotor with its power electronics", keys.flywheel(), _flywheel),
        DeviceType("ups", "uninterruptible supply and the load behind it", keys.ups(), _ups),
        DeviceType("rack-power-unit", "a rack's shelf with a small storage module", keys.rack(), _rack),
        DeviceType("dc-bus", "battery assemblies on one bus and inverter", keys.dc_bus(), _dc_bus),
        DeviceType("solar", "a solar array under a clear or hazy sky", keys.solar(), _solar),
        DeviceType("wind", "a wind turbine", keys.wind(), _wind),
        DeviceType("backup-generator", "a diesel set", keys.backup_generator(), _generator),
        DeviceType("combined-heat-and-power", "a gas engine with heat", keys.heat_and_power(), _generator),
        DeviceType("fuel-cell", "a fuel cell with heat", keys.fuel_cell(), _generator),
        DeviceType("ev-charger", "a car that plugs in every day", keys.ev_charger(), _ev_charger),
        DeviceType("circuit", "a load circuit that switches, AC or DC", keys.circuit(), _circuit),
        DeviceType("lighting", "a lighting circuit that dims", keys.lighting(), _circuit),
        DeviceType("switch", "a retrofit switch or plug and what is behind it", keys.switch(), _circuit),
        DeviceType("dc-socket", "a USB Power Delivery socket and its device", keys.dc_socket(), _dc_socket),
        DeviceType("heat-pump", "heat pump, store and thermostat", keys.heat_pump(), _heat_pump),
        DeviceType(
            "appliance", "a programme to start any time before a deadline", keys.appliance(), _appliance
        ),
    )
}
"""By the name that `type` gives in a configuration."""
