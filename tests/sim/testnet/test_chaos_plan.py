"""The plan of a chaos run: the same for the same seed, never more than the cell bears, and nothing impossible."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.testnet.chaos_plan import (
    FIRST,
    LAST,
    LINK_ACTIONS,
    LONGEST,
    RECOVERY,
    SHORTEST,
    Action,
    Disturbance,
    faults,
    plan,
)

sizes = st.integers(4, 16)
lengths = st.integers(7, 96)
seeds = st.integers(0, 2**32)


def surges(disturbances: tuple[Disturbance, ...], nodes: int) -> list[Disturbance]:
    """Those that disturb more nodes than the cell tolerates."""
    return [each for each in disturbances if each.cost > faults(nodes)]


@given(seeds, sizes, lengths)
def test_the_same_seed_gives_the_same_plan_in_the_order_of_time(
    seed: int, nodes: int, intervals: int
) -> None:
    found = plan(seed, nodes, intervals)
    assert found == plan(seed, nodes, intervals)
    assert found
    assert [each.at for each in found] == sorted(each.at for each in found)


@given(seeds, sizes, lengths)
def test_everything_happens_while_the_cell_trades(seed: int, nodes: int, intervals: int) -> None:
    for each in plan(seed, nodes, intervals):
        assert each.at >= FIRST
        assert each.until <= intervals - LAST + 0.02
        assert SHORTEST - 0.02 <= each.duration <= LONGEST


@given(seeds, sizes, lengths)
def test_never_more_than_f_nodes_are_disturbed_but_in_a_surge_which_stands_alone(
    seed: int, nodes: int, intervals: int
) -> None:
    found = plan(seed, nodes, intervals)
    above = surges(found, nodes)
    assert len(above) <= 1
    for each in found:
        same_time = [
            other for other in found if other.at <= each.at < other.until + RECOVERY - 0.02 and other != each
        ]
        if each in above:
            assert same_time == []
        else:
            assert sum(other.cost for other in same_time) + each.cost <= faults(nodes)
            assert not {node for other in same_time for node in other.nodes} & set(each.nodes)


@given(seeds, sizes, lengths)
def test_nodes_and_links_exist_and_an_old_copy_has_a_stop_before_it(
    seed: int, nodes: int, intervals: int
) -> None:
    stopped: set[int] = set()
    for each in plan(seed, nodes, intervals):
        assert len(set(each.nodes)) == len(each.nodes)
        assert set(each.nodes) <= set(range(nodes))
        if each.action in LINK_ACTIONS:
            assert len(each.nodes) == 2
        if each.action is Action.STOP:
            stopped |= set(each.nodes)
        if each.action is Action.OLD_COPY:
            assert set(each.nodes) <= stopped
        assert (min(each.bytes_per_s) > 0 and min(each.delays_s) > 0) == (each.action is Action.SLOW)


def test_seeds_differ_and_together_do_everything() -> None:
    plans = [plan(seed, 4, 24) for seed in range(100)]
    assert len(set(plans)) == len(plans)
    counted = Counter(each.action for found in plans for each in found)
    assert set(counted) == set(Action)
    with_surge = sum(bool(surges(found, 4)) for found in plans)
    assert 20 <= with_surge <= 60


def test_a_cell_that_tolerates_no_fault_or_has_no_time_gets_no_plan() -> None:
    with pytest.raises(ValueError, match="--nodes: chaos needs at least 4"):
        plan(1, 3, 24)
    with pytest.raises(ValueError, match="--intervals: chaos needs at least 7"):
        plan(1, 4, 6)
