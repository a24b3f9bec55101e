"""Feeder voltage: close to a full power flow of a published feeder, exact where a line is short, and mistakes named."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.grid.evening_peak import HOMES, street
from sim.grid.feeder_voltage import FeederNode, RadialFeeder

VECTOR = Path(__file__).parents[2] / "vectors" / "feeders" / "cigre_lv_residential.json"


def test_the_cigre_feeder_is_within_a_quarter_of_a_percent_of_pandapower() -> None:
    vector = json.loads(VECTOR.read_text("utf-8"))
    nodes = {node["name"]: node for node in vector["nodes"]}
    feeder = RadialFeeder(
        [
            FeederNode(
                name,
                None if node["parent"] == vector["root"] else node["parent"],
                node["r_ohm"],
                node["x_ohm"],
            )
            for name, node in nodes.items()
        ]
    )
    active = np.array([[nodes[name]["p_w"] for name in feeder.names]])
    reactive = np.array([[nodes[name]["q_var"] for name in feeder.names]])
    root_v = vector["root_voltage_pu"] * vector["nominal_v"]
    voltages = feeder.voltages_v(root_v, active, reactive)[0] / vector["nominal_v"]
    exact = np.array([nodes[name]["voltage_pu"] for name in feeder.names])
    # Without losses voltages are a little high, never low, where all withdraw.
    assert (voltages >= exact - 1e-9).all()
    assert np.abs(voltages - exact).max() < 0.0025


@given(st.floats(-50_000, 50_000), st.floats(-20_000, 20_000), st.floats(0.001, 0.1), st.floats(0.001, 0.1))
def test_one_line_is_off_by_its_losses_only(p_w: float, q_var: float, r_ohm: float, x_ohm: float) -> None:
    feeder = RadialFeeder([FeederNode("home", None, r_ohm, x_ohm)])
    found = feeder.voltages_v(400.0, np.array([[p_w]]), np.array([[q_var]]))[0, 0]
    # The exact voltage solves V^4 - (V0^2 + 2(rP + xQ)) V^2 + (r^2 + x^2)(P^2 + Q^2) = 0.
    linear = 400.0**2 + 2 * (r_ohm * p_w + x_ohm * q_var)
    losses = (r_ohm**2 + x_ohm**2) * (p_w**2 + q_var**2)
    root = linear**2 - 4 * losses
    if root >= 0:
        exact = ((linear + root**0.5) / 2) ** 0.5
        assert exact <= found + 1e-9
        assert found**2 - exact**2 == pytest.approx(losses / exact**2, rel=1e-6, abs=1e-6)


def test_moments_do_not_touch_each_other_and_nothing_flows_at_rest() -> None:
    feeder = street()
    quiet = np.zeros((2, HOMES))
    assert feeder.voltages_v(400.0, quiet, quiet).tolist() == [[400.0] * HOMES] * 2
    busy = quiet.copy()
    busy[1] = -1000.0
    both = feeder.voltages_v(400.0, busy, quiet)
    assert both[0].tolist() == [400.0] * HOMES
    assert (both[1] < 400.0).all()


def test_a_line_carries_all_that_is_below_it() -> None:
    nodes = [FeederNode("c", "b", 1, 1), FeederNode("b", "a", 1, 1), FeederNode("a", None, 1, 1)]
    feeder = RadialFeeder(nodes)
    assert feeder.names == ("a", "b", "c")
    assert feeder.downstream(np.array([[1.0, 2.0, 4.0]])).tolist() == [[7.0, 6.0, 4.0]]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([FeederNode("a", None, 1, 1), FeederNode("a", None, 1, 1)], "the name of another"),
        ([FeederNode("a", "b", 1, 1), FeederNode("b", "a", 1, 1)], "does not hang on the root"),
    ],
)
def test_a_feeder_that_is_no_tree_is_refused(nodes: list[FeederNode], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RadialFeeder(nodes)
