"""Device types in a configuration, and a control process that steers them: limits, tiers, unknowns, replay."""

from typing import Any

import pytest
from device_examples import EXAMPLES, HOUR_NS, NOON_NS, configuration
from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import Instant
from devices.configuration.reversions import reversions
from devices.control.control import ControlCore
from devices.control.control_state import FRESH
from devices.der import Der
from devices.dispatch.cycle_record import CycleRecord, replays
from devices.dispatch.dispatch import DispatchInput, NetToZero, dispatch
from devices.dispatch.flexible_loads import FlexibleInput, permit, room_w
from devices.errors import ConfigurationError
from devices.image import DerKind, DeviceImage, Reading
from devices.json_codec import from_json, to_json
from devices.limits import PowerRange
from devices.opening.simulated_devices import build_ders

MS_NS = 1_000_000


def problems(der: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        configuration([der])
    return caught.value.problems


def example(type_name: str, **changes: Any) -> dict[str, Any]:
    return {"type": type_name, "name": type_name, **EXAMPLES[type_name], **changes}


@pytest.mark.parametrize(
    ("type_name", "changes", "message"),
    [
        (
            "home-battery",
            {"capacity_wh": "big"},
            "ders[0].capacity_wh: is 'big'; it must be a number from 1 to",
        ),
        (
            "home-battery",
            {"colour": "red"},
            "ders[0].colour: is not a field here; known are ageing, capacity_wh",
        ),
        (
            "home-battery",
            {"reversion_w": 10},
            "ders[0].reversion_w: is 10; it must be a number from -3000 to 0",
        ),
        ("flywheel", {"lowest_rpm": 20_000}, "ders[0].type: flywheel: lowest_rpm must be below highest_rpm"),
        (
            "rack-power-unit",
            {"capacity_wh": 200},
            "ders[0].capacity_wh: is 200; it must be a number from 10 to 100",
        ),
        ("rack-power-unit", {"low": 0.9}, "ders[0].type: rack-power-unit: low must be below high"),
        ("ups", {"topology": "magic"}, "ders[0].topology: is 'magic'; it must be one of double-conversion"),
        ("ups", {"use": [[8, 20]]}, "ders[0].use: is [[8, 20]]; it must be a list of at most 96 rows [from"),
        ("ups", {"use": [[8, 25, 1]]}, "ders[0].use: is [[8, 25, 1]]; it must be a list of at most 96 rows"),
        ("dc-bus", {"assemblies": []}, "ders[0].type: dc-bus: assemblies must name at least one battery"),
        ("wind", {"cut_in_m_s": 12}, "ders[0].type: wind: cut_in_m_s, rated_m_s and cut_out_m_s must rise"),
        ("fuel-cell", {"minimum_w": 800}, "ders[0].type: fuel-cell: minimum_w must not be above rated_w"),
        ("ev-charger", {"phases": 4}, "ders[0].phases: is 4; it must be a whole number from 1 to 3"),
        (
            "ev-charger",
            {"phases": 3, "maximum_w": 3000},
            "ders[0].type: ev-charger: minimum_a on 3 phases are",
        ),
        ("ev-charger", {"deferrable": "no"}, "ders[0].deferrable: is 'no'; it must be true or false"),
        ("heat-pump", {"to_c": 40}, "ders[0].type: heat-pump: room_c, comfort_c, from_c and to_c must rise"),
        (
            "circuit",
            {"tier": "vital"},
            "ders[0].tier: is 'vital'; it must be one of critical, essential, normal",
        ),
    ],
)
def test_a_wrong_key_of_a_device_gets_one_clear_message(
    type_name: str, changes: dict[str, Any], message: str
) -> None:
    (found,) = problems(example(type_name, **changes))
    assert found.startswith(message)


def test_a_type_that_nobody_knows_is_told_what_there_is() -> None:
    (found,) = problems({"type": "toaster", "name": "toaster"})
    assert found.startswith("ders[0].type: is 'toaster'; it must be one of home-battery, battery-backup-unit")


def test_the_load_behind_a_device_has_a_name_of_its_own() -> None:
    with pytest.raises(ConfigurationError, match="'ups-load', the load behind it, is taken"):
        configuration([example("circuit", name="ups-load"), example("ups")])


def test_a_wrong_place_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"surroundings.latitude_deg: is 99; it must be a number"):
        configuration([], surroundings={"latitude_deg": 99})


def test_without_control_everything_reverts_to_a_safe_share_of_the_limits() -> None:
    ders = [example("solar"), example("wind"), example("ev-charger"), example("heat-pump"), example("ups")]
    held = reversions(configuration(ders, connection={"minimum_w": -4_000, "maximum_w": 2_000}))
    assert held["solar"] + held["wind"] == pytest.approx(2_000.0)
    protected_w = 1.25 * 300 / 0.95
    assert held["ev-charger"] + held["heat-pump"] == pytest.approx(-(4_000 - protected_w - 100))
    assert held["ups"] == -100.0
    chosen = example("ev-charger", reversion_w=-1_380)
    assert reversions(configuration([chosen])) == {"ev-charger": -1_380.0}


def test_without_control_a_critical_circuit_keeps_all_it_needs_before_a_car_gets_any() -> None:
    ders = [
        example("ev-charger"),
        example("circuit", name="office", tier="normal", always_w=700),
        example("circuit", name="fridge", tier="critical"),
    ]
    held = reversions(configuration(ders, connection={"minimum_w": -1_400, "maximum_w": 0}))
    assert held == {"fridge": -300.0, "office": -950.0, "ev-charger": pytest.approx(-150.0)}
    short = reversions(configuration(ders, connection={"minimum_w": -500, "maximum_w": 0}))
    assert short == {"fridge": -300.0, "office": -200.0, "ev-charger": 0.0}


def power(draw: Any, lowest: float, highest: float) -> float:
    return float(draw(st.floats(lowest, highest)))


@st.composite
def situations(draw: Any) -> tuple[tuple[FlexibleInput, ...], DispatchInput]:
    flexible = []
    for index in range(draw(st.integers(0, 6))):
        built_w = power(draw, -5_000, 0)
        wanted_w = power(draw, built_w, 0)
        needed_w = power(draw, wanted_w, 0)
        drawn_w = draw(st.none() | st.floats(built_w, 0))
        flexible.append(
            FlexibleInput(f"load {index}", built_w, drawn_w, wanted_w, needed_w, draw(st.integers(0, 3)))
        )
    drawn_w = sum(each.minimum_w if each.drawn_w is None else each.drawn_w for each in flexible)
    must_w = power(draw, -5_000, 0)
    connection = PowerRange(power(draw, -10_000, 0), 5_000.0)
    load = PowerRange(must_w + drawn_w, must_w)
    inputs = DispatchInput(False, False, (), (), load, 0.0, connection, NetToZero(), 0.3)
    return tuple(flexible), inputs


@given(situations())
def test_flexible_loads_stay_within_the_import_limit_and_their_nameplates(
    situation: tuple[tuple[FlexibleInput, ...], DispatchInput],
) -> None:
    flexible, inputs = situation
    decision = dispatch(inputs)
    permitted = permit(flexible, inputs, decision)
    room = room_w(flexible, inputs, decision)
    assert -sum(each.power_w for each in permitted) <= room + 1e-6
    for each, told in zip(flexible, permitted, strict=True):
        assert each.minimum_w <= told.power_w <= 0
    if -sum(each.needed_w for each in flexible) <= room:
        assert all(
            told.power_w <= each.needed_w + 1e-6 for each, told in zip(flexible, permitted, strict=True)
        )
    if -sum(each.minimum_w for each in flexible) <= room - 1e-6:
        assert all(
            told.power_w == pytest.approx(each.minimum_w)
            for each, told in zip(flexible, permitted, strict=True)
        )


def test_when_power_is_short_the_critical_tier_is_served_first() -> None:
    names = {"fridge": 0, "kitchen": 1, "office": 2}
    flexible = tuple(
        FlexibleInput(name, -1_000.0, -1_000.0, -1_000.0, -1_000.0, rank) for name, rank in names.items()
    )
    connection = PowerRange(-1_500.0, 0.0)
    inputs = DispatchInput(
        False, False, (), (), PowerRange(-3_000.0, -3_000.0), 0.0, connection, NetToZero(), 0.3
    )
    permitted = permit(flexible, inputs, dispatch(inputs))
    assert [each.power_w for each in permitted] == [-1_000.0, -500.0, 0.0]


class Blind:
    """A store whose state of charge cannot be read."""

    def __init__(self, der: Der) -> None:
        self._der = der
        self.name = der.name
        self.nameplate = der.nameplate
        self.command = der.command

    def measure(self, now: Instant) -> DeviceImage:
        image = self._der.measure(now)
        missing = Reading.missing(now.real_ns)
        return DeviceImage(
            image.name, image.kind, image.power_w, image.setpoint_w, missing, missing, missing, image.counter
        )


def controlled(
    ders: list[dict[str, Any]], cycles: int, *, blind: bool = False, **changes: Any
) -> tuple[ControlCore, list[CycleRecord]]:
    config = configuration(ders, **changes)
    start = Instant(0, NOON_NS)
    built = build_ders(config, None, {}, start)
    if blind:
        built = tuple(Blind(der) if der.nameplate.kind is DerKind.BATTERY else der for der in built)
    core = ControlCore(config, built, None, FRESH, start, "test")
    for cycle in range(1, cycles + 1):
        core.cycle(Instant(cycle * 100 * MS_NS, NOON_NS + cycle * 100 * MS_NS))
    return core, list(core.cycles)


EVERYTHING = [example(type_name) for type_name in EXAMPLES]


def test_a_node_with_every_device_type_runs_without_alarms_and_replays() -> None:
    core, records = controlled(EVERYTHING, 60, connection={"minimum_w": -60_000, "maximum_w": 60_000})
    assert core.greeting(1)[1:] == ()
    assert all(replays(record) for record in records)
    assert from_json(CycleRecord, to_json(records[-1])) == records[-1]


def test_an_import_limit_sheds_what_can_wait_and_keeps_what_cannot() -> None:
    ders = [
        example("circuit", name="fridge", tier="critical"),
        example("ev-charger"),
        example("appliance", ready_h=0, deadline_h=24),
    ]
    _, records = controlled(ders, 50, connection={"minimum_w": -1_500, "maximum_w": 0})
    told = {each.name: each.power_w for each in records[-1].permitted}
    assert told["fridge"] == -300.0
    assert told["ev-charger"] + told["appliance"] == pytest.approx(-1_200.0)
    assert records[-1].inputs.load.minimum_w >= -1_500.0


@pytest.mark.parametrize("type_name", ["home-battery", "flywheel", "ups", "rack-power-unit", "dc-bus"])
def test_a_store_that_nobody_can_read_is_never_discharged(type_name: str) -> None:
    ders = [example(type_name), example("circuit", always_w=2_000)]
    core, records = controlled(ders, 20, blind=True)
    told = [
        each.power_w for record in records for each in record.decision.setpoints if each.name == type_name
    ]
    assert len(told) == 20
    assert max(told) <= 0.0
    assert "state-of-charge-unknown" in {alarm.code.value for alarm in core.greeting(1)[1:]}


def test_an_outage_shows_in_the_load_behind_a_ups_and_not_at_its_terminals() -> None:
    config = configuration([example("ups")], surroundings={"outages": [[12, 13]]})
    device, load = build_ders(config, None, {}, Instant(0, NOON_NS))
    during = Instant(0, NOON_NS + HOUR_NS // 2)
    assert load.measure(during).power_w.value == 0.0
    assert device.measure(during).power_w.value == 0.0
    stored_wh = device.measure(during).stored_wh.value
    assert stored_wh == pytest.approx(250.0 - 150.0 / 0.93 - 2.5, rel=0.01)
