"""Shares of a request: exact, within headroom, without the reserve, the same everywhere, bounded when stale."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.swarm.apportion import LARGEST_WEIGHT, apportion
from devices.swarm.shares import Shares, equalised, proportional, stale_bound_mw
from devices.swarm.view import Member, Request, SwarmView

Split = Callable[[SwarmView, Request], Shares]
SPLITS: tuple[Split, ...] = (proportional, equalised)
powers_mw = st.integers(0, 20_000_000)
BRANCHES = ("north", "south", "south/east")


@st.composite
def members(draw: st.DrawFn) -> Member:
    capacity = draw(st.integers(0, 20_000_000))
    stored = draw(st.integers(0, capacity))
    reserve = draw(st.integers(0, capacity))
    return Member(
        id=str(draw(st.uuids())),
        branch=draw(st.sampled_from(BRANCHES)),
        up_mw=draw(powers_mw),
        down_mw=draw(powers_mw),
        up_energy=max(0, stored - reserve),
        down_energy=capacity - stored,
        stored=stored,
        capacity=capacity,
        health=draw(st.integers(0, 1000)),
        distance=draw(st.integers(0, 5)),
        wear=draw(st.integers(0, 100_000)),
    )


swarms = st.lists(members(), max_size=12, unique_by=lambda member: member.id)
requests = st.builds(
    Request,
    st.just("request"),
    st.integers(-100_000_000, 100_000_000),
    st.integers(1, 86_400),
    st.none() | st.lists(st.sampled_from(BRANCHES), max_size=3).map(tuple),
    st.none() | st.integers(0, 5),
    st.integers(0, 1000),
)


def largest_remainder(total: int, weights: list[int]) -> list[int]:
    """The same in plain integers of any size."""
    parts = [divmod(weight * total, sum(weights)) for weight in weights]
    order = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))
    lucky = set(order[: total - sum(quotient for quotient, _ in parts)])
    return [quotient + (index in lucky) for index, (quotient, _) in enumerate(parts)]


@given(
    st.lists(st.integers(0, LARGEST_WEIGHT) | st.integers(0, 3), min_size=1, max_size=60).filter(any),
    st.fractions(0, 1),
)
def test_a_split_is_the_largest_remainder_method_exactly(weights: list[int], part: float) -> None:
    total = int(part * sum(weights))
    split = apportion(total, np.array(weights, dtype=np.int64))
    assert split.tolist() == largest_remainder(total, weights)
    assert all(share <= weight for share, weight in zip(split.tolist(), weights, strict=True))


@pytest.mark.parametrize(("total", "weights"), [(4, [1, 2]), (-1, [5]), (1, [2**51]), (0, [-1, 1])])
def test_what_cannot_be_split_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weight"):
        apportion(total, np.array(weights, dtype=np.int64))


@pytest.mark.parametrize("split", SPLITS)
@given(swarm=swarms, request=requests)
def test_the_sum_is_exact_and_nobody_gives_more_than_it_has(
    split: Split, swarm: list[Member], request: Request
) -> None:
    view = SwarmView(swarm)
    shares = split(view, request)
    sign = 1 if request.power_mw >= 0 else -1
    possible_mw = int(view.headroom_mw(request).sum())
    assert shares.total_mw == sign * min(abs(request.power_mw), possible_mw)
    assert shares.unmet_mw == abs(request.power_mw) - abs(shares.total_mw)
    for member in swarm:
        share_mw = shares.of(member.id)
        assert share_mw * sign >= 0
        assert abs(share_mw) <= (member.up_mw if sign > 0 else member.down_mw)
        energy = member.up_energy if sign > 0 else member.down_energy
        assert abs(share_mw) * request.duration_s <= energy * 3600, "the reserve is untouched"
        if share_mw:
            assert member.health >= request.health
            assert request.branches is None or member.branch in request.branches
            assert request.reach is None or member.distance <= request.reach


@pytest.mark.parametrize("split", SPLITS)
@given(swarm=swarms, request=requests, shuffle=st.randoms(use_true_random=False))
def test_everybody_computes_the_same_in_whatever_order_it_heard(
    split: Split, swarm: list[Member], request: Request, shuffle: object
) -> None:
    heard = list(swarm)
    shuffle.shuffle(heard)  # type: ignore[attr-defined]
    one, other = split(SwarmView(swarm), request), split(SwarmView(heard), request)
    assert one.ids == other.ids
    assert one.power_mw.tolist() == other.power_mw.tolist()


@given(swarms, requests, st.data())
def test_while_views_differ_the_error_is_bounded_by_the_stale_shares(
    swarm: list[Member], request: Request, data: st.DataObject
) -> None:
    before = SwarmView(swarm)
    gone = [member.id for member in swarm if data.draw(st.booleans(), "gone")]
    after = before.without(gone)
    delivered_mw = sum(
        proportional(after if data.draw(st.booleans(), "knows") else before, request).of(member.id)
        for member in after.members
    )
    wanted_mw = proportional(before, request).total_mw
    assert abs(delivered_mw - wanted_mw) <= stale_bound_mw(before, request, gone)


@pytest.mark.parametrize("split", SPLITS)
@given(swarm=swarms, request=requests, data=st.data())
def test_one_cycle_after_the_view_changed_the_rest_shares_again(
    split: Split, swarm: list[Member], request: Request, data: st.DataObject
) -> None:
    gone = [member.id for member in swarm if data.draw(st.booleans(), "gone")]
    after = SwarmView(swarm).without(gone)
    possible_mw = int(after.headroom_mw(request).sum())
    assert abs(split(after, request).total_mw) == min(abs(request.power_mw), possible_mw)
    assert all(split(after, request).of(member) == 0 for member in gone)


def battery(name: str, stored: int, **changes: object) -> Member:
    member = Member(name, "north", 5_000, 5_000, stored, 10_000 - stored, stored, 10_000)
    return replace(member, **changes)  # type: ignore[arg-type]


def test_shares_are_in_proportion_to_headroom_and_ties_go_by_id() -> None:
    view = SwarmView([battery("b", 9_000), battery("a", 9_000), battery("c", 9_000, up_mw=10)])
    shares = proportional(view, Request("r", 5_001, 3600))
    assert shares.ids == ("a", "b", "c")
    assert shares.power_mw.tolist() == [2498, 2498, 5]
    odd = proportional(view.without(["c"]), Request("r", 3, 3600))
    assert odd.power_mw.tolist() == [2, 1]


def test_the_optimised_variant_lets_the_fullest_give_until_all_are_level() -> None:
    view = SwarmView([battery("a", 9_000), battery("b", 7_000), battery("c", 2_000)])
    shares = equalised(view, Request("r", 4_000, 3600))
    # 3,000 of a and 1,000 of b leave both with 6,000 of 10,000 after an hour; c keeps what it has.
    assert shares.power_mw.tolist() == [3000, 1000, 0]
    filling = equalised(view, Request("r", -4_000, 3600))
    assert filling.power_mw.tolist() == [0, 0, -4000]


def test_the_optimised_variant_spares_the_costly() -> None:
    view = SwarmView([battery("a", 8_000, wear=10_000), battery("b", 8_000)])
    assert equalised(view, Request("r", 2_000, 3600), ppm_per_wear=10).power_mw.tolist() == [500, 1500]
    assert equalised(view, Request("r", 2_000, 3600), ppm_per_wear=0).power_mw.tolist() == [1000, 1000]


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=8), st.integers(0, 5_000))
def test_the_optimised_variant_never_spreads_the_states_of_charge(stored: list[int], power_mw: int) -> None:
    view = SwarmView([battery(f"m{index}", each) for index, each in enumerate(stored)])
    shares = equalised(view, Request("r", power_mw, 3600))
    after = [each - share for each, share in zip(stored, shares.power_mw.tolist(), strict=True)]
    assert max(after) - min(after) <= max(stored) - min(stored) + 1


def test_nobody_is_twice_in_a_view() -> None:
    with pytest.raises(ValueError, match="twice"):
        SwarmView([battery("a", 1), battery("a", 2)])
    with pytest.raises(ValueError, match="at least one second"):
        Request("r", 1, 0)
