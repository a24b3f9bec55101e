"""Control under a meter that freezes, lies or is silent, services that come and go, and a reserve that must hold."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.configuration.control_config import parse_config
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.dispatch.cycle_record import replays
from devices.image import GridImage, Reading
from devices.leases import Lease
from devices.messages.control_messages import ChangeMode, GrantArming, Heartbeat, Mode
from devices.opening.simulated_devices import build_ders
from devices.response.fast_response import Arming
from devices.response.response_curve import curve_table
from devices.response.service_files import find_curve

SECOND_NS = 10**9
CAPACITY_WH, RESERVE, POWER_W = 400.0, 0.25, 3000.0
SERVICES = ("fcr-ce", "gb-dynamic-containment", "nordic-ffr")


@dataclass(frozen=True)
class Step:
    """What happens before a cycle: so much time passes, the meter shows this, the daemon says that."""

    seconds: float
    frequency_hz: float | None
    voltage_pu: float | None
    breaker_closed: bool | None
    frozen: bool
    arm: str | None
    armed_w: float
    mode: Mode
    beat: bool


steps = st.builds(
    Step,
    st.sampled_from([0.1, 0.1, 0.3, 1.0, 20.0]),
    st.sampled_from([49.4, 50.6, 50.0, 49.4, 50.6, 0.0, 1e9, None]),
    st.sampled_from([1.0, 1.0, 1.08, 0.0, 0.8, None]),
    st.none() | st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.none() | st.sampled_from(SERVICES),
    st.sampled_from([0.0, 100.0, 3000.0, 10_000.0]),
    st.sampled_from([*[Mode.GRID_SUPPORT] * 6, Mode.STANDBY, Mode.EMERGENCY_STOP]),
    st.booleans(),
)


class Meter:
    """A grid meter that shows what it is told, at the age it is told."""

    def __init__(self) -> None:
        self.image = GridImage(Reading.missing(0), Reading.missing(0))

    def show(self, step: Step, now: Instant) -> None:
        if step.frozen:
            return
        readings = [
            Reading.missing(now.real_ns) if value is None else Reading.of(value, now.real_ns)
            for value in (step.frequency_hz, step.voltage_pu)
        ]
        self.image = GridImage(readings[0], readings[1], step.breaker_closed)

    def measure(self, now: Instant) -> GridImage:
        return self.image


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=8, max_size=25), islanding=st.booleans())
def test_no_fault_of_meter_or_daemon_breaks_a_law(
    settings: Callable[..., dict[str, Any]], history: list[Step], islanding: bool
) -> None:
    battery = {
        "kind": "battery",
        "name": "battery",
        "charge_w": POWER_W,
        "discharge_w": POWER_W,
        "capacity_wh": CAPACITY_WH,
        "reserve": RESERVE,
        "initial_state_of_charge": RESERVE + 1e-5,
    }
    config = parse_config(
        settings(
            ders=[battery],
            profile=None,
            grid_profile="grid.csv",
            islanding=islanding,
            mandatory=[curve_table(find_curve("en-50549-lfsm-o"))],
        )
    )
    now, meter, sequence = Instant(SECOND_NS, 0), Meter(), count(1)
    ders = build_ders(config, None, {}, now)
    core = ControlCore(config, ders, None, FRESH, now, "control", meter)
    lowest_wh, released = CAPACITY_WH, False
    for step in history:
        now = Instant(
            now.real_ns + round(step.seconds * SECOND_NS), now.cell_ns + round(step.seconds * SECOND_NS)
        )
        meter.show(step, now)
        core.handle(ChangeMode(step.mode), now)
        if step.beat:
            core.handle(
                Heartbeat(Lease(True, False, now.real_ns, now.real_ns + SECOND_NS, "daemon", next(sequence))),
                now,
            )
        if step.arm is not None:
            arming = Arming(find_curve(step.arm), step.armed_w, step.armed_w)
            lease: Lease[Arming | None] = Lease(
                arming, None, now.real_ns, now.real_ns + 2 * SECOND_NS, "daemon", next(sequence)
            )
            core.handle(GrantArming(lease), now)
        core.cycle(now)
        record = core.cycles[-1]
        decision, inputs = record.decision, record.inputs
        assert replays(record)
        assert -POWER_W <= decision.power_w <= POWER_W
        if step.mode is not Mode.GRID_SUPPORT:
            assert decision.power_w == 0
        if inputs.response.frequency_hz is None:
            assert decision.offset_w == 0
        armed_w = sum(each.up_w for each in inputs.response.armed)
        assert abs(decision.offset_w) <= armed_w + POWER_W
        if not inputs.response.armed:
            assert decision.offset_w <= 0, "the overfrequency droop only takes"
        released |= inputs.batteries[0].reserve_released
        assert not (released and not islanding)
        stored_wh = ders[0].measure(now).stored_wh.value
        assert stored_wh is not None
        lowest_wh = min(lowest_wh, stored_wh)
    if not released:
        assert lowest_wh >= RESERVE * CAPACITY_WH - 1e-6
