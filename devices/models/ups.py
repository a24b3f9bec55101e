"""An uninterruptible power supply with the load it protects. W and Wh, injection positive.

Its setpoint is the power of its storage as the mains sees it: discharging carries part of the protected load,
never more (it does not feed back). The load itself draws through the UPS, whatever the setpoint.

When the mains fails, a double-conversion unit carries the load without a gap; a line-interactive one after its
transfer time, which the energy in the load's own DC bus bridges. What neither bridges is load that was lost.

Sources: IEC 62040-3 (classes VFI, double conversion, no transfer time; VI, line-interactive, at most 10 ms);
efficiencies of 95 % and 98 %: EU code of conduct for UPS, and vendors' data sheets at 50 % load; a DC bus that
holds up full load for 20 ms: the ITI (CBEMA) curve, 2000.
"""

from dataclasses import dataclass, replace
from enum import Enum

from devices.der import Nameplate
from devices.image import DerKind
from devices.limits import PowerRange
from devices.models.daily_use import DailyUse
from devices.models.model import SECONDS_PER_HOUR, Flow, Status, Surroundings, energy_wh, power_w


class Topology(Enum):
    """How the load is fed while there is mains."""

    DOUBLE_CONVERSION = "double-conversion"
    LINE_INTERACTIVE = "line-interactive"


PASS_EFFICIENCY = {Topology.DOUBLE_CONVERSION: 0.95, Topology.LINE_INTERACTIVE: 0.98}
"""What of the power drawn reaches the load while there is mains."""
TRANSFER_S = {Topology.DOUBLE_CONVERSION: 0.0, Topology.LINE_INTERACTIVE: 0.006}
"""How long the load's bus is alone when the mains fails."""

BUS_CHARGING = 0.1
"""The bus charges again with this part of the largest load, besides feeding it."""


@dataclass(frozen=True, slots=True)
class Ups:
    """Parameters. `use`: the protected load. `bus_j`: usable energy of the DC bus behind the transfer."""

    topology: Topology
    capacity_wh: float
    charge_w: float
    discharge_w: float
    use: DailyUse
    charge_efficiency: float = 0.93
    discharge_efficiency: float = 0.93
    initial_state_of_charge: float = 1.0
    standby_w: float = 5.0
    bus_j: float | None = None
    step_s: float = 1.0

    @property
    def nameplate(self) -> Nameplate:
        """What the storage is built for; it gives at most what the load ever uses."""
        return Nameplate(
            kind=DerKind.BATTERY,
            minimum_w=-self.charge_w,
            maximum_w=min(self.discharge_w, self.use.most_w),
            capacity_wh=self.capacity_wh,
            charge_efficiency=self.charge_efficiency,
            discharge_efficiency=self.discharge_efficiency,
            ramp_w_per_s=None,
            response_s=TRANSFER_S[self.topology],
        )

    @property
    def full_bus_wh(self) -> float:
        """Energy of the charged bus: as told, or what carries the largest load for 20 ms."""
        joules = 0.020 * self.use.most_w if self.bus_j is None else self.bus_j
        return joules / SECONDS_PER_HOUR

    def begin(self, stored_wh: float | None) -> "UpsState":
        """On mains with a charged bus."""
        held_wh = self.initial_state_of_charge * self.capacity_wh if stored_wh is None else stored_wh
        return UpsState(min(max(held_wh, 0.0), self.capacity_wh), self.full_bus_wh)

    def held_wh(self, state: "UpsState") -> float:
        """Storage and bus."""
        return state.stored_wh + state.bus_wh

    def status(self, state: "UpsState", around: Surroundings) -> Status:
        """During an outage no power passes the terminals, so none is possible."""
        return Status(
            possible=self._admitted(state, around),
            stored_wh=state.stored_wh,
            state_of_charge=state.stored_wh / self.capacity_wh,
        )

    def step(
        self, state: "UpsState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["UpsState", Flow]:
        """On mains the load passes through and the storage follows the wish; otherwise it carries the load."""
        standby_wh = min(energy_wh(self.standby_w, dt_s), state.stored_wh)
        held = replace(state, stored_wh=state.stored_wh - standby_wh)
        carry = self._on_mains if around.mains else self._in_outage
        after, flow = carry(held, wish_w, around, dt_s)
        return after, replace(flow, loss_w=flow.loss_w + power_w(standby_wh, dt_s))

    def _admitted(self, state: "UpsState", around: Surroundings) -> PowerRange:
        if not around.mains:
            return PowerRange(0.0, 0.0)
        return PowerRange(
            -self.charge_w if state.stored_wh < self.capacity_wh else 0.0,
            min(self.discharge_w, self.use.at(around.cell_ns)) if state.stored_wh > 0 else 0.0,
        )

    def _on_mains(
        self, state: "UpsState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["UpsState", Flow]:
        target_w = self._admitted(state, around).clip(wish_w)
        wanted_wh = energy_wh(target_w, dt_s)
        if wanted_wh > 0:
            given_wh = min(wanted_wh, state.stored_wh * self.discharge_efficiency)
            taken_wh = min(state.stored_wh, given_wh / self.discharge_efficiency)
        else:
            room_wh = self.capacity_wh - state.stored_wh
            given_wh = -min(-wanted_wh, room_wh / self.charge_efficiency)
            taken_wh = max(given_wh * self.charge_efficiency, -room_wh)
        load_w = self.use.at(around.cell_ns)
        drawn_w = load_w / PASS_EFFICIENCY[self.topology]
        bus_wh = min(self.full_bus_wh - state.bus_wh, energy_wh(BUS_CHARGING * self.use.most_w, dt_s))
        flow = Flow(
            terminal_w=power_w(given_wh, dt_s),
            attached_w=-drawn_w - power_w(bus_wh, dt_s),
            useful_w=load_w,
            loss_w=max(0.0, power_w(taken_wh - given_wh, dt_s)) + drawn_w - load_w,
        )
        stored_wh = min(max(state.stored_wh - taken_wh, 0.0), self.capacity_wh)
        return replace(state, stored_wh=stored_wh, bus_wh=state.bus_wh + bus_wh, outage_s=0.0), flow

    def _in_outage(
        self, state: "UpsState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["UpsState", Flow]:
        """First the bus alone until the transfer is done, then the storage up to its rating."""
        load_w = self.use.at(around.cell_ns)
        alone_s = min(max(0.0, TRANSFER_S[self.topology] - state.outage_s), dt_s)
        from_bus_wh = min(energy_wh(load_w, alone_s), state.bus_wh)
        carried_w = load_w if load_w <= self.discharge_w else 0.0
        most_wh = state.stored_wh * self.discharge_efficiency
        from_store_wh = min(energy_wh(carried_w, dt_s - alone_s), most_wh)
        taken_wh = min(state.stored_wh, from_store_wh / self.discharge_efficiency)
        served_wh = from_bus_wh + from_store_wh
        after = UpsState(
            stored_wh=max(0.0, state.stored_wh - taken_wh),
            bus_wh=state.bus_wh - from_bus_wh,
            outage_s=state.outage_s + dt_s,
            lost_wh=state.lost_wh + max(0.0, energy_wh(load_w, dt_s) - served_wh),
        )
        loss_w = max(0.0, power_w(taken_wh - from_store_wh, dt_s))
        return after, Flow(terminal_w=0.0, useful_w=power_w(served_wh, dt_s), loss_w=loss_w)


@dataclass(frozen=True, slots=True)
class UpsState:
    """Energy in storage and bus, seconds since the mains failed (0 while it is there), and load lost so far."""

    stored_wh: float
    bus_wh: float
    outage_s: float = 0.0
    lost_wh: float = 0.0
