"""The one interface of all mechanisms: orders in, a `MarketResult` out."""

from collections.abc import Callable, Sequence

from market.clearing import clear
from market.errors import FeederError
from market.feeder import Feeder
from market.mechanisms.continuous import continuous
from market.mechanisms.mcafee import mcafee
from market.mechanisms.names import Mechanism
from market.mechanisms.pay_as_bid import pay_as_bid
from market.mechanisms.result import Decision, MarketResult, result_at_one_place
from market.mechanisms.uniform import uniform_result
from market.orders import Order, OrderBook

AT_ONE_PLACE: dict[Mechanism, Callable[[Sequence[Order]], Decision]] = {
    Mechanism.PAY_AS_BID: pay_as_bid,
    Mechanism.MCAFEE: mcafee,
    Mechanism.CONTINUOUS: continuous,
}
"""The mechanisms that know no feeder."""


def run(mechanism: Mechanism, orders: Sequence[Order], feeder: Feeder | None = None) -> MarketResult:
    """Clear orders, which are given in order of arrival; only `continuous` depends on that order.

    Without a feeder all orders are at one place. Raises FeederError when a mechanism other than `uniform`
    is given a feeder, OrderError for orders that no auction can take.
    """
    if mechanism is not Mechanism.UNIFORM and feeder is not None:
        raise FeederError(
            f"the mechanism {mechanism.value} knows no feeder (branches, limits, grid); "
            "clear without one, or with the mechanism uniform"
        )
    book = OrderBook.from_orders(orders)
    # All ids of a book that was built are of one type and have an order.
    by_id = sorted(orders, key=lambda order: order.id)
    if mechanism is Mechanism.UNIFORM:
        place = Feeder.single() if feeder is None else feeder
        return uniform_result(by_id, place, clear(book, place))
    arranged = orders if mechanism is Mechanism.CONTINUOUS else by_id
    return result_at_one_place(mechanism, arranged, AT_ONE_PLACE[mechanism](arranged))
