"""The simulated devices that a configuration asks for."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from devices.cell_clock import Instant
from devices.configuration.control_config import BatteryConfig, ControlConfig, ModelConfig, ReplayedConfig
from devices.configuration.reversions import reversions
from devices.der import Der, Nameplate
from devices.errors import ConfigurationError
from devices.image import DerKind
from devices.messages.sensor_port import ExpansionPort
from devices.models.model import Surroundings
from devices.models.simulation import Simulation
from devices.profiles import Profile, Series
from devices.simulated.battery import SimulatedBattery
from devices.simulated.load import SimulatedLoad
from devices.simulated.modelled import AttachedLoad, ModelledDer
from devices.simulated.pv import SimulatedPv


def build_ders(
    config: ControlConfig,
    profile: Profile | None,
    stored_wh: Mapping[str, float],
    start: Instant,
    energised: Callable[[], bool] = lambda: True,
) -> tuple[Der, ...]:
    """Every simulated device of the configuration, beginning at `start`; modelled ones notice a bus that is not
    `energised`.

    `stored_wh` is what batteries held when last seen; one that is not in it begins at its initial state of
    charge. Raises ConfigurationError when the profile needs more power than a device has.
    """
    others = {each.name for each in config.models} | {each.name for each in config.hardware}
    batteries: tuple[Der, ...] = tuple(
        _battery(battery, stored_wh, start) for battery in config.batteries if battery.name not in others
    )
    batteries += tuple(
        der for each in config.models for der in _modelled(each, config, stored_wh, start, energised)
    )
    if profile is None:
        return batteries
    return batteries + tuple(_replayed(each, profile, config, start) for each in config.replayed)


def _battery(config: BatteryConfig, stored_wh: Mapping[str, float], start: Instant) -> SimulatedBattery:
    nameplate = Nameplate(
        kind=DerKind.BATTERY,
        minimum_w=-config.charge_w,
        maximum_w=config.discharge_w,
        capacity_wh=config.capacity_wh,
        charge_efficiency=config.charge_efficiency,
        discharge_efficiency=config.discharge_efficiency,
        ramp_w_per_s=config.ramp_w_per_s,
        response_s=config.response_s,
    )
    held_wh = stored_wh.get(config.name, config.initial_state_of_charge * config.capacity_wh)
    stored = min(max(held_wh, 0.0), config.capacity_wh)
    return SimulatedBattery(config.name, nameplate, stored, config.reversion_w, start)


def _modelled(
    each: ModelConfig,
    config: ControlConfig,
    stored_wh: Mapping[str, float],
    start: Instant,
    energised: Callable[[], bool],
) -> tuple[Der, ...]:
    """The device and, where it feeds one, the load behind it."""
    reversion_w = reversions(config)[each.name]
    held_wh = stored_wh.get(each.name)
    simulation = Simulation(
        each.model, _on_a_bus(surroundings(config), energised), reversion_w, start, held_wh
    )
    der = ModelledDer(each.name, simulation)
    return (der,) if each.feeds is None else (der, AttachedLoad(each.feeds, simulation))


def surroundings(config: ControlConfig) -> Callable[[int], Surroundings]:
    """What acts on the models at a cell time: the site, with the temperature that outdoor sensors show."""
    port = ExpansionPort(config.sensors, max_age_ns=0)
    return lambda cell_ns: port.observed(config.site.at(cell_ns), 0)


def _on_a_bus(
    around: Callable[[int], Surroundings], energised: Callable[[], bool]
) -> Callable[[int], Surroundings]:
    """The surroundings on a bus that may be dead: there is no mains then, and no inverter feeds it from the sun."""

    def at(cell_ns: int) -> Surroundings:
        found = around(cell_ns)
        return found if energised() else replace(found, mains=False, irradiance_w_m2=0.0)

    return at


def _replayed(each: ReplayedConfig, profile: Profile, config: ControlConfig, start: Instant) -> Der:
    is_pv = each.kind is DerKind.PV
    series = profile.pv if is_pv else profile.load
    peak_w = _peak_w(series)
    if peak_w > each.maximum_w:
        raise ConfigurationError(
            (
                f"ders {each.name!r}: maximum_w: the profile needs {peak_w:g} W, more than {each.maximum_w:g} W",
            )
        )
    nameplate = Nameplate(
        kind=each.kind,
        minimum_w=0.0 if is_pv else -each.maximum_w,
        maximum_w=each.maximum_w if is_pv else 0.0,
        capacity_wh=None,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        ramp_w_per_s=None,
        response_s=0.0,
    )
    if not is_pv:
        return SimulatedLoad(each.name, nameplate, series, start)
    return SimulatedPv(each.name, nameplate, series, reversions(config)[each.name], start)


def _peak_w(series: Series) -> float:
    return max(power_w for edge in series.edges[:-1] if (power_w := series.power_w(edge)) is not None)
