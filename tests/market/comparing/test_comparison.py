"""Mechanisms side by side: the sums, and liars measured by clearing again."""

from hypothesis import given, settings
from hypothesis import strategies as st

from market.comparing.comparison import (
    SHADES,
    Auction,
    compare,
    gain_of_lie,
    members_with_several_orders,
    shaded,
)
from market.mechanisms.names import Mechanism
from market.orders import Order, Side
from market.units import MAX_PRICE


def order(order_id: int, member: str, side: Side, price: int, quantity: int) -> Order:
    return Order(order_id, member, 0, side, price, quantity)


EVENING = Auction(
    "evening",
    (
        order(1, "ada", Side.BUY, 300, 15),
        order(2, "ben", Side.SELL, 120, 20),
        order(3, "cy", Side.SELL, 100, 30),
        order(4, "di", Side.BUY, 250, 40),
    ),
)


@st.composite
def auctions(draw: st.DrawFn) -> Auction:
    row = st.tuples(st.sampled_from(Side), st.integers(-100, 400), st.integers(1, 30))
    rows = draw(st.lists(row, max_size=10))
    return Auction("a", tuple(order(index, f"m{index:02}", *fields) for index, fields in enumerate(rows)))


def test_the_optimum_comes_first_and_every_mechanism_once() -> None:
    compared = compare([EVENING])
    assert [row.mechanism for row in compared] == list(Mechanism)
    assert compared[0].welfare == 15 * 300 + 35 * 250 - 30 * 100 - 20 * 120
    assert [row.welfare <= compared[0].welfare for row in compared] == [True] * 4


def test_a_lie_is_measured_at_the_true_limits() -> None:
    uniform = compare([EVENING])[0]
    lies = {lie.member: lie for lie in uniform.lies}
    # At half its limit di still gets its 35 from ben and cy, whose price it then sets: 125 instead of 250.
    assert (lies["di"].gain, lies["di"].shade) == (35 * 125, 50)
    assert gain_of_lie(Mechanism.UNIFORM, EVENING.orders, "di", 50) == 35 * 125
    assert lies["ben"].gain == 0


def test_a_member_lies_alike_in_all_auctions_and_its_gains_add_up() -> None:
    noon = Auction("noon", EVENING.orders)
    once, twice = compare([EVENING])[0], compare([EVENING, noon])[0]
    assert twice.gains == {member: 2 * gain for member, gain in once.gains.items()}
    assert [lie.gain for lie in twice.lies] == [2 * lie.gain for lie in once.lies]


def test_as_many_liars_are_tried_as_asked_evenly() -> None:
    assert [lie.member for lie in compare([EVENING], liars=2)[0].lies] == ["ada", "cy"]
    assert compare([EVENING], liars=0)[0].lies == ()
    assert len(compare([EVENING], liars=99)[0].lies) == 4


def test_without_orders_everything_is_nothing() -> None:
    for row in compare([]) + compare([Auction("empty", ())]):
        assert (row.volume, row.welfare, row.kept, row.gains, row.lies) == (0, 0, 0, {}, ())


def test_shading_moves_a_limit_to_the_members_side_whatever_its_sign() -> None:
    assert shaded(order(1, "a", Side.BUY, 300, 1), 10).price == 270
    assert shaded(order(1, "a", Side.BUY, -300, 1), 10).price == -330
    assert shaded(order(1, "a", Side.SELL, 301, 1), 1).price == 305
    assert shaded(order(1, "a", Side.SELL, -300, 1), 1).price == -297
    assert shaded(order(1, "a", Side.SELL, MAX_PRICE, 1), 50).price == MAX_PRICE


def test_members_with_several_orders_are_counted() -> None:
    assert members_with_several_orders([EVENING]) == 0
    again = Auction("x", (*EVENING.orders, order(5, "ada", Side.BUY, 10, 1)))
    assert members_with_several_orders([again, again]) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(auctions(), max_size=3))
def test_what_members_gain_and_the_market_keeps_is_the_welfare(found: list[Auction]) -> None:
    for row in compare(found):
        assert sum(row.gains.values()) == row.buyers_gain + row.sellers_gain == row.welfare - row.kept
        assert all(gain >= 0 for gain in row.gains.values())
        assert all(lie.gain >= 0 and lie.shade in (0, *SHADES) for lie in row.lies)
        if row.mechanism is Mechanism.MCAFEE:
            assert all(lie.gain == 0 for lie in row.lies)


def test_a_lie_under_pay_as_bid_gains_half_of_what_it_shades() -> None:
    orders = (order(1, "a", Side.BUY, 300, 7), order(2, "b", Side.SELL, 100, 7))
    assert gain_of_lie(Mechanism.PAY_AS_BID, orders, "a", 0) == 100 * 7
    assert gain_of_lie(Mechanism.PAY_AS_BID, orders, "a", 10) == (100 + 15) * 7
