"""Tiers are shed in order and restored with hysteresis; a black start never exceeds its limit; synchronising waits."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devices.resilience.black_start import BlackStart, Block
from devices.resilience.synchronising import Synchroniser, SyncLimits, TwoSides, steered_hz
from devices.resilience.tiers import ALL_TIERS, Served, Supply, TierRule
from devices.tier import Tier

SECOND_NS = 10**9
RULE = TierRule()
LOADS = (100.0, 200.0, 400.0, 800.0)
powers = st.floats(0, 5_000)
supplies = st.builds(Supply, powers, st.floats(0, 20_000), powers)
loads = st.tuples(powers, powers, powers, powers)


def test_energy_sheds_from_the_least_important_on_but_never_the_critical() -> None:
    served = Served()
    for stored_wh, tiers in ((3_000.0, 4), (2_900.0, 3), (1_300.0, 2), (500.0, 1), (0.0, 1)):
        served = served.step(LOADS, Supply(5_000.0, stored_wh, 0.0), RULE, 0)
        assert served.tiers == tiers
    assert served.serves(Tier.CRITICAL) and not served.serves(Tier.ESSENTIAL)


def test_what_power_cannot_carry_is_shed_even_when_critical() -> None:
    assert Served().step(LOADS, Supply(350.0, 1e6, 0.0), RULE, 0).tiers == 2
    assert Served().step(LOADS, Supply(50.0, 1e6, 0.0), RULE, 0).tiers == 0


def test_a_tier_comes_back_later_than_it_went_and_one_at_a_time() -> None:
    served = Served(2, 0)
    plenty = Supply(5_000.0, 10_000.0, 0.0)
    assert served.step(LOADS, plenty, RULE, 299 * SECOND_NS).tiers == 2
    third = served.step(LOADS, plenty, RULE, 300 * SECOND_NS)
    assert third.tiers == 3
    assert third.step(LOADS, plenty, RULE, 400 * SECOND_NS).tiers == 3
    assert third.step(LOADS, plenty, RULE, 600 * SECOND_NS).tiers == 4
    # 700 W last 4 hours with 2,800 Wh: what keeps three tiers on does not bring them back.
    assert served.step(LOADS, Supply(5_000.0, 2_799.0, 0.0), RULE, 300 * SECOND_NS).tiers == 2
    assert Served(3, 0).step(LOADS, Supply(5_000.0, 2_799.0, 0.0), RULE, 0).tiers == 3


def test_expected_generation_counts() -> None:
    assert Served(4, 0).step(LOADS, Supply(5_000.0, 0.0, 1_500.0), RULE, 0).tiers == 4


@given(st.lists(st.tuples(supplies, loads), max_size=40))
def test_tiers_go_in_order_and_come_back_with_patience(
    history: list[tuple[Supply, tuple[float, ...]]],
) -> None:
    served = Served()
    for minute, (supply, loads_w) in enumerate(history):
        now_ns = minute * 60 * SECOND_NS
        after = served.step(loads_w, supply, RULE, now_ns)  # type: ignore[arg-type]
        assert 0 <= after.tiers <= min(ALL_TIERS, served.tiers + 1)
        assert sum(loads_w[: after.tiers]) <= supply.power_w
        if after.tiers > served.tiers:
            assert now_ns - served.since_ns >= RULE.dwell_s * SECOND_NS
        served = after


@given(supplies, loads, st.integers(0, ALL_TIERS))
def test_with_an_unchanged_supply_nothing_swings(
    supply: Supply, loads_w: tuple[float, float, float, float], tiers: int
) -> None:
    served = Served(tiers, 0)
    changes = []
    for hour in range(12):
        after = served.step(loads_w, supply, RULE, hour * 3600 * SECOND_NS)
        changes.append(after.tiers - served.tiers)
        served = after
    assert not (any(change < 0 for change in changes[1:]) and any(change > 0 for change in changes))


def test_a_rule_without_hysteresis_is_refused() -> None:
    with pytest.raises(ValueError, match="more hours"):
        TierRule(4.0, 4.0)
    with pytest.raises(ValueError, match="inrush"):
        Block("fridge", Tier.ESSENTIAL, 10.0, 20.0)


blocks = st.lists(
    st.builds(
        lambda name, tier, running, more: Block(name, tier, running + more, running),
        st.text("abcdefgh", min_size=1, max_size=4),
        st.sampled_from(Tier),
        powers,
        powers,
    ),
    max_size=12,
    unique_by=lambda block: block.name,
).map(tuple)


@given(blocks, st.floats(0, 20_000), st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_black_start_goes_in_order_and_below_its_limit(
    loads: tuple[Block, ...], limit_w: float, stable: list[bool]
) -> None:
    start = BlackStart.of(loads)
    last_ns = None
    for second, good in enumerate(stable):
        before, start = start, start.step(good, limit_w, 5.0, second * SECOND_NS)
        new = start.connected[len(before.connected) :]
        assert len(new) <= 1
        if new:
            assert good
            assert before.running_w + new[0].inrush_w <= limit_w
            assert last_ns is None or second * SECOND_NS - last_ns >= 5 * SECOND_NS
            last_ns = second * SECOND_NS
    order = [(block.tier.rank, block.name) for block in start.connected]
    assert order == sorted(order)


@given(blocks, st.floats(0, 20_000))
def test_a_black_start_ends_with_every_block_connected_or_too_large(
    loads: tuple[Block, ...], limit_w: float
) -> None:
    start = BlackStart.of(loads)
    for second in range(200):
        start = start.step(True, limit_w, 5.0, second * SECOND_NS)
    assert start.done
    assert set(start.connected) | set(start.too_large) == set(loads)


def test_the_breaker_closes_when_both_sides_have_agreed_for_a_while() -> None:
    limits, near = SyncLimits(), TwoSides(0.05, 0.01, -5.0)
    held = Synchroniser().step(near, limits, 0)
    assert not held.may_close(limits, SECOND_NS - 1)
    assert held.step(near, limits, SECOND_NS).may_close(limits, SECOND_NS)
    for far in (TwoSides(0.2, 0, 0), TwoSides(0, 0.05, 0), TwoSides(0, 0, 15), TwoSides(0, None, 0)):
        assert not held.step(far, limits, SECOND_NS).may_close(limits, SECOND_NS)


@given(st.floats(-180, 180))
def test_the_former_steers_the_angle_to_zero(angle: float) -> None:
    assume(abs(angle) > 1e-3)
    seconds = 0.0
    while abs(angle) > 5 and seconds < 60:
        steered = steered_hz(TwoSides(0.0, 0.0, angle), 50.0)
        assert abs(steered - 50.0) <= 0.05
        angle += (steered - 50.0) * 360 * 0.1
        seconds += 0.1
    assert abs(angle) <= 5
