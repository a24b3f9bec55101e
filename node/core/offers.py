"""What this member offers the grid as entries: it arms what its configuration offers, and reports what came of it.

Sans-IO. Power mW, energies mWh; up is injecting more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.messages.control_messages import MeterRecord
from market.cell_state import CellState
from market.payloads import Kind
from market.services.book import span_at
from market.services.payloads import ArmedCapacity, ServiceReport, encode_armed, encode_report
from node.events import Effect, Now, SignEntry

ARMED_AHEAD: Final = 96
"""Intervals that one entry arms: a day of quarter hours, so that arming costs a few entries a day."""
RENEW_AHEAD: Final = 4
"""Intervals before its end at which an arming is renewed."""
PATIENCE: Final = 4
"""Intervals after which an arming that no block took is said again."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A service, and the headroom that it may use."""

    name: bytes
    up_mw: int
    down_mw: int


@dataclass(slots=True)
class Offers:
    """One member's offers."""

    member: bytes
    offered: tuple[Offer, ...]
    _said: dict[bytes, int] = field(default_factory=dict)

    def arm(self, state: CellState, now: Now) -> list[Effect]:
        """Arm what a dso buys and we offer, before what is armed runs out; nothing while another one trades for us."""
        if state.rules.member(self.member) is None:
            return []
        delegated = self.member in state.virtual_batteries.aggregators(state.rules, state.last_interval + 1)
        offered = tuple(Offer(each.name, 0, 0) for each in self.offered) if delegated else self.offered
        return [entry for offer in offered for entry in self._arm(offer, state, now)]

    def change(self, offer: Offer) -> None:
        """Offer more or less of a service that is offered; the next block hears of it."""
        self.offered = tuple(offer if each.name == offer.name else each for each in self.offered)
        self._said.pop(offer.name, None)

    def report(self, record: MeterRecord, state: CellState, now: Now) -> list[Effect]:
        """What control saw of the services that we had armed in an interval that is over."""
        return [
            SignEntry(
                int(Kind.SERVICE_REPORT),
                record.interval,
                now.cell_ns,
                encode_report(
                    ServiceReport(
                        each.name.encode(),
                        each.available_ppm,
                        each.asked_up,
                        each.asked_down,
                        each.delivered_up,
                        each.delivered_down,
                    )
                ),
            )
            for each in record.services
            if span_at(state.services.armed.get((each.name.encode(), self.member), ()), record.interval)
            is not None
        ]

    def _arm(self, offer: Offer, state: CellState, now: Now) -> Iterable[Effect]:
        last = state.last_interval
        # The next block covers at least the interval after the last; the one after that is certainly open.
        first = last + 2
        step = state.services.terms_at(offer.name, first)
        if step is None or not (step.terms.up_mw or step.terms.down_mw):
            return []
        span = span_at(state.services.armed.get((offer.name, self.member), ()), last + RENEW_AHEAD)
        if span is not None and (span.up_mw, span.down_mw) == (offer.up_mw, offer.down_mw):
            return []
        if span is None and not (offer.up_mw or offer.down_mw):
            return []
        if last < self._said.get(offer.name, -PATIENCE) + PATIENCE:
            return []
        self._said[offer.name] = last
        until = last + min(ARMED_AHEAD, state.rules.order_horizon)
        armed = ArmedCapacity(offer.name, max(first, until), offer.up_mw, offer.down_mw)
        return [SignEntry(int(Kind.ARMING), first, now.cell_ns, encode_armed(armed))]
