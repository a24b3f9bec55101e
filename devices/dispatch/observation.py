"""From a process image to the inputs of the dispatch and to the report for the daemon. W, Wh, injection
positive.

What is missing, stale or implausible is passed on as unknown, and the dispatch takes the unknown at its
worst.
"""

from dataclasses import dataclass, replace

from devices.configuration.control_config import BatteryConfig, ControlConfig, metered
from devices.dispatch.cycle_record import CycleRecord
from devices.dispatch.dispatch import DispatchInput, FollowPosition, NetToZero, Wish
from devices.image import DerKind, DeviceImage, ProcessImage, Reading, Supply
from devices.limits import PowerRange, narrow
from devices.messages.control_messages import DeviceReport, ImageReport, Mode, SensorReport
from devices.messages.sensor_port import MEASURED, ExpansionPort, warning
from devices.power.allocation import PvInput
from devices.power.preparing import Preparing
from devices.power.reserve import BatteryInput
from devices.resilience.islanding import GridReading
from devices.resilience.synchronising import TwoSides
from devices.response.fast_response import Activation, Arming, ResponseInput

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Commission:
    """What control has been asked for in this cycle: mode, limits by lease (None: only its own), wish, armed
    services and the shares of requests in them, and what an island lets batteries do (None: everything) with
    whose reserve. Services may not use `private` batteries. `preparing`: what readiness wishes of the batteries.
    """

    mode: Mode
    limits: PowerRange | None
    wish: Wish
    armed: tuple[Arming, ...] = ()
    activations: tuple[Activation, ...] = ()
    island: PowerRange | None = None
    reserve_released: bool = False
    private: frozenset[str] = frozenset()
    preparing: Preparing | None = None


def observe(image: ProcessImage, config: ControlConfig, commission: Commission) -> DispatchInput:
    """Everything the dispatch decides from."""
    devices = {device.name: device for device in image.devices}
    age_ns = config.reading_age_ms * NS_PER_MS
    now_ns = image.time.real_ns
    pv: list[PvInput] = []
    least_w = most_w = 0.0
    for each in metered(config):
        device = devices[each.name]
        if each.kind is DerKind.PV:
            pv.append(PvInput(each.name, each.maximum_w, device.available_w.usable(now_ns, age_ns)))
            continue
        passing_w = device.power_w.usable(now_ns, age_ns)
        least_w += each.minimum_w if passing_w is None else passing_w
        most_w += each.maximum_w if passing_w is None else passing_w
    limits = config.connection if commission.limits is None else commission.limits
    return DispatchInput(
        locked=commission.mode is not Mode.GRID_SUPPORT,
        curtailed=commission.mode is Mode.EMERGENCY_STOP,
        batteries=tuple(
            replace(
                _battery(battery, devices[battery.name], now_ns, age_ns),
                reserve_released=commission.reserve_released,
                for_services=battery.name not in commission.private,
            )
            for battery in config.batteries
        ),
        pv=tuple(pv),
        load=PowerRange(least_w, most_w),
        batteries_w=_sum_w(tuple(devices[battery.name] for battery in config.batteries), now_ns, age_ns),
        connection=narrow(config.connection, limits)[0],
        wish=commission.wish,
        horizon_s=config.command_lease_ms / 1000 * config.clock.speed,
        response=_response(image, config, commission),
        island=_island(config, commission),
        preparing=commission.preparing,
    )


def report(record: CycleRecord, image: ProcessImage, config: ControlConfig, mode: Mode) -> ImageReport:
    """What the daemon is shown of a cycle."""
    inputs = record.inputs
    age_ns = config.reading_age_ms * NS_PER_MS
    now_ns = image.time.real_ns
    return ImageReport(
        real_ns=now_ns,
        cell_ns=image.time.cell_ns,
        interval=image.time.cell_ns // (config.interval_s * 1_000_000_000),
        connection_w=_sum_w(image.devices, now_ns, age_ns),
        chargeable_wh=_total(tuple(battery.chargeable_wh for battery in inputs.batteries)),
        dischargeable_wh=_total(
            tuple(battery.dischargeable_wh(battery.reserve_wh) for battery in inputs.batteries)
        ),
        mode=mode,
        wish=_name(inputs.wish),
        binding=record.decision.binding.value,
        settled=record.settled,
        devices=tuple(
            DeviceReport(
                name=device.name,
                kind=device.kind,
                power_w=device.power_w.usable(now_ns, age_ns),
                setpoint_w=device.setpoint_w.usable(now_ns, age_ns),
                stored_wh=device.stored_wh.usable(now_ns, age_ns),
                available_w=device.available_w.usable(now_ns, age_ns),
            )
            for device in image.devices
        ),
        sensors=_sensors(config, image),
    )


def _sensors(config: ControlConfig, image: ProcessImage) -> tuple[SensorReport, ...]:
    port = ExpansionPort(config.sensors, config.reading_age_ms * NS_PER_MS)
    return tuple(
        SensorReport(each.name, each.kind, each.reading.value, MEASURED[each.kind].unit, warning(each) or "")
        for each in port.readings(image.time.cell_ns, image.time.real_ns)
    )


def _island(config: ControlConfig, commission: Commission) -> PowerRange | None:
    """What the island allows of the hardware there is: finite, as it is recorded."""
    if commission.island is None:
        return None
    charge_w = sum(battery.charge_w for battery in config.batteries)
    discharge_w = sum(battery.discharge_w for battery in config.batteries)
    return narrow(PowerRange(-charge_w, discharge_w), commission.island)[0]


def grid_reading(image: ProcessImage, max_age_ns: int) -> GridReading:
    """What the meter shows of the grid; a breaker counts only beside a fresh voltage."""
    fed = _fed(image, max_age_ns)
    if image.grid is None:
        return GridReading(None, None, fed=fed)
    voltage_pu = image.grid.voltage_pu.usable(image.time.real_ns, max_age_ns)
    return GridReading(
        image.grid.frequency_hz.usable(image.time.real_ns, max_age_ns),
        voltage_pu,
        None if voltage_pu is None else image.grid.breaker_closed,
        _known(image.grid.public_frequency_hz, image, max_age_ns),
        _known(image.grid.public_voltage_pu, image, max_age_ns),
        fed,
    )


def two_sides(image: ProcessImage, max_age_ns: int) -> TwoSides:
    """What a synchroscope would show, island minus public grid; unknown where either side is."""
    reading = grid_reading(image, max_age_ns)
    angle = None if image.grid is None else _known(image.grid.angle_degrees, image, max_age_ns)
    return TwoSides(
        _less(reading.frequency_hz, reading.public_frequency_hz),
        _less(reading.voltage_pu, reading.public_voltage_pu),
        angle,
    )


def _known(reading: Reading | None, image: ProcessImage, max_age_ns: int) -> float | None:
    return None if reading is None else reading.usable(image.time.real_ns, max_age_ns)


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _fed(image: ProcessImage, max_age_ns: int) -> bool | None:
    """What the UPSs say: a single one that differs may have lost its own fuse, and then nothing is proven."""
    known = {
        device.supply is Supply.MAINS
        for device in image.devices
        if device.supply not in (None, Supply.UNKNOWN)
        and image.time.real_ns - device.power_w.real_ns <= max_age_ns
    }
    return known.pop() if len(known) == 1 else None


def _response(image: ProcessImage, config: ControlConfig, commission: Commission) -> ResponseInput:
    now_ns, age_ns = image.time.real_ns, config.reading_age_ms * NS_PER_MS
    grid = image.grid
    return ResponseInput(
        frequency_hz=None if grid is None else grid.frequency_hz.usable(now_ns, age_ns),
        voltage_pu=None if grid is None else grid.voltage_pu.usable(now_ns, age_ns),
        armed=commission.armed,
        mandatory=config.mandatory,
        activations=commission.activations,
    )


def _battery(config: BatteryConfig, device: DeviceImage, now_ns: int, age_ns: int) -> BatteryInput:
    stored_wh = device.stored_wh.usable(now_ns, age_ns)
    state_of_charge = device.state_of_charge.usable(now_ns, age_ns)
    if state_of_charge is None or not 0 <= state_of_charge <= 1:
        stored_wh = None
    if stored_wh is not None and not 0 <= stored_wh <= config.capacity_wh:
        stored_wh = None
    built = PowerRange(-config.charge_w, config.discharge_w)
    admitted = built if device.possible is None else narrow(built, device.possible)[0]
    return BatteryInput(
        name=config.name,
        minimum_w=min(0.0, admitted.minimum_w),
        maximum_w=max(0.0, admitted.maximum_w),
        capacity_wh=config.capacity_wh,
        charge_efficiency=config.charge_efficiency,
        discharge_efficiency=config.discharge_efficiency,
        reserve_wh=config.reserve * config.capacity_wh,
        reversion_w=config.reversion_w,
        stored_wh=stored_wh,
        built=built,
    )


def _sum_w(devices: tuple[DeviceImage, ...], now_ns: int, age_ns: int) -> float | None:
    return _total(tuple(device.power_w.usable(now_ns, age_ns) for device in devices))


def _total(values: tuple[float | None, ...]) -> float | None:
    known = tuple(value for value in values if value is not None)
    return sum(known) if len(known) == len(values) else None


def _name(wish: Wish) -> str:
    if isinstance(wish, FollowPosition):
        return "position"
    return "self-consumption" if isinstance(wish, NetToZero) else "safe-state"
