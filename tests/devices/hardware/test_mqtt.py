"""Devices on an MQTT broker, against Debian's mosquitto."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mqtt_bench import AMPERE_W, Gadget, Mosquitto, MqttBench, mosquitto, table, until
from sunspec_bench import SECOND_NS, config

from devices.broker.device import broker_of
from devices.cell_clock import Instant
from devices.drivers.hardware import HardwareError
from devices.image import Quality
from devices.leases import Refused
from devices.opening.real_devices import open_hardware
from devices.trials.conformance import examine
from devices.trials.trial import Habits, Means, try_device

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("mqtt")]

Make = Callable[..., MqttBench]


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with tempfile.TemporaryDirectory() as folder, mosquitto(Path(folder)) as started:
        yield started


@pytest.fixture
def make_bench(broker: Mosquitto) -> Iterator[Make]:
    benches: list[MqttBench] = []

    def make(device: str = "box", **changes: Any) -> MqttBench:
        benches.append(MqttBench(broker.port, device, **changes))
        return benches[-1]

    yield make
    for bench in benches:
        bench.end()


@pytest.mark.parametrize("device", ["box", "plug", "store"])
def test_every_law_is_kept(device: str, make_bench: Make) -> None:
    made: list[MqttBench] = []

    def make() -> MqttBench:
        for bench in made:
            bench.end()
        made[:] = [make_bench(device)]
        return made[0]

    assert examine(make) == ()


def test_a_limit_is_rounded_so_that_nothing_is_passed_and_shown_as_it_was_meant(make_bench: Make) -> None:
    bench = make_bench()
    bench.der.command(bench.lease(-5000.0), bench.now)
    image = bench.look()
    assert bench.gadget.told[-1] == "7"
    assert (image.setpoint_w.value, image.power_w.value) == (-5000.0, -4000.0)
    assert bench.polled.fault == ""


def test_what_a_device_does_not_say_itself_is_not_held(make_bench: Make) -> None:
    bench = make_bench()
    bench.gadget.fault = "deaf"
    bench.der.command(bench.lease(-6 * AMPERE_W), bench.now)
    assert bench.look().setpoint_w.value == 0.0
    assert bench.gadget.told.count("6") >= 2
    bench.gadget.fault = ""
    bench.look()
    assert bench.look().setpoint_w.value == -6 * AMPERE_W


def test_a_device_that_says_it_obeys_and_does_not_is_shown_as_it_measures(make_bench: Make) -> None:
    bench = make_bench("store")
    bench.gadget.fault = "liar"
    bench.der.command(bench.lease(-500.0), bench.now)
    image = bench.look()
    assert (image.setpoint_w.value, image.power_w.value) == (-500.0, 1234.0)


def test_a_silent_device_is_unknown_after_its_time(make_bench: Make) -> None:
    bench = make_bench(report_s=3)
    bench.gadget.fault = "mute"
    assert bench.look(2.0).power_w.value == 0.0
    image = bench.look(2.0)
    assert (image.power_w.value, image.setpoint_w.value, image.state_of_charge.value) == (None, None, None)
    bench.gadget.fault = ""
    assert bench.look().power_w.value == 0.0


def test_what_is_no_number_is_invalid(make_bench: Make) -> None:
    bench = make_bench("store")
    bench.gadget.fault = "garbage"
    image = bench.look()
    assert {image.power_w.quality, image.state_of_charge.quality} == {Quality.INVALID}
    assert image.setpoint_w.value is None
    assert image.possible is not None
    assert image.possible.maximum_w == 0.0


def test_what_lay_at_the_broker_is_of_unknown_age(broker: Mosquitto, make_bench: Make) -> None:
    before = Gadget(broker.port, "store")
    before.say(retain=True)
    try:
        image = make_bench("store", fault="mute").look()
        readings = (image.power_w, image.setpoint_w, image.state_of_charge)
        assert [each.value for each in readings] == [None] * 3
    finally:
        for topic in ("box/status", "box/switch"):
            before.publish(topic, "", retain=True)
        before.end()


def test_a_device_that_says_it_is_gone_is_unknown(make_bench: Make) -> None:
    bench = make_bench()
    bench.gadget.publish("box/availability", "offline")
    image = bench.look()
    assert image.power_w.value is None
    assert "says on box/availability that it is not there" in bench.polled.fault
    assert isinstance(bench.polled.command(bench.lease(0.0), bench.now), Refused)
    bench.gadget.publish("box/availability", "online")
    assert bench.look().power_w.value == 0.0


def test_a_broker_that_is_gone_is_an_error_and_comes_back(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as own:
        bench = MqttBench(own.port, "store")
        assert bench.look().power_w.value == 0.0
        os.kill(own.process.pid, signal.SIGSTOP)
        bench.polled.refresh(20.0)
        os.kill(own.process.pid, signal.SIGCONT)
        assert "the broker has fallen silent" in bench.polled.fault
        assert (
            bench.polled.measure(Instant(bench.now.real_ns + 1, bench.now.cell_ns + 1)).power_w.value is None
        )
        bench.pass_time(1.0)
        assert bench.look().power_w.value == 0.0
        bench.end()


def test_a_wrong_password_is_told_with_the_remedy(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    (tmp_path / "secret").write_text("wrong")
    with mosquitto(tmp_path, f"password_file {passwords}") as own:
        device = config(table(own.port, username="ada", password_file=str(tmp_path / "secret"))).hardware[0]
        with pytest.raises(HardwareError, match="look at username and password_file"):
            open_hardware(device, 0.0).exchange(None, Instant(10**12, 0))


def told_last(gadget: Gadget, text: str) -> Callable[[], bool]:
    return lambda: gadget.told[-1:] == [text]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
def test_a_control_process_that_dies_or_hangs_leaves_the_device_its_reversion(
    ending: signal.Signals, broker: Mosquitto, build_node: Callable[..., Any]
) -> None:
    gadget = Gadget(broker.port, "box")
    device = table(broker.port, reversion_w=-4140, poll_ms=100, timeout_ms=200)
    node = build_node(ders=[device], cycle_ms=50, connection={"minimum_w": -11_500, "maximum_w": 100})
    with node.start() as process:
        try:
            until(told_last(gadget, "16"), "control does not charge")
            process.send_signal(ending)
            until(told_last(gadget, "6"), "the last will did not come")
            assert gadget.limit == 6.0
        finally:
            process.kill()
            gadget.end()


def test_a_trial_sees_the_last_will_at_work(make_bench: Make, broker: Mosquitto) -> None:
    """While it waits for the device's reversion it says nothing, as a hung process would: the broker steps in."""
    bench = make_bench("store")
    bench.polled.close()
    gadget, device = bench.gadget, config(table(broker.port, "store", timeout_ms=200)).hardware[0]
    will_s = broker_of(device).will_s

    def wait(seconds: float) -> None:
        if seconds >= will_s:
            until(told_last(gadget, "0"), "the last will did not come")
        bench.now = Instant(bench.now.real_ns + round(seconds * SECOND_NS), 0)
        gadget.advance(seconds)

    hardware = open_hardware(device, 0.0)
    means = Means(lambda: bench.now, wait)
    steps = list(try_device(hardware, device.nameplate, 0.0, 300.0, means, Habits(will_s, 5.0)))
    hardware.close()
    assert [step.name for step in steps if not step.passed] == []
    assert "reverts by itself" in [step.name for step in steps]
    assert max(abs(float(text)) for text in gadget.told) == 300.0
