"""Trading with others: what the core asks of trading when members of a virtual battery speak to each other. Sans-IO.

Alone, and without anybody's word, it is the same as trading.
"""

from ledger.chain.chain import Tip
from market.cell_state import CellState
from market.outcomes import BlockOutcomes
from node.events import Effect, Now
from node.trading.capacities import Capacities
from node.trading.trading import Trading


def say(trading: Trading, capacities: Capacities, tip: Tip[CellState], now: Now) -> list[Effect]:
    """What we can do, where it is news."""
    return capacities.say(trading, len(tip.membership.members), now)


def bid(trading: Trading, capacities: Capacities, tip: Tip[CellState], now: Now) -> list[Effect]:
    """The order for the next gate, if it is time; a new plan is told at once to those who bid with it."""
    before, interval = trading.plan, trading.next_interval(now.cell_ns)
    said = capacities.plans(interval, tip.membership, trading.rule.member)
    effects = trading.bid(tip.state, now, said)
    if trading.plan is None or trading.plan == before:
        return effects
    return [*capacities.say(trading, len(tip.membership.members), now, at_once=True), *effects]


def decided(
    trading: Trading,
    capacities: Capacities,
    tip: Tip[CellState],
    outcomes: BlockOutcomes,
    timely: bool,
    now: Now,
) -> list[Effect]:
    """A block was decided: our position, or our share of what was contracted for all."""
    said = capacities.plans(outcomes.clearing.interval, tip.membership, trading.rule.member)
    return trading.decided(tip.state, outcomes, timely, now, said)
