"""Real switchgear by its registers: what is unknown closes nothing, and what is told must show."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from switchgear_bench import SwitchgearBench, parsed, switchgear_bench, table

from devices.leases import Accepted, Refused
from devices.resilience.switchgear import REST, SwitchOrder
from devices.switchgear.panel import UNKNOWN, Panel, forbidden, panel_of
from devices.switchgear.points import Measured, State
from devices.switchgear.section import together
from node.cli.root import app
from sim.counterparts.started import Started

FORM = SwitchOrder(form=True)
CLOSE = SwitchOrder(form=True, close_breaker=True)


def formed(bench: SwitchgearBench) -> None:
    bench.lose_the_grid()
    bench.hold(FORM, lambda truth, _: truth["forming"])
    while bench.look().forming is not True:
        bench.order(FORM)


def test_both_sides_of_the_breaker_are_read() -> None:
    with switchgear_bench() as bench:
        image = bench.look()
        assert image.breaker_closed is True
        assert image.forming is False
        assert image.voltage_pu.value == pytest.approx(1.0)
        assert image.public_frequency_hz is not None
        assert image.public_frequency_hz.value == pytest.approx(50.0)


def test_a_former_forms_on_a_dead_bus_at_the_frequency_it_is_told_and_lets_go() -> None:
    with switchgear_bench() as bench:
        formed(bench)
        bench.hold(
            SwitchOrder(form=True, island_hz=50.2), lambda truth, _: abs(truth["bus_hz"] - 50.2) < 1e-6
        )
        assert bench.truth()["watchdog_s"] == 3
        bench.hold(REST, lambda truth, _: not truth["forming"])
        assert bench.truth()["refused"] == []


def test_nothing_closes_onto_a_live_bus_or_out_of_step() -> None:
    with switchgear_bench() as bench:
        bench.look()
        assert bench.order(FORM) == Refused("a former closes onto a dead bus only")
        formed(bench)
        assert bench.order(CLOSE) == Refused("the public grid is dead, and nothing may be fed into it")
        bench.server.ask(grid=[230.0, 50.0])
        while bench.look().public_voltage_pu.value != 1.0:  # type: ignore[union-attr]
            bench.order(FORM)
        assert bench.order(CLOSE) == Refused("the angle is too large")
        assert bench.truth()["refused"] == []


def test_the_breaker_closes_when_both_sides_agree_and_the_command_is_taken_back() -> None:
    with switchgear_bench() as bench:
        formed(bench)
        bench.server.ask(grid=[230.0, 50.0])
        slow = SwitchOrder(form=True, island_hz=49.92)
        # A little slower than the grid, the island drifts past it; at the right moment the breaker is told.
        bench.hold(
            slow,
            lambda truth, _: abs(bench.driver.measure(bench.now()).angle_degrees.value or 90) < 6,  # type: ignore[union-attr]
        )
        bench.hold(CLOSE, lambda truth, _: truth["closed"])
        bench.hold(REST, lambda truth, _: not truth["forming"] and not truth["told_to_close"])
        assert bench.truth()["refused"] == []


def test_what_cannot_be_believed_is_unknown_and_closes_nothing() -> None:
    with switchgear_bench() as bench:
        bench.lose_the_grid()
        for fault in ("silence", "delay", "behind", "mixed", "freeze", "mad"):
            bench.server.ask(fault=fault)
            while bench.driver.measure(bench.now()).voltage_pu.value is not None:
                assert bench.driver.refresh(20)
            assert isinstance(bench.order(FORM), Refused), fault
            assert bench.driver.refresh(20)
            assert not bench.truth()["forming"], fault
            bench.server.ask(fault="")
            while bench.driver.measure(bench.now()).voltage_pu.value is None:
                assert bench.driver.refresh(20)
        bench.hold(FORM, lambda truth, _: truth["forming"])
        assert bench.truth()["refused"] == []


def test_a_silence_lets_nothing_go() -> None:
    with switchgear_bench(watchdog_s=30) as bench:
        formed(bench)
        bench.server.ask(fault="silence")
        while bench.look().forming is not None:
            pass
        # Control, which sees no former, orders none; that was decided blindly.
        bench.order(REST)
        bench.server.ask(fault="")
        while bench.look().forming is None:
            pass
        assert bench.truth()["forming"]
        bench.hold(FORM, lambda truth, answer: answer == Accepted())
        assert bench.truth()["forming"]


def test_a_device_that_refuses_or_does_not_follow_is_reported() -> None:
    with switchgear_bench() as bench:
        bench.lose_the_grid()
        bench.server.ask(fault="refuse")
        answer = bench.hold(FORM, lambda truth, answer: isinstance(answer, Refused))
        assert "refused, it failed" in str(answer)
        bench.server.ask(fault="stuck")
        bench.hold(FORM, lambda truth, answer: "told to form" in str(answer))
        assert not bench.truth()["forming"]


def test_when_the_lease_ends_the_former_lets_go() -> None:
    with switchgear_bench() as bench:
        formed(bench)
        bench.order(FORM, lasts_ns=200_000_000)
        bench_truth: dict[str, Any] = bench.truth()
        while bench_truth["forming"]:
            assert bench.driver.refresh(20)
            bench_truth = bench.truth()


def test_when_the_process_is_gone_the_hardware_lets_go_by_its_own_watchdog() -> None:
    with switchgear_bench() as bench:
        formed(bench)
        # The connection ends without a word, as when the process is killed.
        bench.driver._act = lambda *args, **named: ""  # type: ignore[method-assign]
        bench.server.ask(advance=3.5)
        bench.server.ask(advance=0.1)
        assert not bench.truth()["forming"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"host": None}, "switchgear.host"),
        ({"form": {"kind": "coil", "address": 0}}, "switchgear.form: is the same coil 0 as close_breaker"),
        ({"heartbeat": None}, "switchgear.watchdog: needs a heartbeat"),
        ({"breaker": {"kind": "coil", "address": 0}}, "switchgear.breaker: must be read back from elsewhere"),
        ({"form": {"kind": "input", "address": 9}}, "switchgear.form.kind: is 'input'; it must be one of"),
        (
            {"breaker": {"kind": "input", "address": 9, "on": 3, "off": 3}},
            "switchgear.breaker.on: must differ",
        ),
        ({"colour": 1}, "switchgear.colour: is not a field here"),
        ({"island_voltage": {"address": 0, "scale": 0}}, "switchgear.island_voltage.scale"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], problem: str) -> None:
    source = {key: value for key, value in (table(502) | changes).items() if value is not None}
    assert any(problem in each for each in parsed(source)[1]), parsed(source)[1]


bits = st.none() | st.booleans()
numbers = st.none() | st.floats(0, 1.4)
panels = st.builds(Panel, bits, bits, numbers, st.none() | st.floats(45, 55), numbers, st.none() | st.floats(45, 55),
                   st.none() | st.floats(-180, 180))  # fmt: skip


@given(panels, st.builds(SwitchOrder, st.booleans(), st.booleans()))
def test_what_is_let_pass_is_known_to_be_safe(panel: Panel, order: SwitchOrder) -> None:
    if forbidden(order, panel):
        return
    if order.form and panel.forming is not True:
        assert panel.breaker_closed is False
        assert panel.island_pu is not None
        assert panel.island_pu < 0.1
    if order.close_breaker and panel.breaker_closed is not True:
        assert panel.breaker_closed is False
        assert panel.grid_pu is not None
        assert panel.grid_pu >= 0.1
        assert panel.island_pu is not None
        if panel.island_pu >= 0.1:
            assert panel.angle is not None
            assert abs(panel.angle) <= 10


@given(st.booleans(), st.booleans())
def test_of_what_is_unknown_nothing_but_letting_go_is_passed_on(form: bool, close: bool) -> None:
    assert bool(forbidden(SwitchOrder(form, close), UNKNOWN)) == (form or close)


@given(st.dictionaries(st.sampled_from(sorted(table(502))), st.integers(0, 65_535)))
def test_any_registers_are_known_values_or_none(changed: dict[str, int]) -> None:
    config = parsed(table(502))[0]
    assert config is not None
    raws = dict.fromkeys(config.points, 0) | {"identity": 4711}
    raws |= {name: raw for name, raw in changed.items() if name in raws and name != "identity"}
    panel = panel_of(config, raws)
    for voltage_pu in (panel.island_pu, panel.grid_pu):
        assert voltage_pu is None or 0 <= voltage_pu <= 1.5
    for hz in (panel.island_hz, panel.grid_hz):
        assert hz is None or 40 <= hz <= 70
    assert panel.angle is None or abs(panel.angle) <= 180


@given(st.integers(-32_768, 32_767))
def test_a_signed_register_holds_what_it_is_given(number: int) -> None:
    point = Measured("holding", 0, 0.1, signed=True)
    raw = point.raw(number * 0.1)
    assert raw is not None
    assert point.value(raw) == pytest.approx(number * 0.1)


def test_neighbours_are_read_together_and_gaps_are_not() -> None:
    points: dict[str, State | Measured] = {
        str(address): Measured("input", address, 1.0) for address in (3, 0, 1, 9)
    }
    assert together(points) == [("input", 0, 2), ("input", 3, 1), ("input", 9, 1)]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """A command's exit status and JSON."""
    try:
        app(["devices", *words, "--json"], result_action="return_value")
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(capsys.readouterr().out)


def node_file(directory: Path, port: int) -> Path:
    """A configuration with the switchgear alone."""
    lines = ["[node]", 'name = "home"', "[site.switchgear]"]
    for key, value in table(port).items():
        inline = value
        if isinstance(value, dict):
            pairs = ", ".join(f"{name} = {json.dumps(each)}" for name, each in value.items())
            inline = f"{{ {pairs} }}"
            lines.append(f"{key} = {inline}")
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    path = directory / "node.toml"
    path.write_text("\n".join(lines))
    return path


def test_commands_find_show_and_try_it_without_closing_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Started("switchgear_server", "--real-time")
    try:
        config = str(node_file(tmp_path, server.port))
        code, found = run(capsys, "scan", config)
        assert code == 0
        assert "the breaker is closed, the former does not form" in found["silent"][0]
        code, shown = run(capsys, "show", config)
        values = {each["point"]: each["value"] for each in shown["switchgear"]["values"]}
        assert code == 0
        assert values["breaker"] == "on"
        assert values["grid_frequency"] == "50"
        assert values["breaker_closed"] == "True"
        code, tried = run(capsys, "test", config, "switchgear")
        steps = {each["name"]: each["passed"] for each in tried["switchgear"]}
        assert code == 0
        assert steps == {
            "answers": True,
            "is believed": True,
            "lives": True,
            "takes writes": True,
            "closes": None,
        }
        truth = server.ask(get=True)
        assert truth["closed"]
        assert not truth["forming"]
        server.ask(fault="silence")
        assert run(capsys, "show", config)[0] == 1
        assert run(capsys, "scan", config)[0] == 1
    finally:
        server.end()
