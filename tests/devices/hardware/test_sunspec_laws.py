"""SunSpec inverters keep every law of the DER protocol, and their own timers do when nobody is left."""

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP
from sunspec_bench import SECOND_NS, MakeBench, ServerBench

from devices.image import Quality
from devices.leases import Accepted, Refused
from devices.trials.conformance import examine
from sim.counterparts.started import Counterpart, counterpart

KINDS = ("battery", "solar", "older-battery")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sunspec_device_keeps_every_law(kind: str, make_bench: MakeBench) -> None:
    assert examine(lambda: make_bench(kind)) == ()


def test_the_suite_sees_a_device_that_does_not_follow(make_bench: MakeBench) -> None:
    """The counterpart is one that the laws can find fault with."""

    def stuck() -> ServerBench:
        bench = make_bench()
        bench.server.ask(fault="refuse")
        return bench

    assert "a_setpoint_reads_back_and_is_followed" in {broken.law for broken in examine(stuck)}


@pytest.mark.parametrize(
    ("kind", "held", "reverted_w"), [("battery", -1200.0, -300.0), ("solar", 900.0, 250.0)]
)
def test_the_devices_own_timer_reverts_when_the_controller_is_gone(
    kind: str, held: float, reverted_w: float, make_bench: MakeBench
) -> None:
    bench = make_bench(kind)
    assert bench.der.command(bench.lease(held, reverted_w, lasts_s=2.0), bench.now) == Accepted()
    bench.server.ask(advance=1.5)
    assert bench.server.get("701.W") == held
    bench.server.ask(advance=1.0)
    assert bench.server.get("701.W") == reverted_w


def test_an_older_battery_falls_back_to_its_own_control(make_bench: MakeBench) -> None:
    bench = make_bench("older-battery")
    bench.der.command(bench.lease(-1200.0, lasts_s=2.0), bench.now)
    assert bench.server.get("103.W") == -1200.0
    bench.server.ask(advance=2.5)
    assert (bench.server.get("103.W"), bench.server.get("124.StorCtl_Mod")) == (0.0, 0.0)


def test_closing_gives_the_device_what_it_was_told_last(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.der.command(bench.lease(-1200.0), bench.now)
    bench.now = type(bench.now)(bench.now.real_ns + SECOND_NS, bench.now.cell_ns + SECOND_NS)
    bench.polled.command(bench.lease(-150.0), bench.now)
    bench.polled.close()
    assert bench.server.get("704.WSet") == -150.0


def test_our_heartbeat_is_raised_every_second(make_bench: MakeBench) -> None:
    bench = make_bench()
    before = bench.server.get("715.ControllerHb")
    bench.pass_time(5.0)
    assert bench.server.get("715.ControllerHb") == before + 5


def test_what_a_device_does_not_implement_is_missing_and_not_zero(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.server.ask(raw={"701.W_SF": 0x8000})
    image = bench.look()
    assert (image.power_w.value, image.power_w.quality) == (None, Quality.MISSING)
    assert image.counter is None
    assert image.state_of_charge.value == 0.5


@pytest.mark.parametrize("raw", [0xFFFF, 10_001, 65_000])
def test_an_unknown_or_impossible_charge_allows_no_discharge(raw: int, make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.server.ask(raw={"713.SoC": raw, "802.SoC": 0xFFFF})
    bench.polled.refresh(5.0)
    bench.now = type(bench.now)(bench.now.real_ns + 1, bench.now.cell_ns + 1)
    image = bench.polled.measure(bench.now)
    assert (image.state_of_charge.value, image.stored_wh.value) == (None, None)
    assert image.possible is not None
    assert image.possible.maximum_w == 0.0


def test_energy_is_what_the_device_itself_counts(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.der.command(bench.lease(-3000.0, lasts_s=60.0), bench.now)
    first = bench.look().counter
    before = bench.server.ask(get=["701.TotWhAbs"])["701.TotWhAbs"]
    bench.pass_time(48.0)
    last = bench.polled.measure(bench.now).counter
    assert first is not None
    assert last is not None
    assert (last - first) / 3.6e15 == -40.0
    assert bench.server.get("701.TotWhAbs") - before == pytest.approx(40.0, abs=1.0)


def test_another_sunspec_client_reads_the_same() -> None:
    """The counterpart is right by a library that shares nothing with the driver."""
    server = Counterpart()
    other = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=server.port, timeout=5)
    try:
        server.ask(put={"704.WSetEna": 1, "704.WSet": -1500}, advance=1.0)
        server.ask(advance=60.0)
        other.scan()
        assert set(other.models) >= {1, 701, 702, 704, 713, 715, 802}
        measured, storage = other.models[701][0], other.models[713][0]
        measured.read()
        assert measured.W.cvalue == -1500
        assert storage.SoC.cvalue == server.get("713.SoC")
        assert other.models[1][0].Mn.cvalue == "Wattswarm"
    finally:
        other.close()
        server.end()


def test_a_nameplate_larger_than_the_device_is_a_mistake(make_bench: MakeBench) -> None:
    bench = make_bench("battery", charge_w=6000)
    assert bench.polled.measure(bench.now).power_w.value is None
    answer = bench.der.command(bench.lease(0.0), bench.now)
    assert isinstance(answer, Refused)
    assert "set charge_w = 5000" in answer.reason


def test_a_solar_inverter_is_no_battery() -> None:
    with counterpart("--kind", "solar") as server:
        bench = ServerBench(server, "battery")
        assert "no model that tells a state of charge" in bench.polled.fault
        bench.polled.close()
