"""Response curves: the published points, the laws of evaluation, and what a wrong file says."""

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import ServiceError
from devices.json_codec import from_json, to_json
from devices.response.response_command import response_command
from devices.response.response_curve import Effect, ResponseCurve, curve_table, parse_curve, response
from devices.response.service_files import built_in_curves, find_curve, known_curves

POINTS = Path(__file__).parents[2] / "vectors" / "services" / "points.csv"
PUBLISHED = list(csv.DictReader(POINTS.read_text("utf-8").splitlines()))
CURVES = built_in_curves()
curves = st.sampled_from(CURVES)
parts = st.floats(0, 1)
OWN = """
name = "village-hall"
title = "The village hall's own droop"
quantity = "frequency"
valid = [45.0, 55.0]
dead_band = [49.9, 50.1]
points = [[49.0, 0.5], [51.0, -0.5]]
full_activation_s = 2.0
source = "agreed with the village"
aliases = ["hall"]
"""


def at(curve: ResponseCurve, part: float) -> float:
    """The x that lies `part` of the way through what is plausible."""
    return min(curve.valid.highest, curve.valid.lowest + part * (curve.valid.highest - curve.valid.lowest))


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['service']} at {row['x']}")
def test_a_published_point_is_met(row: dict[str, str]) -> None:
    power = response(find_curve(row["service"]), float(row["x"]))
    assert power == pytest.approx(float(row["power_pu"]), abs=1e-9)


def test_every_service_has_published_points_and_a_source() -> None:
    tested = {row["service"] for row in PUBLISHED}
    assert tested == {curve.name for curve in CURVES}
    assert all(curve.source and curve.full_activation_s > 0 for curve in CURVES)


@given(curves, parts, parts)
def test_more_frequency_or_voltage_never_asks_for_more_power(
    curve: ResponseCurve, one: float, other: float
) -> None:
    lower, higher = sorted((at(curve, one), at(curve, other)))
    assert response(curve, lower) >= response(curve, higher) - 1e-12


@given(curves, parts)
def test_power_is_within_one_and_zero_in_the_dead_band(curve: ResponseCurve, part: float) -> None:
    x = at(curve, part)
    assert -1 <= response(curve, x) <= 1
    if curve.dead_band is not None and curve.dead_band.holds(x):
        assert response(curve, x) == 0


@given(curves, st.floats())
def test_what_is_not_plausible_is_refused(curve: ResponseCurve, x: float) -> None:
    if curve.valid.lowest <= x <= curve.valid.highest:
        assert abs(response(curve, x)) <= 1
        return
    with pytest.raises(ServiceError, match="out of range"):
        response(curve, x)


@given(curves)
def test_a_curve_comes_back_from_its_table_and_from_the_control_socket(curve: ResponseCurve) -> None:
    assert parse_curve(curve_table(curve)) == curve
    assert from_json(ResponseCurve, to_json(curve)) == curve


def test_names_and_aliases_lead_to_one_curve_each() -> None:
    spellings = [spelling for curve in CURVES for spelling in (curve.name, *curve.aliases)]
    assert len(spellings) == len(set(spellings))
    for curve in CURVES:
        for spelling in (curve.name, *curve.aliases):
            assert find_curve(spelling.upper().replace("-", "_")) is curve
    assert find_curve("Dynamic Containment, GB") is find_curve("gb-dynamic-containment")
    assert find_curve("IEEE 1547 VoltVar") is find_curve("ieee-1547-volt-var")


def test_mandatory_rules_are_marked() -> None:
    mandatory = {curve.name for curve in CURVES if curve.mandatory}
    assert mandatory == {curve.name for curve in CURVES if curve.name.startswith(("ieee-", "en-"))}
    assert {curve.effect for curve in CURVES} == set(Effect)


def test_the_operator_adds_a_curve_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN)
    assert response(find_curve("hall", [file]), 49.5) == 0.25
    assert response(find_curve(str(file)), 49.95) == 0
    assert "village-hall" in known_curves([file])


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        ('"frequency"', '"colour"', "quantity: is 'colour'; it must be one of frequency, voltage"),
        ("[51.0, -0.5]", "[48.0, -0.5]", "points: x must never fall"),
        ("0.5]]", "50]]", "points: power is per unit"),
        ("[49.9, 50.1]", "[50.1, 49.9]", "dead_band: is .*the lower one first"),
        ("source", "sauce", "sauce: is not a field here"),
        ('name = "village-hall"', 'name = "fcr-ce"', "name: 'fcr-ce' is taken"),
        ("[[49.0, 0.5], [51.0, -0.5]]", "[[nan, 0.5]]", "points: is .*pairs of numbers"),
        ("name =", "name", "cannot be read"),
    ],
)
def test_a_mistake_in_a_curve_names_file_and_field(
    tmp_path: Path, wrong: str, right: str, message: str
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN.replace(wrong, right))
    with pytest.raises(ServiceError, match=message) as caught:
        known_curves([file])
    assert str(caught.value).startswith(str(file))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ServiceError, match=r"nowhere\.toml: no such file"):
        find_curve("nowhere.toml")


def test_the_curves_are_in_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["package-data"]["devices"] == ["services/*.toml"]


def test_the_command_prints_the_power_per_unit(capsys: pytest.CaptureFixture[str]) -> None:
    response_command("fcr-ce", hz=49.9)
    assert capsys.readouterr().out == "0.5\n"
    response_command("fcr-ce", hz=50.0, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["service"], answer["power_pu"], answer["dead_band"]) == ("fcr-ce", 0, [49.99, 50.01])


def test_the_command_lists_every_service(capsys: pytest.CaptureFixture[str]) -> None:
    response_command(list_services=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [curve.name for curve in CURVES]
    response_command(list_services=True, as_json=True)
    assert [parse_curve(each) for each in json.loads(capsys.readouterr().out)] == list(CURVES)


@pytest.mark.parametrize(
    ("service", "hz", "volt", "message"),
    [
        ("fcr", 50.0, None, "no such service; did you mean"),
        ("purple", 50.0, None, "no such service; All are listed"),
        (None, 50.0, None, "name a service"),
        ("fcr-ce", None, None, "--hz"),
        ("fcr-ce", None, 1.0, "--hz"),
        ("volt-var", 50.0, 1.0, "--volt"),
        ("fcr-ce", 60.0, None, "out of range"),
        ("volt-watt", None, 230.0, "per unit of nominal voltage"),
    ],
)
def test_the_command_says_what_is_wrong(
    service: str | None, hz: float | None, volt: float | None, message: str
) -> None:
    with pytest.raises(ServiceError, match=message):
        response_command(service, hz=hz, volt=volt)


def test_the_documents_show_every_service_and_true_answers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "grid-services.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` ", text, re.M)) == {curve.name for curve in CURVES}
    shown = re.findall(r"^\$ wattswarm devices response (\S+) --(\w+) (\S+)\n(\S+)$", text, re.M)
    assert shown
    for service, option, value, answer in shown:
        response_command(service, **{option: float(value)})
        assert capsys.readouterr().out.strip() == answer
    own = next(block for block in re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S) if "points" in block)
    (tmp_path / "own.toml").write_text(own)
    assert response(find_curve(str(tmp_path / "own.toml")), 49.5) == 0.25
