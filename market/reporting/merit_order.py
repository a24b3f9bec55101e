"""The merit order of one interval: who asked and who offered at which price, and where both met.

Energies are mWh, prices µ/kWh. Bids are sorted from the dearest, asks from the cheapest, the supplier's among them: it
sells at its import price and buys at its export price whatever is asked of it.
"""

from dataclasses import dataclass

from market.orders import Side
from market.reporting.report import IntervalReport, OrderReport, Report


@dataclass(frozen=True, slots=True)
class MeritOrder:
    """The orders of one interval as the auction takes them: dearest bid first, cheapest ask first."""

    interval: IntervalReport
    bids: tuple[OrderReport, ...]
    asks: tuple[OrderReport, ...]

    @property
    def prices(self) -> list[int]:
        """The prices of the interval's branches, each once, the lowest first; none without trade."""
        return sorted({branch.price for branch in self.interval.branches if branch.price is not None})


def merit_order(interval: IntervalReport) -> MeritOrder:
    """That of an interval; equal prices in order of member."""
    bids = [order for order in interval.orders if order.side is Side.BUY]
    asks = [order for order in interval.orders if order.side is Side.SELL]
    return MeritOrder(
        interval,
        tuple(sorted(bids, key=lambda order: (-order.limit_price, order.member))),
        tuple(sorted(asks, key=lambda order: (order.limit_price, order.member))),
    )


def telling_interval(report: Report) -> IntervalReport | None:
    """The interval whose merit order says most: most energy between members, else most volume; None without orders."""
    candidates = [interval for interval in report.intervals if interval.orders]
    return max(candidates, key=lambda each: (each.between_members, each.volume, -each.interval), default=None)
