"""Who gives how much of a request: computed by every node alike from what it sees, with no coordinator.

Under equal views the shares sum up to the request exactly (or to all the headroom there is), none is above its
member's headroom, and no reserve is touched. When views differ for a moment, each member still stays within its own
headroom, and the sum is off by no more than what the members said that others no longer count on: see
`stale_bound_mw`. Power in mW, up positive.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from devices.swarm.apportion import Integers, apportion
from devices.swarm.view import SECONDS_PER_HOUR, Request, SwarmView

PPM = 1_000_000
MOST_DRAIN_MW = 4 * 10**12
"""Faster than any member: with it a product with parts per million fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Each member's share in mW, signed as the request, in the order of `ids`, and what nobody could give."""

    ids: tuple[str, ...]
    power_mw: Integers
    unmet_mw: int

    def of(self, member: str) -> int:
        """The share of one member; 0 for one that is not in the view."""
        return int(self.power_mw[self.ids.index(member)]) if member in self.ids else 0

    @property
    def total_mw(self) -> int:
        """What all give together."""
        return int(self.power_mw.sum())


def proportional(view: SwarmView, request: Request) -> Shares:
    """Shares in proportion to headroom."""
    headroom_mw = view.headroom_mw(request)
    given_mw = min(abs(request.power_mw), int(headroom_mw.sum()))
    return _signed(view, request, apportion(given_mw, headroom_mw))


def equalised(
    view: SwarmView, request: Request, ppm_per_wear: int = 10, balance_s: int | None = None
) -> Shares:
    """Shares that bring the states of charge together, cheap members first.

    The fullest give first (for a request down: the emptiest take), until all that take part stand at one level;
    a member whose wear is higher by one µ/kWh stops `ppm_per_wear` parts per million of its capacity earlier. This
    is the exact minimum of squared distance from one level plus wear, in steps of a millionth of state of charge;
    what lies between two steps is split in proportion to what the step would move. `balance_s` is the time in
    which the level is to be reached, where that is not the request's own: a request of a moment would otherwise
    be given by the fullest member alone.
    """
    headroom_mw = view.headroom_mw(request)
    given_mw = min(abs(request.power_mw), int(headroom_mw.sum()))
    # Power that would empty (or fill) a member while the request lasts; what stores nothing counts as full.
    drain_mw = np.minimum(
        view.capacity * SECONDS_PER_HOUR // (balance_s or request.duration_s), MOST_DRAIN_MW
    )
    drain_mw = np.maximum(drain_mw, headroom_mw)
    charge = np.where(view.capacity > 0, view.stored * PPM // np.maximum(view.capacity, 1), PPM)
    height = (charge if request.power_mw >= 0 else PPM - charge) - view.wear * ppm_per_wear

    def above(level: int) -> Integers:
        """What members give until they are down at the level."""
        steps = np.clip(height - level, 0, 2 * PPM)
        return np.minimum(drain_mw * steps // PPM, headroom_mw)

    low, high = (int(height.min()) - PPM, int(height.max())) if height.size else (0, 0)
    # At `low` everybody gives all, at `high` nobody gives anything; the level wanted lies between.
    while high - low > 1:
        middle = (low + high) // 2
        if int(above(middle).sum()) >= given_mw:
            low = middle
        else:
            high = middle
    sure_mw = above(high)
    last_mw = apportion(given_mw - int(sure_mw.sum()), above(low) - sure_mw)
    return _signed(view, request, sure_mw + last_mw)


def stale_bound_mw(view: SwarmView, request: Request, gone: Iterable[str]) -> int:
    """How far the sum may be off, in mW, while some members still count on `gone` and others do not.

    For proportional shares: what the lost ones should have given, and one mW of rounding for each of the others.
    """
    shares = proportional(view, request)
    lost = sum(abs(shares.of(member)) for member in set(gone))
    return lost + len(shares.ids)


def _signed(view: SwarmView, request: Request, given_mw: Integers) -> Shares:
    sign = 1 if request.power_mw >= 0 else -1
    return Shares(view.ids, np.int64(sign) * given_mw, abs(request.power_mw) - int(given_mw.sum()))
