"""Shell: the real devices that a configuration asks for, each with the thread that talks to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig
from devices.configuration.hardware_config import DSMR, MQTT, NUT, SUNSPEC_METER, HardwareConfig
from devices.configuration.reversions import reversions
from devices.drivers.hardware import Hardware
from devices.drivers.polled import PolledDer
from devices.dsmr.meter import SmartMeter, Source
from devices.nut.ups import NutUps

MS_PER_S = 1000
FIRST_ANSWER_S = 2.0
"""How long control waits in the beginning, so that a device that is there is not reported as silent."""


@contextmanager
def real_ders(config: ControlConfig, clock: Callable[[], Instant]) -> Iterator[tuple[PolledDer, ...]]:
    """The real devices while they are used; in the end each is given the setpoint it was commanded last."""
    reversion_w = reversions(config)
    ders = tuple(connect(each, reversion_w.get(each.name, 0.0), clock) for each in config.hardware)
    try:
        for der in ders:
            der.refresh(FIRST_ANSWER_S)
        yield ders
    finally:
        for der in ders:
            der.close()


def connect(config: HardwareConfig, reversion_w: float, clock: Callable[[], Instant]) -> PolledDer:
    """One real device; whether it answers shows in what it measures."""
    hardware = open_hardware(config, reversion_w)
    return PolledDer(config.name, config.nameplate, hardware, clock, reversion_w, config.poll_ms / MS_PER_S)


def open_hardware(config: HardwareConfig, reversion_w: float) -> Hardware:
    """The way to one real device, for whoever talks to it alone; it connects when it is first used.

    `reversion_w` is what a device without a timer of its own is left with when the connection ends.
    """
    if config.driver == DSMR:
        return SmartMeter(config.name, source_of(config), config.report_s)
    if config.driver == NUT:
        timeout_s = config.timeout_ms / MS_PER_S
        return NutUps(config.name, config.nameplate, config.host, config.port, config.ups, timeout_s)
    # Imported here, because they take a tenth of a second that a node without real devices can save.
    if config.driver == MQTT:
        from devices.broker.device import MqttDevice, broker_of

        assert config.topics is not None
        return MqttDevice(config.name, config.nameplate, broker_of(config), config.topics, reversion_w)
    from devices.modbus.link import ModbusLink
    from devices.sunspec.inverter import SunSpecInverter
    from devices.sunspec.meter import SunSpecMeter

    link = ModbusLink(config.host, config.port, config.unit, config.timeout_ms / MS_PER_S)
    if config.driver == SUNSPEC_METER:
        return SunSpecMeter(config.name, link, config.drawn_positive)
    return SunSpecInverter(config.name, config.nameplate, link)


def source_of(config: HardwareConfig) -> Source:
    """Where the telegrams of a smart meter come from."""
    return Source(config.host, config.port, config.timeout_ms / MS_PER_S, config.serial)
