"""Ways dealt to processes: every one is played once, and what comes of it does not depend on how many play."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.bidders.strategies import Strategy
from market.mechanisms.names import Mechanism
from sim.homes.household_samples import SEASONS, load_sample
from sim.market_year.bids import STRATEGIES
from sim.market_year.comparison import compare
from sim.market_year.side_by_side import Way, deal
from sim.market_year.world import resampled

WAYS = st.builds(Way, st.sampled_from(STRATEGIES), st.none() | st.sampled_from(list(Mechanism)))


@given(ways=st.lists(WAYS, unique=True), jobs=st.integers(1, 6))
def test_every_way_is_in_one_hand_and_no_hand_is_heavier_than_need_be(ways: list[Way], jobs: int) -> None:
    hands = deal(ways, jobs)
    assert sorted((way for hand in hands for way in hand), key=ways.index) == ways
    assert len(hands) == max(1, min(jobs, len(ways)))
    weights = [sum(way.effort for way in hand) for hand in hands]
    assert weights == sorted(weights, reverse=True)
    # Taking the last one of the heaviest hand away, no other hand has less: nobody could have taken it better.
    if len(hands) > 1:
        assert weights[0] - hands[0][-1].effort <= weights[-1]


def test_two_processes_play_what_one_plays() -> None:
    seasons = [load_sample("swiss", season) for season in SEASONS]
    world = resampled(seasons, homes=4, days=1, seed=0, batteries=50)
    strategies, mechanisms = (Strategy.ZERO_INTELLIGENCE, Strategy.OPTIMISING), list(Mechanism)
    one, two = (compare(world, strategies, mechanisms, seed=3, jobs=jobs) for jobs in (1, 2))
    assert list(one.measures) == list(two.measures)
    assert one.measures == two.measures
    assert all(np.array_equal(bills, two.bills[name]) for name, bills in one.bills.items())
