"""A UPS by NUT, against Debian's nut-server with its dummy-ups driver."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nut_server import NutServer, nut_server
from sunspec_bench import PATIENCE_S, SECOND_NS, config

from devices.cell_clock import Instant
from devices.configuration.hardware_config import HardwareConfig
from devices.dispatch.observation import grid_reading
from devices.drivers.polled import PolledDer
from devices.image import DerKind, DeviceImage, GridImage, ProcessImage, Reading, Supply
from devices.messages.control_messages import Alarm, AlarmCode
from devices.nut.protocol import NutError, drawn_w, supply, variables
from devices.opening.real_devices import connect
from devices.process.control_client import ControlClient
from devices.resilience.islanding import Detector, Finding, GridReading, IslandLimits
from devices.resilience.modes import OperatingMode
from devices.resilience.node_resilience import Resilience, SiteRules, Situation
from devices.trials.conformance import examine

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("nut")]


@pytest.fixture(scope="module")
def started() -> Iterator[NutServer]:
    with tempfile.TemporaryDirectory() as folder, nut_server(Path(folder)) as server:
        yield server


@pytest.fixture
def server(started: NutServer) -> NutServer:
    """The one server of this file, with the UPS on mains."""
    if started.get("ups.status") != "OL":
        started.put("ups.status", "OL")
    return started


def table(port: int, **changes: Any) -> dict[str, Any]:
    way = {"driver": "nut", "name": "rack", "ups": "home", "port": port, "maximum_w": 600, "poll_ms": 50}
    return way | changes


class NutBench:
    """A bench on which time passes by arithmetic: a UPS that stands still has none of its own."""

    def __init__(self, device: HardwareConfig) -> None:
        self.now = Instant(10**12, 0)
        self.der: PolledDer = connect(device, 0.0, lambda: self.now)
        self.pass_time(1.0)

    def pass_time(self, seconds: float) -> None:
        passed_ns = round(seconds * SECOND_NS)
        self.now = Instant(self.now.real_ns + passed_ns, self.now.cell_ns + passed_ns)
        assert self.der.refresh(PATIENCE_S)

    def look(self) -> DeviceImage:
        self.pass_time(1.0)
        return self.der.measure(self.now)


@pytest.fixture
def make_bench(server: NutServer) -> Iterator[Callable[..., NutBench]]:
    benches: list[NutBench] = []

    def make(**changes: Any) -> NutBench:
        benches.append(NutBench(config(table(server.port, **changes)).hardware[0]))
        return benches[-1]

    yield make
    for bench in benches:
        bench.der.close()


def test_a_ups_keeps_every_law(make_bench: Callable[..., NutBench]) -> None:
    assert examine(make_bench) == ()


def test_what_the_ups_says_is_what_is_seen(make_bench: Callable[..., NutBench]) -> None:
    bench = make_bench()
    image = bench.look()
    assert (image.power_w.value, image.state_of_charge.value, image.supply) == (-150.0, 0.9, Supply.MAINS)
    assert image.runtime_s is not None
    assert image.runtime_s.value == 1800.0
    assert bench.der.fault == ""


def test_on_battery_nothing_is_drawn_from_the_mains(
    make_bench: Callable[..., NutBench], server: NutServer
) -> None:
    server.put("ups.status", "OB DISCHRG")
    image = make_bench().look()
    assert (image.power_w.value, image.supply) == (0.0, Supply.BATTERY)


def test_a_ups_that_the_server_does_not_know_is_named(make_bench: Callable[..., NutBench]) -> None:
    bench = make_bench(ups="cellar")
    assert bench.look().power_w.value is None
    assert "UNKNOWN-UPS: there is no UPS of this name" in bench.der.fault


async def alarm_of(client: ControlClient, code: AlarmCode, raised: bool) -> Alarm:
    async for message in client.messages:
        if isinstance(message, Alarm) and (message.code, message.raised) == (code, raised):
            return message
    raise AssertionError("control fell silent")


async def test_on_battery_and_low_battery_are_alarms_that_clear(
    build_node: Callable[..., Any], server: NutServer
) -> None:
    node = build_node(ders=[table(server.port)], cycle_ms=50)
    async with node.attached() as client:
        server.put("ups.status", "OB DISCHRG")
        alarm = await alarm_of(client, AlarmCode.UPS_ON_BATTERY, raised=True)
        assert (alarm.device, alarm.text) == ("rack", "30 min left on battery")
        server.put("ups.status", "OB DISCHRG LB")
        assert (await alarm_of(client, AlarmCode.UPS_LOW_BATTERY, raised=True)).device == "rack"
        server.put("ups.status", "OL CHRG")
        assert (await alarm_of(client, AlarmCode.UPS_LOW_BATTERY, raised=False)).device == "rack"


async def test_a_ups_on_battery_is_an_outage_where_nothing_measures_the_grid(
    build_node: Callable[..., Any], server: NutServer
) -> None:
    node = build_node(ders=[table(server.port)], cycle_ms=50, islanding=True)
    async with node.attached() as client:
        server.put("ups.status", "OB DISCHRG")
        await alarm_of(client, AlarmCode.GRID_LOST, raised=True)


def seen(*supplies: Supply | None, grid: GridImage | None = None, age_ns: int = 0) -> GridReading:
    """What a site's UPSs say of the grid, by readings of some age."""
    now = Instant(10**12, 0)
    missing = Reading.missing(now.real_ns - age_ns)
    devices = tuple(
        DeviceImage(f"ups-{k}", DerKind.LOAD, *[missing] * 5, None, supply=each)
        for k, each in enumerate(supplies)
    )
    return grid_reading(ProcessImage(now, devices, grid), SECOND_NS)


def test_a_single_ups_that_differs_proves_nothing() -> None:
    assert seen(Supply.BATTERY, Supply.LOW_BATTERY).fed is False
    assert seen(Supply.MAINS, Supply.UNKNOWN, None).fed is True
    assert seen(Supply.MAINS, Supply.BATTERY).fed is None
    assert seen(Supply.BATTERY, age_ns=2 * SECOND_NS).fed is None
    assert seen().fed is None


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.floats(0.1, 40)), max_size=12))
def test_a_ups_changes_the_mode_and_never_releases_the_reserve(
    looks: list[tuple[bool | None, float]],
) -> None:
    resilience, now_ns = Resilience(), 0
    for fed, seconds in looks:
        now_ns += round(seconds * SECOND_NS)
        situation = Situation(GridReading(None, None, fed=fed))
        resilience, orders = resilience.step(situation, SiteRules(), now_ns)
        assert not orders.reserve_released
        if orders.mode is OperatingMode.EMERGENCY:
            assert orders.batteries is not None
            assert orders.batteries.minimum_w == 0
    for seconds in (0, 61, 1):
        now_ns += seconds * SECOND_NS
        resilience, orders = resilience.step(
            Situation(GridReading(None, None, fed=True)), SiteRules(), now_ns
        )
    assert orders.mode is OperatingMode.GRID_SUPPORT


def test_a_ups_is_not_asked_where_the_grid_is_measured() -> None:
    known = GridReading(50.0, 1.0, breaker_closed=True, fed=False)
    detector = Detector()
    for now_ns in (0, SECOND_NS, 2 * SECOND_NS):
        detector = detector.step(known, IslandLimits(), now_ns)
    assert detector.finding is Finding.CONNECTED


def test_a_driver_that_lost_the_ups_leaves_nothing_known() -> None:
    with tempfile.TemporaryDirectory() as folder, nut_server(Path(folder)) as server:
        now = Instant(10**12, 0)
        der = connect(config(table(server.port)).hardware[0], 0.0, lambda: now)
        assert der.refresh(PATIENCE_S)
        assert der.measure(now).power_w.value == -150.0
        server.unplug()
        assert der.refresh(PATIENCE_S)
        assert "its driver does not run" in der.fault
        later = Instant(now.real_ns + 1, 1)
        assert (der.measure(later).power_w.value, der.measure(later).supply) == (None, None)
        der.close()


WORDS = [
    (None, Supply.UNKNOWN),
    ("", Supply.UNKNOWN),
    ("WAIT", Supply.UNKNOWN),
    ("OL CHRG", Supply.MAINS),
    ("OL LB", Supply.MAINS),
    ("OB", Supply.BATTERY),
    ("OB DISCHRG LB", Supply.LOW_BATTERY),
    ("FSD OB", Supply.LOW_BATTERY),
    ("OB CAL", Supply.UNKNOWN),
    ("OB CAL LB", Supply.LOW_BATTERY),
    ("OLD", Supply.UNKNOWN),
]


@pytest.mark.parametrize(("status", "feeding"), WORDS)
def test_a_status_is_read_word_by_word(status: str | None, feeding: Supply) -> None:
    assert supply(status) is feeding


def test_power_that_is_not_told_is_unknown() -> None:
    assert drawn_w({}, Supply.MAINS) is None
    assert drawn_w({"ups.load": "25"}, Supply.MAINS) is None
    assert drawn_w({"ups.load": "nan", "ups.realpower.nominal": "600"}, Supply.MAINS) is None
    assert drawn_w({"ups.load": "25", "ups.realpower.nominal": "600"}, Supply.UNKNOWN) is None
    assert drawn_w({"input.realpower": "90", "ups.realpower": "80"}, Supply.MAINS) == 90.0


@given(st.text(st.characters(codec="ascii", exclude_characters="\n\r\0"), max_size=30))
def test_a_quoted_value_comes_back(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    lines = ["BEGIN LIST VAR u", f'VAR u ups.id "{escaped}"', "END LIST VAR u"]
    assert variables(lines, "u") == {"ups.id": value}


@given(st.lists(st.text(max_size=30), max_size=4))
def test_other_lines_are_an_error_of_ours(lines: list[str]) -> None:
    with pytest.raises(NutError):
        variables(lines, "u")
