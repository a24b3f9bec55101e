"""Services, an outage, a fault and a sick store in one control process: each keeps its law beside the others."""

from dataclasses import replace
from typing import Any

import pytest
from device_examples import NOON_NS, configuration

from devices.cell_clock import Instant
from devices.control.control import ControlCore
from devices.control.control_state import FRESH, SavedState
from devices.der import Der
from devices.dispatch.cycle_record import CycleRecord, replays
from devices.grid_profile import read_grid_profile
from devices.image import DeviceImage, Reading, UnitCondition
from devices.json_codec import from_json, to_json
from devices.leases import Answer, Lease
from devices.messages.control_messages import GrantArming, Heartbeat
from devices.opening.simulated_devices import build_ders
from devices.response.fast_response import Arming
from devices.response.service_files import find_curve
from devices.simulated.grid import SimulatedGridMeter

SECOND_NS = 10**9
ARMED = Arming(find_curve("gb-dynamic-containment"), 1000.0, 1000.0)
CELLAR = {
    "type": "home-battery",
    "name": "cellar",
    "capacity_wh": 6400,
    "charge_w": 3000,
    "discharge_w": 3000,
}
OVEN = {
    "type": "circuit",
    "name": "oven",
    "tier": "normal",
    "always_w": 500,
    "rated_a": 16,
    "faults": [[11, 13, 0, 0.5, 0]],
}
FRIDGE = {"type": "circuit", "name": "fridge", "tier": "critical", "always_w": 60}
ROWS = (
    "0,50.0,1.0,1",
    f"{2 * SECOND_NS},49.5,1.0,1",
    f"{4 * SECOND_NS},50.0,1.0,0",
    f"{9 * SECOND_NS},50.0,1.0,1",
)


class Warm:
    """A store whose cells are said to have this temperature in Celsius."""

    def __init__(self, der: Der, temperature_c: float) -> None:
        self.name, self.nameplate = der.name, der.nameplate
        self._der, self._temperature_c = der, temperature_c

    def measure(self, now: Instant) -> DeviceImage:
        """What the store measures, with the other temperature."""
        image = self._der.measure(now)
        told = Reading.of(self._temperature_c, now.real_ns)
        condition = UnitCondition() if image.condition is None else image.condition
        return replace(image, condition=replace(condition, temperature_c=told))

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Pass the setpoint on."""
        return self._der.command(lease, now)


class House:
    """A store, a circuit with a current to earth and a sound one, on a grid that dips and then is lost."""

    def __init__(self, temperature_c: float = 25.0) -> None:
        source: dict[str, Any] = {"grid_profile": "grid.csv", "islanding": True}
        config = configuration([CELLAR, OVEN, FRIDGE], **source)
        self.now = Instant(SECOND_NS, NOON_NS)
        cellar, *circuits = build_ders(config, None, {}, self.now)
        rows = [f"{NOON_NS + int(row.split(',')[0])},{row.split(',', 1)[1]}" for row in ROWS]
        grid = read_grid_profile(["start_ns,frequency_hz,voltage_pu,breaker_closed", *rows], "rows")
        ders = (Warm(cellar, temperature_c), *circuits)
        self.core = ControlCore(config, ders, None, FRESH, self.now, "test", SimulatedGridMeter(grid))
        until_ns = self.now.real_ns + 8 * SECOND_NS
        lease: Lease[Arming | None] = Lease(ARMED, None, self.now.real_ns, until_ns, "daemon", 1)
        self.core.handle(GrantArming(lease), self.now)

    def at(self, second: float) -> CycleRecord:
        """The cycle that control is in then, after it has gone to a file and come back."""
        while self.now.cell_ns < NOON_NS + round(second * SECOND_NS):
            self.now = Instant(self.now.real_ns + SECOND_NS // 10, self.now.cell_ns + SECOND_NS // 10)
            until_ns = self.now.real_ns + SECOND_NS
            beat = Lease(True, False, self.now.real_ns, until_ns, "daemon", self.now.real_ns)
            self.core.handle(Heartbeat(beat), self.now)
            self.core.cycle(self.now)
        record = self.core.cycles[-1]
        assert from_json(CycleRecord, to_json(record)) == record
        assert replays(record)
        return record


def test_a_service_responds_while_a_faulty_circuit_stays_off() -> None:
    house = House()
    calm, dip = house.at(1.5), house.at(3.0)
    assert [each.name for each in house.core.saved_state().trips] == ["oven"]
    assert [each.name for each in calm.permitted] == ["fridge"]
    assert (calm.decision.offset_w, dip.decision.offset_w) == (0.0, 1000.0)
    assert dip.decision.power_w == pytest.approx(1000.0 + calm.decision.power_w, abs=1.0)


@pytest.mark.parametrize(("temperature_c", "left_w"), [(52.5, 1500.0), (58.0, 400.0), (70.0, 0.0)])
def test_what_a_hot_store_gives_to_a_service_is_what_its_health_leaves(
    temperature_c: float, left_w: float
) -> None:
    dip = House(temperature_c).at(3.0)
    (battery,) = dip.inputs.batteries
    assert battery.maximum_w == pytest.approx(left_w)
    assert battery.nameplate.maximum_w == 3000.0
    assert dip.decision.offset_w == 1000.0
    assert dip.decision.power_w <= left_w + 1e-6
    assert dip.decision.armed_available == (left_w >= 1500.0)


def test_an_outage_releases_the_reserve_and_everything_is_saved() -> None:
    house = House()
    lost = house.at(6.0)
    assert lost.inputs.batteries[0].reserve_released
    assert lost.inputs.island is not None
    saved = house.core.saved_state()
    assert from_json(SavedState, to_json(saved)) == saved
    assert saved.trips and saved.stored and saved.health
