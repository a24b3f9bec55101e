"""A SunSpec meter on Modbus TCP, against the server process."""

import pytest
from sunspec_bench import MakeBench, config, table

from devices.cell_clock import Instant
from devices.drivers.hardware import HardwareError
from devices.errors import ConfigurationError
from devices.image import DerKind
from devices.opening.real_devices import open_hardware
from devices.trials.conformance import examine
from sim.counterparts.started import counterpart


def test_every_law_is_kept(make_bench: MakeBench) -> None:
    assert examine(lambda: make_bench("meter")) == ()


@pytest.mark.parametrize(("positive", "shown_w"), [("drawn", -750.0), ("given", 750.0)])
def test_its_sign_is_what_the_owner_says(positive: str, shown_w: float, make_bench: MakeBench) -> None:
    bench = make_bench("meter", positive=positive)
    bench.server.ask(power_w=750.0)
    image = bench.look()
    assert (image.kind, image.power_w.value, image.setpoint_w.value) == (DerKind.LOAD, shown_w, None)


def test_a_power_that_is_not_implemented_is_missing(make_bench: MakeBench) -> None:
    bench = make_bench("meter")
    bench.server.ask(raw={"203.W_SF": 0x8000})
    assert bench.look().power_w.value is None


@pytest.mark.parametrize("fault", ["silence", "behind", "mixed"])
def test_no_answer_and_another_ones_answer_are_unknown(fault: str, make_bench: MakeBench) -> None:
    bench = make_bench("meter")
    bench.server.ask(fault=fault)
    image = bench.look()
    assert (image.power_w.value, image.counter) == (None, None)
    assert "unit 1" in bench.polled.fault
    bench.server.ask(fault="")
    assert bench.look().power_w.value == 0.0


def test_an_inverter_is_no_meter() -> None:
    with counterpart() as server:
        bench = config(table(server.port, "meter")).hardware[0]
        with pytest.raises(HardwareError, match="it is no meter"):
            open_hardware(bench, 0.0).exchange(None, Instant(10**12, 0))


def test_which_way_is_positive_must_be_said() -> None:
    with pytest.raises(ConfigurationError, match="positive: is missing; it must be one of drawn, given"):
        config({key: value for key, value in table(5020, "meter").items() if key != "positive"})
