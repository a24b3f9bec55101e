"""The members' parts of a branch limit add up to it, whatever they have contracted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from market.outcomes import ClearingOutcome
from market.rules import BranchLimit, TariffStep
from market.services.limits import connection_limits

positions = st.lists(st.integers(-900, 900), min_size=4, max_size=4)


def clearing(*limits: BranchLimit) -> ClearingOutcome:
    return ClearingOutcome(100, TariffStep(0, 300, 40), (None,) * 3, (0,) * 3, 0, 0, 0, 0, (), limits)


@given(positions, st.integers(0, 5_000))
def test_parts_of_a_limit_less_what_flows_back_are_the_limit(
    cell_world: Any, contracted: list[int], limit_mw: int
) -> None:
    """At one hour an mWh is a milliwatt. The clearing keeps the net within the limit; so is what all may do."""
    world = cell_world()
    contracts = dict(zip(world.ids, contracted, strict=False))
    outcome = clearing(BranchLimit(0, 100, 100, limit_mw))
    parts = [connection_limits(world.rules, outcome, contracts, member) for member in world.ids[:4]]
    assert all(part is not None for part in parts)
    withdrawn = sum(part[0] for part in parts if part is not None)
    injected = sum(part[1] for part in parts if part is not None)
    planned_up = sum(max(0, energy) for energy in contracted)
    planned_down = sum(max(0, -energy) for energy in contracted)
    net = sum(contracted)
    if abs(net) <= limit_mw:
        assert withdrawn - planned_up <= limit_mw and injected - planned_down <= limit_mw
        nameplates = sum(rule.max_withdrawal_mw for rule in world.rules.members)
        assert withdrawn - planned_up == min(limit_mw, nameplates - net)
    for part, energy in zip(parts, contracted, strict=True):
        assert part is not None
        assert part[0] >= max(0, -energy) and part[1] >= max(0, energy)


def test_only_the_branch_and_what_is_below_it_is_held(cell_world: Any) -> None:
    world = cell_world()
    outcome = clearing(BranchLimit(1, 100, 100, 250))
    assert connection_limits(world.rules, outcome, {}, world.ids[0]) is None
    assert connection_limits(world.rules, outcome, {}, world.ids[1]) == (250, 250)
    assert connection_limits(world.rules, clearing(), {}, world.ids[1]) is None
    assert connection_limits(world.rules, outcome, {}, world.ids[5]) is None
