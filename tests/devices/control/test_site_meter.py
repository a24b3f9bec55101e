"""The rest of a site behind a meter at its connection: exact in energy, and calm whatever the meter's delay."""

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.control.site_meter import SiteMeter
from devices.image import DerKind, DeviceImage, ProcessImage, Reading

STEP_NS = 100_000_000
AGE_NS = 1_000_000_000


def image(step: int, powers: Sequence[float | None], counters: Sequence[int | None]) -> ProcessImage:
    """The meter first, then the others."""
    now = Instant(step * STEP_NS, step * STEP_NS)
    missing = Reading.missing(now.real_ns)
    devices = []
    for number, (power_w, counter) in enumerate(zip(powers, counters, strict=True)):
        reading = missing if power_w is None else Reading.of(power_w, now.real_ns)
        name = f"device-{number}"
        devices.append(DeviceImage(name, DerKind.LOAD, reading, *[missing] * 4, counter))
    return ProcessImage(now, tuple(devices))


def rest(meter: SiteMeter, step: int, *powers: float | None) -> float | None:
    return meter.apply(image(step, powers, [0] * len(powers))).devices[0].power_w.value


@given(st.lists(st.one_of(st.none(), st.integers(-(10**15), 10**15)), min_size=1, max_size=5))
def test_all_devices_together_count_what_the_meter_counts(counters: list[int | None]) -> None:
    after = SiteMeter("device-0", 1.0, AGE_NS).apply(image(1, [0.0] * len(counters), counters))
    counted = [device.counter for device in after.devices]
    if None in counters:
        assert counted[0] is None
    else:
        assert sum(each for each in counted if each is not None) == counters[0]
    assert counted[1:] == counters[1:]


def test_what_is_not_known_leaves_the_rest_unknown() -> None:
    meter = SiteMeter("device-0", 1.0, AGE_NS)
    assert rest(meter, 0, -900.0, 100.0) == -1000.0
    assert rest(meter, 1, None, 100.0) is None
    assert rest(meter, 2, -900.0, None) is None
    assert rest(meter, 3, -900.0, 0.0) == -900.0


def test_while_a_battery_moves_the_rest_is_held() -> None:
    meter = SiteMeter("device-0", 1.0, AGE_NS)
    for step in range(25):
        assert rest(meter, step, -900.0, 0.0) == -900.0
    assert [rest(meter, step, -900.0, 900.0) for step in range(25, 45)] == [-900.0] * 20
    assert rest(meter, 46, 0.0, 900.0) == -900.0


@settings(max_examples=25)
@given(
    delay=st.integers(1, 20),
    loads_w=st.lists(st.integers(-6000, 2000), min_size=1, max_size=2),
    pause=st.sampled_from([1, 5, 10]),
)
@example(delay=7, loads_w=[-4000, -4015], pause=10)
def test_a_battery_that_follows_comes_to_rest(delay: int, loads_w: list[int], pause: int) -> None:
    """A battery cancels what it takes for the rest; the meter is behind by up to its pause, and averages nothing.

    After each step of the load the connection comes to nothing and stays there: it never swings.
    """
    meter = SiteMeter("device-0", 2.0, AGE_NS)
    battery_w, history, shown_w = 0.0, [0.0] * 40, 0.0
    step = 0
    for load_w in loads_w:
        for turn in range(150):
            history.append(load_w + battery_w)
            if step % pause == 0:
                shown_w = history[-1 - min(delay, 20 - pause)]
            seen_w = rest(meter, step, shown_w, battery_w)
            assert seen_w is not None
            battery_w = -seen_w
            step += 1
            if turn >= 100:
                assert abs(load_w + battery_w) <= 2.0
