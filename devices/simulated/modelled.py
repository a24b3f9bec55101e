"""Modelled devices behind the DER protocol: one view of a simulation for its terminals, one for the load behind it.

W, injection positive. Leases run in real time and the driver itself enforces them; physics runs in cell time.
"""

from typing import Any

from devices.cell_clock import Instant
from devices.der import Nameplate
from devices.image import CircuitReadings, DerKind, DeviceImage, Reading, UnitCondition
from devices.leases import Answer, Lease, Refused
from devices.models.load_circuit import LoadCircuit
from devices.models.model import AnyModel
from devices.models.rack_power_unit import RackPowerUnit
from devices.models.simulation import Simulation
from devices.models.ups import PASS_EFFICIENCY, Ups


class ModelledDer:
    """A simulated DER of the kind its model's nameplate says; see the DER protocol."""

    def __init__(self, name: str, simulation: Simulation[Any]) -> None:
        self._name = name
        self.simulation = simulation

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """What the device is built for."""
        return self.simulation.nameplate

    def measure(self, now: Instant) -> DeviceImage:
        """Let the device work until `now` and read it. What it gives or would give is in `possible`."""
        self.simulation.advance(now)
        status = self.simulation.status
        real_ns = now.real_ns
        kind = self.nameplate.kind
        gives = kind in (DerKind.PV, DerKind.GENERATOR)
        missing = Reading.missing(real_ns)
        return DeviceImage(
            name=self._name,
            kind=kind,
            power_w=Reading.of(self.simulation.flow.terminal_w, real_ns),
            setpoint_w=Reading.of(self.simulation.setpoint_w(now), real_ns),
            stored_wh=missing if status.stored_wh is None else Reading.of(status.stored_wh, real_ns),
            state_of_charge=missing
            if status.state_of_charge is None
            else Reading.of(status.state_of_charge, real_ns),
            available_w=Reading.of(status.possible.maximum_w, real_ns) if gives else missing,
            counter=self.simulation.terminal,
            possible=status.possible,
            circuit=self._circuit(now),
            condition=self._condition(now),
        )

    def _condition(self, now: Instant) -> UnitCondition | None:
        """What health judges of a battery: cell temperature and what is left of its capacity."""
        status = self.simulation.status
        if status.state_of_health is None or status.temperature_c is None:
            return None
        return UnitCondition(
            temperature_c=Reading.of(status.temperature_c, now.real_ns),
            state_of_health=Reading.of(status.state_of_health, now.real_ns),
            voltage_v=None if status.volt is None else Reading.of(status.volt, now.real_ns),
            current_a=None if status.ampere is None else Reading.of(status.ampere, now.real_ns),
            nominal_v=status.nominal_v,
        )

    def _circuit(self, now: Instant) -> CircuitReadings | None:
        """What protection reads of a circuit; it is on as long as anything is allowed."""
        model = self.simulation.model
        if not isinstance(model, LoadCircuit):
            return None
        drawn_w = max(0.0, -self.simulation.flow.terminal_w)
        on = self.simulation.setpoint_w(now) < 0
        return model.readings(self.simulation.around, drawn_w, on, now.real_ns)

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Take a setpoint, of the meaning that the device's kind gives it."""
        return self.simulation.command(lease, now)


class AttachedLoad:
    """The load behind a UPS or a rack's power unit: metered, must run, and takes no setpoint."""

    def __init__(self, name: str, simulation: Simulation[Any]) -> None:
        """`simulation` is of a device that feeds a load (ValueError)."""
        self._name = name
        self._simulation = simulation
        self._nameplate = fed_nameplate(simulation.model)

    @property
    def name(self) -> str:
        """Unique among the devices of a node."""
        return self._name

    @property
    def nameplate(self) -> Nameplate:
        """What it can draw at most, conversion losses and the recharging of a bus included."""
        return self._nameplate

    def measure(self, now: Instant) -> DeviceImage:
        """Let both work until `now` and read the load's meter."""
        self._simulation.advance(now)
        missing = Reading.missing(now.real_ns)
        return DeviceImage(
            name=self._name,
            kind=DerKind.LOAD,
            power_w=Reading.of(self._simulation.flow.attached_w, now.real_ns),
            setpoint_w=missing,
            stored_wh=missing,
            state_of_charge=missing,
            available_w=missing,
            counter=self._simulation.attached,
        )

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Refused: what is protected is not steered."""
        return Refused("must-run loads take no setpoint")


def fed_nameplate(model: AnyModel) -> Nameplate:
    """The nameplate of the load behind a UPS or a rack's power unit; ValueError for a model that feeds none.

    A quarter is added for the first moments after an outage, when a bus charges again.
    """
    if isinstance(model, Ups):
        efficiency = PASS_EFFICIENCY[model.topology]
    elif isinstance(model, RackPowerUnit):
        efficiency = model.shelf_efficiency
    else:
        raise ValueError(f"a {type(model).__name__} feeds no load")
    return Nameplate(
        kind=DerKind.LOAD,
        minimum_w=-1.25 * model.use.most_w / efficiency,
        maximum_w=0.0,
        capacity_wh=None,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        ramp_w_per_s=None,
        response_s=0.0,
    )
