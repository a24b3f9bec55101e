"""What a member says it can do: at once when it changes, seldom when it does not, and again to those who come."""

from dataclasses import dataclass
from typing import cast

import pytest

from market.rules import MemberRule
from node.constants import CAPACITY, CAPACITY_AGAIN_NS, CAPACITY_PER_MEMBER_NS
from node.events import Now, Publish
from node.trading.capacities import Capacities
from node.trading.trading import Trading
from node.wire import Capacity, Plan, decode_capacity

S = 1_000_000_000
MEMBERS = 8


@dataclass
class Devices:
    """What trading knows of them: headroom up and down (mW) and state of charge (per mille)."""

    headroom: tuple[int, int, int | None]
    rule: MemberRule
    wear: int = 0
    plan: Plan | None = None

    def headroom_mw(self, now: Now) -> tuple[int, int, int | None]:
        return self.headroom

    def stored(self, now: Now) -> tuple[int, int, int]:
        return 7, 8, 1000


def said(
    capacities: Capacities, headroom: tuple[int, int, int | None], at_s: float, members: int = MEMBERS
) -> bool:
    """Whether this headroom is said at that time; what is said is what is there."""
    now = Now(round(at_s * S), 5, 1)
    devices = Devices(headroom, MemberRule(b"m" * 32, 3, 1, 1, 1))
    effects = capacities.say(cast(Trading, devices), members, now)
    for effect in effects:
        assert isinstance(effect, Publish) and effect.topic == CAPACITY
        assert decode_capacity(effect.data) == Capacity(5, *headroom, 1000, 3, 7, 8)
    return bool(effects)


def test_the_same_is_said_again_only_after_a_while() -> None:
    capacities = Capacities()
    again_s = CAPACITY_AGAIN_NS / S
    steady = (5_000_000, 4_000_000, 500)
    times = [second for second in range(31) if said(capacities, steady, second)]
    assert times == [0, again_s, 2 * again_s, 3 * again_s]


def test_in_a_large_cell_a_second_has_the_news_of_so_many_members_however_many_there_are() -> None:
    members = 200
    capacities = Capacities()
    times = [second for second in range(301) if said(capacities, (1, 1, None), second, members)]
    assert times == [each * members * CAPACITY_PER_MEMBER_NS // S for each in range(len(times))]
    assert len(times) == 4


@pytest.mark.parametrize(
    ("changed", "news"),
    [
        ((5_100_001, 4_000_000, 500), True),
        ((5_100_000, 4_000_000, 500), False),
        ((5_000_000, 3_899_999, 500), True),
        ((0, 0, 500), True),
        ((5_000_000, 4_000_000, 520), True),
        ((5_000_000, 4_000_000, 519), False),
        ((5_000_000, 4_000_000, None), True),
    ],
)
def test_a_change_of_a_fiftieth_is_news(changed: tuple[int, int, int | None], news: bool) -> None:
    capacities = Capacities()
    assert said(capacities, (5_000_000, 4_000_000, 500), 0)
    assert said(capacities, changed, 1) is news
    assert not said(capacities, changed, 2)


def test_small_changes_in_one_direction_are_said_once_they_add_up() -> None:
    capacities = Capacities()
    times = [step for step in range(9) if said(capacities, (1_000_000 + step * 8_000, 0, None), step)]
    assert times == [0, 3, 6]


def test_who_had_nothing_says_anything() -> None:
    capacities = Capacities()
    assert said(capacities, (0, 0, None), 0)
    assert not said(capacities, (0, 0, None), 1)
    assert said(capacities, (1, 0, None), 2)


def test_whoever_comes_is_told() -> None:
    capacities = Capacities()
    assert said(capacities, (1, 1, None), 0)
    capacities.greet()
    assert said(capacities, (1, 1, None), 1)
    assert not said(capacities, (1, 1, None), 2)
