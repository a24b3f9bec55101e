"""Control of a home, driven through hours of cell time without a clock."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig, parse_config
from devices.control.control import ControlCore, Outcome
from devices.control.control_state import FRESH, SavedState
from devices.der import Der
from devices.dispatch.cycle_record import replays
from devices.image import DeviceImage, Reading
from devices.json_codec import from_json, to_json
from devices.leases import Answer, Lease, Refused
from devices.limits import PowerRange
from devices.messages.control_messages import (
    Acknowledge,
    Alarm,
    AlarmCode,
    Arming,
    ChangeMode,
    GrantArming,
    GrantLimits,
    GrantPosition,
    Heartbeat,
    ImageReport,
    MeterRecord,
    Mode,
    Position,
)
from devices.opening.simulated_devices import build_ders
from devices.profiles import Profile, read_profile
from devices.response.service_files import find_curve

Settings = Callable[..., dict[str, Any]]
Granted = TypeVar("Granted")
SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
ROWS = [(500, 0), (700, 2000), (900, 9000), (400, 8000), (2500, 100), (650, 0)]


class Home:
    """A control core with simulated devices and a hand on its clocks."""

    def __init__(
        self,
        source: dict[str, Any],
        rows: Iterable[tuple[float, float]] = ROWS,
        *,
        saved: SavedState = FRESH,
        start_cell_ns: int = 0,
        wrap: Callable[[Der], Der] = lambda der: der,
    ) -> None:
        lines = [f"{hour * HOUR_NS},{load},{sun}" for hour, (load, sun) in enumerate(rows)]
        self.profile: Profile = read_profile(["start_ns,load_w,pv_w", *lines], "rows")
        self.config: ControlConfig = parse_config(source)
        self.now = Instant(SECOND_NS, start_cell_ns)
        stored = {each.name: each.stored_wh for each in saved.stored}
        self.ders = build_ders(self.config, self.profile, stored, self.now)
        self.core = ControlCore(
            self.config, tuple(map(wrap, self.ders)), self.profile, saved, self.now, "control"
        )
        self.records: list[MeterRecord] = []
        self.alarms: list[Alarm] = []
        self.images: list[ImageReport] = []
        self._sequence = count(1)

    def lease(self, value: Granted, reversion: Granted, seconds: float) -> Lease[Granted]:
        expires_ns = self.now.real_ns + round(seconds * SECOND_NS)
        return Lease(value, reversion, self.now.real_ns, expires_ns, "daemon", next(self._sequence))

    def beat(self) -> None:
        self.note(self.core.handle(Heartbeat(self.lease(True, False, 3)), self.now))

    def position(self, interval: int, energy: int, seconds: float = 3600) -> None:
        lease = self.lease(Position(interval, energy), None, seconds)
        self.note(self.core.handle(GrantPosition(lease), self.now))

    def run(self, cycles: int, *, alive: bool = True, cycle_ns: int | None = None) -> None:
        """Cycles at the configured pace, or with another time between them."""
        real_ns = self.config.cycle_ms * 1_000_000 if cycle_ns is None else cycle_ns
        for _ in range(cycles):
            self.now = Instant(
                self.now.real_ns + real_ns, self.now.cell_ns + round(real_ns * self.config.clock.speed)
            )
            if alive:
                self.beat()
            self.note(self.core.cycle(self.now))

    def note(self, outcome: Outcome) -> None:
        for message in outcome.messages:
            if isinstance(message, MeterRecord):
                self.records.append(message)
            elif isinstance(message, Alarm):
                self.alarms.append(message)
            elif isinstance(message, ImageReport):
                self.images.append(message)

    def stored_wh(self) -> float:
        return self.core.saved_state().stored[0].stored_wh

    def raised(self) -> set[AlarmCode]:
        return {alarm.code for alarm in self.alarms if alarm.raised}


@pytest.fixture
def fast(settings: Settings) -> dict[str, Any]:
    """An hour in three seconds, so 30 cycles, with a connection that is never in the way."""
    clock = {"start_wall_ns": 0, "epoch_ns": 0, "speed": 1200}
    return settings(clock=clock, connection={"minimum_w": -30_000, "maximum_w": 30_000})


def without_battery(source: dict[str, Any]) -> dict[str, Any]:
    return source | {"ders": source["ders"][1:]}


@given(steps=st.lists(st.integers(1, 4 * 10**9), min_size=1, max_size=40))
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_cycle_the_meter_shows_the_profile_exactly(
    fast: dict[str, Any], steps: list[int]
) -> None:
    home = Home(without_battery(fast))
    for step in steps:
        home.run(1, cycle_ns=step)
    for record in home.records:
        load, sun = ROWS[record.interval] if record.interval < len(ROWS) else (0, 0)
        net = (sun - load) * 1000
        assert record.complete == (record.interval < len(ROWS))
        assert (record.contribution, record.consumption) == (max(net, 0), max(-net, 0))
        energies = {each.name: (each.injected, each.withdrawn) for each in record.devices}
        assert energies == {"roof": (sun * 1000, 0), "house": (0, load * 1000)}
    assert [record.interval for record in home.records] == list(range(len(home.records)))
    assert len(home.records) == home.now.cell_ns // HOUR_NS


@given(
    energies=st.lists(st.integers(-20_000_000, 20_000_000), min_size=6, max_size=6),
    reserve=st.floats(0, 0.9),
    start=st.floats(0, 1),
    pauses=st.sets(st.integers(0, 179), max_size=5),
)
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_sequence_of_positions_and_no_pause_touches_the_reserve(
    fast: dict[str, Any], energies: list[int], reserve: float, start: float, pauses: set[int]
) -> None:
    battery = fast["ders"][0] | {"reserve": reserve, "initial_state_of_charge": start}
    home = Home(fast | {"ders": [battery, *fast["ders"][1:]]})
    floor_wh = min(reserve, start) * 8000
    for interval, energy in enumerate(energies):
        home.position(interval, energy)
    for cycle in range(180):
        home.run(1, cycle_ns=2 * SECOND_NS if cycle in pauses else None)
        floor_wh = min(max(floor_wh, home.stored_wh()), reserve * 8000)
        assert home.stored_wh() >= floor_wh - 1e-6
    for record in home.core.cycles:
        assert replays(record)
        assert all(each.left.contains(record.decision.power_w) for each in record.decision.layers)


def test_a_position_within_reach_is_met_to_the_watt_hour(fast: dict[str, Any]) -> None:
    home = Home(fast)
    home.run(30)
    home.position(1, -200_000)
    home.run(31)
    assert home.records[1].interval == 1
    assert home.records[1].complete
    assert abs(home.records[1].contribution - home.records[1].consumption + 200_000) < 1000


def test_without_a_position_the_home_nets_to_zero_while_the_daemon_lives(fast: dict[str, Any]) -> None:
    home = Home(fast)
    home.run(10)
    assert home.core.cycles[-1].decision.power_w == 500.0
    assert home.images[-1].wish == "self-consumption"
    assert home.images[-1].connection_w == 0.0
    assert home.core.cycles[-1].settled


def test_when_the_daemon_is_gone_leases_run_out_and_the_battery_rests(fast: dict[str, Any]) -> None:
    home = Home(fast)
    home.run(10)
    home.position(0, 0, seconds=4)
    wishes = []
    for _ in range(60):
        home.run(1, alive=False, cycle_ns=SECOND_NS // 10)
        wishes.append(type(home.core.cycles[-1].inputs.wish).__name__)
    assert wishes[0] == "FollowPosition"
    assert wishes[-1] == "SafeState"
    assert home.core.cycles[-1].decision.power_w == 0.0
    assert AlarmCode.DAEMON_LOST in home.raised()
    home.run(1)
    assert home.alarms[-1].code is AlarmCode.DAEMON_LOST
    assert not home.alarms[-1].raised


def test_pv_keeps_to_the_export_limit_with_nobody_there(settings: Settings) -> None:
    home = Home(settings(), [(500, 9000), (500, 9000)])
    home.run(20, alive=False)
    image = home.images[-1]
    assert image.connection_w is not None
    assert image.connection_w <= 5000.0 + 1e-6
    assert AlarmCode.LIMIT_NOT_HELD not in home.raised()


def test_at_the_export_limit_the_battery_charges_before_pv_is_curtailed(settings: Settings) -> None:
    home = Home(settings(connection={"minimum_w": -8000, "maximum_w": 3000}), [(500, 9000), (500, 9000)])
    home.position(0, 9_000_000)
    home.run(20)
    image = home.images[-1]
    powers = {device.name: device.power_w for device in image.devices}
    assert powers == {"battery": -3000.0, "roof": 6500.0, "house": -500.0}
    assert image.connection_w == 3000.0


def test_limits_by_lease_narrow_and_their_reversion_stays(settings: Settings) -> None:
    home = Home(settings(), [(500, 9000), (500, 9000)])
    tight, after = PowerRange(-1000.0, 1000.0), PowerRange(-2000.0, 2000.0)
    home.core.handle(GrantLimits(home.lease(tight, after, 1)), home.now)
    home.run(9)
    assert home.core.cycles[-1].inputs.connection == tight
    home.run(20)
    assert home.core.cycles[-1].inputs.connection == after
    assert home.core.saved_state().limits == after
    wider = PowerRange(-1e6, 1e6)
    home.core.handle(GrantLimits(home.lease(wider, wider, 1)), home.now)
    home.run(1)
    assert home.core.cycles[-1].inputs.connection == PowerRange(-8000.0, 5000.0)


def test_an_emergency_stop_rests_the_battery_and_the_sun_until_it_is_released(settings: Settings) -> None:
    home = Home(settings(), [(500, 9000), (500, 9000)])
    home.run(5)
    outcome = home.core.handle(ChangeMode(Mode.EMERGENCY_STOP), home.now)
    assert outcome.save
    home.position(0, 3_000_000)
    home.run(10)
    powers = {device.name: device.power_w for device in home.images[-1].devices}
    assert powers == {"battery": 0.0, "roof": 0.0, "house": -500.0}
    restarted = Home(settings(), saved=from_json(SavedState, to_json(home.core.saved_state())))
    restarted.run(1)
    assert restarted.core.cycles[-1].inputs.locked
    restarted.core.handle(ChangeMode(Mode.GRID_SUPPORT), restarted.now)
    restarted.run(1)
    assert not restarted.core.cycles[-1].inputs.locked


class Faulty:
    """A device whose images are spoiled on the way; commands can be swallowed."""

    def __init__(self, der: Der, spoil: Callable[[DeviceImage], DeviceImage], *, deaf: bool = False) -> None:
        self._der = der
        self._spoil = spoil
        self._deaf = deaf
        self.name = der.name
        self.nameplate = der.nameplate

    def measure(self, now: Instant) -> DeviceImage:
        return self._spoil(self._der.measure(now))

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        return Refused("deaf") if self._deaf else self._der.command(lease, now)


def faulty_battery(
    spoil: Callable[[DeviceImage], DeviceImage] = lambda image: image, *, deaf: bool = False
) -> Callable[[Der], Der]:
    return lambda der: Faulty(der, spoil, deaf=deaf) if der.name == "battery" else der


def unknown_charge() -> Iterator[Callable[[DeviceImage], DeviceImage]]:
    yield lambda image: replace(image, state_of_charge=Reading.missing(image.power_w.real_ns))
    yield lambda image: replace(image, stored_wh=Reading.of(float("nan"), image.power_w.real_ns))
    yield lambda image: replace(image, stored_wh=replace(image.stored_wh, real_ns=-(10**12)))
    yield lambda image: replace(image, stored_wh=replace(image.stored_wh, value=float("inf")))
    yield lambda image: replace(image, stored_wh=replace(image.stored_wh, value=-1.0))
    yield lambda image: replace(image, state_of_charge=replace(image.state_of_charge, value=1.7))


@pytest.mark.parametrize("spoil", tuple(unknown_charge()))
def test_an_unknown_state_of_charge_stops_the_battery(
    settings: Settings, spoil: Callable[[DeviceImage], DeviceImage]
) -> None:
    home = Home(settings(), wrap=faulty_battery(spoil))
    home.position(0, 3_000_000)
    home.run(10)
    assert home.core.cycles[-1].decision.power_w == 0.0
    assert AlarmCode.STATE_OF_CHARGE_UNKNOWN in home.raised()
    assert home.images[-1].dischargeable_wh is None


def test_a_setpoint_that_does_not_move_energy_is_not_done_and_alarms(settings: Settings) -> None:
    stuck = faulty_battery(lambda image: replace(image, power_w=Reading.of(0.0, image.power_w.real_ns)))
    home = Home(settings(), wrap=stuck)
    home.run(40)
    assert not home.images[-1].settled
    assert AlarmCode.SETPOINT_NOT_REACHED in home.raised()


def test_a_refused_setpoint_is_not_done_and_alarms(settings: Settings) -> None:
    home = Home(settings(), wrap=faulty_battery(deaf=True))
    home.run(40)
    assert not home.images[-1].settled
    assert {AlarmCode.SETPOINT_REFUSED, AlarmCode.SETPOINT_NOT_REACHED} <= home.raised()


def test_a_pause_is_metered_in_full_but_the_battery_rested_from_its_lease_on(fast: dict[str, Any]) -> None:
    home = Home(fast)
    home.run(10)
    home.run(1, cycle_ns=8 * SECOND_NS)
    assert [record.interval for record in home.records] == [0, 1, 2]
    assert all(record.complete for record in home.records)
    battery = [record.devices[0].injected - record.devices[0].withdrawn for record in home.records]
    # Commanded from 0.1 s to 1.0 s of real time and then for the lease's 0.3 s: 1.2 s of 3 s at 500 W.
    assert battery[0] == pytest.approx(500_000 * 1.2 / 3, abs=20_000)
    assert battery[1:] == [0, 0]
    assert home.records[1].contribution - home.records[1].consumption == 1_300_000


@pytest.mark.parametrize("cycle_ns", [SECOND_NS // 10, SECOND_NS, 4 * SECOND_NS])
def test_import_and_export_within_one_interval_are_not_netted_whatever_the_cycle(
    fast: dict[str, Any], cycle_ns: int
) -> None:
    home = Home(without_battery(fast) | {"interval_s": 7200}, [(500, 0), (700, 2000), (500, 0)])
    home.run(7 * SECOND_NS // cycle_ns + 1, cycle_ns=cycle_ns)
    assert (home.records[0].contribution, home.records[0].consumption) == (1_300_000, 500_000)


def test_a_lease_that_ends_in_a_pause_ends_the_export_on_the_meter_too(fast: dict[str, Any]) -> None:
    home = Home(fast, [(500, 0), (500, 0)])
    home.position(0, 2_000_000)
    home.run(1)
    home.run(1, cycle_ns=4 * SECOND_NS)
    # 0.1 s at rest cost 16.7 Wh; then the lease's 0.3 s of 3 s bring 2 kWh nearer, and the rest draws again.
    assert home.records[0].contribution == pytest.approx(2_016_667 / 2.9 * 0.3, abs=2)
    assert home.records[0].consumption == pytest.approx(500_000 * 2.7 / 3, abs=2)


def test_an_interval_that_began_before_control_did_is_not_complete(fast: dict[str, Any]) -> None:
    home = Home(without_battery(fast), start_cell_ns=HOUR_NS // 2)
    home.run(50)
    first, second = home.records[:2]
    assert (first.complete, first.consumption) == (False, 250_000)
    assert (second.complete, second.contribution) == (True, 1_300_000)


def test_a_clock_that_is_set_years_ahead_starts_a_new_measurement(fast: dict[str, Any]) -> None:
    home = Home(fast)
    home.now = Instant(home.now.real_ns + SECOND_NS, 10**9 * HOUR_NS)
    home.run(1)
    assert home.records == []
    assert home.core.next_boundary > home.now.cell_ns


def test_records_are_told_again_until_they_are_acknowledged_and_survive_a_restart(
    fast: dict[str, Any],
) -> None:
    home = Home(fast)
    home.run(65)
    saved = from_json(SavedState, to_json(home.core.saved_state()))
    assert list(saved.records) == home.records
    restarted = Home(fast, saved=saved)
    assert restarted.stored_wh() == home.stored_wh()
    restarted.core.handle(Acknowledge(0), restarted.now)
    told = [each for each in restarted.core.greeting(1) if isinstance(each, MeterRecord)]
    assert told == home.records[1:]


def test_endless_arming_and_expired_leases_are_refused_with_an_alarm(fast: dict[str, Any]) -> None:
    home = Home(fast)
    arming = Arming(find_curve("fcr-ce"), 1.0, 1.0)
    home.note(home.core.handle(GrantArming(home.lease(arming, arming, 5)), home.now))
    late = GrantPosition(home.lease(Position(0, 1), None, -1))
    home.note(home.core.handle(late, home.now))
    assert [alarm.code for alarm in home.alarms] == [AlarmCode.LEASE_REFUSED] * 2


def test_stopping_gives_every_device_its_reversion(settings: Settings) -> None:
    home = Home(settings(), [(500, 9000), (500, 9000)])
    home.run(5)
    home.core.stop(home.now)
    images = {der.name: der.measure(home.now) for der in home.ders}
    assert images["battery"].setpoint_w.value == 0.0
    assert images["roof"].setpoint_w.value == 5000.0
