"""A DC socket that speaks USB Power Delivery, with a device in it. W and Wh, withdrawal negative.

A setpoint is the most the socket may draw: it offers its device what that leaves, the device requests anew,
and gets no more than the contract. With less than a contract the device is in standby, and below that off.
Charging of the device's own battery can be put off above the state of charge that its owner permits.

Sources: see `devices.models.usb_power_delivery`; converter efficiency and the 0.3 W of an idle port: EU
regulation 2019/1782; USB Power Delivery 3.1 section 7.2 for the 2.5 mW-to-suspend standby of a device.
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.limits import PowerRange
from devices.models.daily_use import DailyUse
from devices.models.flexible_nameplate import flexible
from devices.models.model import Flow, Status, Surroundings, energy_wh, power_w
from devices.models.usb_power_delivery import contract_w, offered, requested


@dataclass(frozen=True, slots=True)
class DcSocket:
    """Parameters. `use` is what the device runs on; `charge_w` what it charges its battery with besides.

    `defer_above`: state of charge of the device's battery above which its charging may wait (the owner's
    permission); 1 never permits it.
    """

    maximum_w: float
    use: DailyUse
    device_wh: float
    charge_w: float
    standby_w: float = 0.5
    defer_above: float = 1.0
    initial_state_of_charge: float = 0.5
    efficiency: float = 0.92
    device_efficiency: float = 0.95
    idle_w: float = 0.3
    step_s: float = 10.0

    @property
    def nameplate(self) -> Nameplate:
        """What the socket draws at most."""
        return flexible(self.maximum_w / self.efficiency + self.idle_w, self.device_wh or None)

    def begin(self, stored_wh: float | None) -> "SocketState":
        """The device's battery holds this energy, or its initial state of charge."""
        held_wh = self.initial_state_of_charge * self.device_wh if stored_wh is None else stored_wh
        return SocketState(min(max(held_wh, 0.0), self.device_wh))

    def held_wh(self, state: "SocketState") -> float:
        """What the device's battery holds."""
        return state.device_wh

    def profile(self, state: "SocketState", around: Surroundings) -> tuple[float, float]:
        """The least and the most power the device reports: standby, and use and charging together."""
        charging_w = self.charge_w if state.device_wh < self.device_wh else 0.0
        most_w = min(self.maximum_w, max(self.standby_w, self.use.at(around.cell_ns) + charging_w))
        return min(self.standby_w, most_w), most_w

    def status(self, state: "SocketState", around: Surroundings) -> Status:
        """What the device would like, and what of it cannot wait."""
        _, most_w = self.profile(state, around)
        part = state.device_wh / self.device_wh if self.device_wh > 0 else None
        waits = part is not None and part > self.defer_above
        needed_w = min(most_w, max(self.standby_w, self.use.at(around.cell_ns))) if waits else most_w
        return Status(
            possible=PowerRange(self._at_mains(most_w), self._at_mains(needed_w)),
            stored_wh=state.device_wh if self.device_wh > 0 else None,
            state_of_charge=part,
        )

    def step(
        self, state: "SocketState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["SocketState", Flow]:
        """Negotiate under the limit, feed the use first, charge with the rest, else run on the battery."""
        allowed_w = max(0.0, -wish_w) if around.mains else 0.0
        wanted_w = self.profile(state, around)[1]
        idle_w = min(self.idle_w, allowed_w)
        supplies = offered(min(self.maximum_w, (allowed_w - idle_w) * self.efficiency))
        request = requested(wanted_w, supplies)
        granted_w = 0.0 if request is None else min(wanted_w, contract_w(request, supplies))
        used_wh = energy_wh(self.use.at(around.cell_ns), dt_s)
        granted_wh = energy_wh(granted_w, dt_s)
        direct_wh = min(granted_wh, used_wh)
        from_battery_wh = min(used_wh - direct_wh, state.device_wh)
        room_wh = self.device_wh - state.device_wh + from_battery_wh
        charge_wh = min(granted_wh - direct_wh, room_wh / self.device_efficiency)
        standby_wh = min(granted_wh - direct_wh - charge_wh, energy_wh(self.standby_w, dt_s))
        taken_wh = direct_wh + charge_wh + standby_wh
        drawn_w = power_w(taken_wh, dt_s) / self.efficiency + idle_w
        device_wh = state.device_wh - from_battery_wh + charge_wh * self.device_efficiency
        useful_wh = direct_wh + from_battery_wh
        flow = Flow(
            terminal_w=-drawn_w,
            useful_w=power_w(useful_wh, dt_s),
            loss_w=max(0.0, drawn_w - power_w(direct_wh + charge_wh * self.device_efficiency, dt_s)),
        )
        return SocketState(min(max(device_wh, 0.0), self.device_wh)), flow

    def _at_mains(self, device_w: float) -> float:
        return -(device_w / self.efficiency + self.idle_w)


@dataclass(frozen=True, slots=True)
class SocketState:
    """What the battery of the device in the socket holds."""

    device_wh: float
