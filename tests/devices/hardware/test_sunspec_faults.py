"""A SunSpec device that misbehaves: what the driver then says of it, and what it never says."""

import pytest
from sunspec_bench import MakeBench, ServerBench

from devices.image import DeviceImage
from devices.leases import Refused


def nothing_is_claimed(image: DeviceImage) -> bool:
    readings = (image.power_w, image.setpoint_w, image.stored_wh, image.state_of_charge)
    return image.counter is None and all(reading.value is None for reading in readings)


LOOKS = 10
"""A reply that the server still holds back, or a busy machine, may spoil the first look after a fault."""


def recovers(bench: ServerBench) -> bool:
    """Whether the device is known again within some looks, and nothing is claimed before."""
    bench.server.ask(fault="")
    for _ in range(LOOKS):
        image = bench.look()
        if bench.polled.fault == "" and image.power_w.value is not None:
            return True
        assert nothing_is_claimed(image)
    return False


@pytest.mark.parametrize("fault", ["silence", "delay", "behind", "mixed"])
def test_replies_that_are_missing_late_or_swapped_leave_nothing_known(
    fault: str, make_bench: MakeBench
) -> None:
    bench = make_bench()
    bench.der.command(bench.lease(-1000.0, lasts_s=30.0), bench.now)
    assert bench.look().power_w.value == -1000.0
    bench.server.ask(fault=fault)
    for _ in range(3):
        assert nothing_is_claimed(bench.look())
    answer = bench.polled.command(bench.lease(0.0), bench.now)
    assert isinstance(answer, Refused)
    assert "unit 1" in answer.reason
    assert recovers(bench)


def test_registers_of_another_model_are_never_taken(make_bench: MakeBench) -> None:
    """The transaction id is right and the registers are others': the model's own header gives it away."""
    bench = make_bench()
    bench.server.ask(fault="mixed")
    assert nothing_is_claimed(bench.look())
    assert "another's registers came" in bench.polled.fault


def test_a_device_that_is_silent_reverts_by_itself(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.der.command(bench.lease(1500.0, reversion_w=-100.0, lasts_s=2.0), bench.now)
    bench.server.ask(fault="silence")
    bench.pass_time(4.0)
    assert bench.server.get("701.W") == -100.0


def test_values_that_stand_still_are_not_believed(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.look()
    bench.server.ask(fault="freeze")
    for _ in range(3):
        assert bench.look().power_w.value is not None
    for _ in range(2):
        frozen = bench.look()
        assert nothing_is_claimed(frozen)
        assert frozen.possible is not None
        assert frozen.possible.maximum_w == 0.0
    assert recovers(bench)


def test_a_refused_write_is_never_reported_as_done(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.der.command(bench.lease(-500.0, lasts_s=60.0), bench.now)
    bench.server.ask(fault="refuse")
    bench.pass_time(1.0)
    bench.der.command(bench.lease(-900.0, lasts_s=60.0), bench.now)
    image = bench.look()
    assert (image.setpoint_w.value, image.power_w.value) == (-500.0, -500.0)
    answer = bench.polled.command(bench.lease(-950.0), bench.now)
    assert isinstance(answer, Refused)
    assert "does not take this value" in answer.reason
    bench.server.ask(fault="")
    assert bench.look().setpoint_w.value == -950.0


def test_local_control_is_respected_and_reported(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.server.ask(put={"715.LocRemCtl": 1})
    bench.der.command(bench.lease(-900.0), bench.now)
    assert bench.server.get("704.WSetEna") == 0.0
    assert "local control" in bench.polled.fault


@pytest.mark.parametrize("place", [{"701.InvSt": 6}, {"701.ConnSt": 0}, {"713.Sta": 2}])
def test_a_device_in_trouble_offers_nothing(place: dict[str, float], make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.server.ask(put=place)
    possible = bench.look().possible
    assert possible is not None
    assert (possible.minimum_w, possible.maximum_w) == (0.0, 0.0)


def test_a_device_that_is_gone_is_met_again_when_it_is_back(make_bench: MakeBench) -> None:
    bench = make_bench()
    port = bench.server.port
    bench.server.end()
    bench.polled.refresh(5.0)
    assert "no connection" in bench.polled.fault
    bench.server = type(bench.server)("--port", str(port))
    bench.polled.refresh(5.0)
    assert bench.polled.fault == ""
