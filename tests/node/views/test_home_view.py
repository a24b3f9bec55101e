"""The supplier's prices of a day by the hour, and what an owner is told of a home by them."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from home_uses import home_use, keep

from devices.hub.advice import Topic
from devices.process.hub_memory import HUB_NAME
from market.cell_state import CellState
from market.rules import TariffStep
from node.errors import InputRefusedError
from node.views.home_view import NO_PRICES, home_view, read_home, retail_by_hour
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S

HOUR_NS = 3600 * S


@cache
def founded() -> CellState:
    """A cell that has met."""
    cluster = Cluster(1, 4, 1, ClusterPlan(3 * S, 0.0, 0.0, S // 100))
    assert cluster.run().violation is None
    return cluster.nodes[0].core.ordering.tip.state


def cell(interval_s: int, *steps: tuple[int, int]) -> CellState:
    """A cell whose supplier asks so many µ/kWh from these hours on."""
    tariff = tuple(TariffStep(hour * 3600 // interval_s, price, 1_000) for hour, price in steps)
    rules = replace(founded().rules, interval_s=interval_s, gate_lead_s=0, tariff=tariff)
    return replace(founded(), rules=rules, tariffs=())


def test_each_hour_of_the_day_has_the_price_of_its_next_occurrence() -> None:
    state = cell(900, (0, 300_000), (24, 100_000), (30, 400_000))
    prices = retail_by_hour(state, 0, 12 * HOUR_NS)
    assert prices == (0.1,) * 6 + (0.4,) * 6 + (0.3,) * 12
    assert retail_by_hour(state, 0, 12 * HOUR_NS - 1) == prices


def test_a_price_that_changes_within_an_hour_is_its_mean_and_long_intervals_have_one() -> None:
    state = cell(1800, (0, 300_000))
    state = replace(state, tariffs=(TariffStep(13, 500_000, 1_000), TariffStep(14, 300_000, 1_000)))
    assert retail_by_hour(state, 0, 0)[5:8] == (0.3, 0.4, 0.3)
    assert retail_by_hour(cell(7200, (0, 300_000), (2, 200_000)), 0, 0)[:4] == (0.3, 0.3, 0.2, 0.2)


def test_the_owner_is_told_what_to_shift_and_what_runs_for_nothing() -> None:
    prices = tuple(0.1 if hour < 6 else 0.35 for hour in range(24))
    view = home_view(home_use(), prices)
    assert [(each.topic, each.name) for each in view.advice] == [
        (Topic.SHIFT, "dishes"),
        (Topic.FOR_NOTHING, "box"),
    ]
    assert view.advice[0].saves_money == pytest.approx(0.25 * 365)
    assert {each.name: each.whole_day for each in view.circuits} == {
        "dishes": True,
        "box": True,
        "new": False,
    }
    (still,) = home_view(home_use(), NO_PRICES).advice
    assert (still.topic, still.saves_money) == (Topic.FOR_NOTHING, 0.0)


def test_nothing_kept_is_nothing_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    assert read_home(tmp_path) is None
    keep(tmp_path)
    assert read_home(tmp_path) == home_use()
    (tmp_path / HUB_NAME).write_bytes(b"[]")
    with pytest.raises(InputRefusedError, match=r"hub\.json: .*move it away"):
        read_home(tmp_path)
