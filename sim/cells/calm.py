"""When a simulated cell must be as if nothing had been, once it is healed."""

from collections.abc import Collection

from ledger.records.votes import Step
from market.cell_state import CellState
from node.agreement.ordering import Ordering
from sim.cells.faults import S
from sim.cells.keys import HOURS

INTERVAL_NS = HOURS.interval_s * S // HOURS.speed
"""Real time of an interval, at every pace."""
SETTLING_INTERVALS = 6
"""Intervals after the healing until every gate must be decided in time; more where rounds grew long before."""
CALM_INTERVALS = 4
"""Intervals of that."""
WAITED_OUT_NS = 2 * INTERVAL_NS + S
"""What a validator waits after a restart before it votes again, and until its peers have confirmed what it knows."""


def settling_ns(orderings: Collection[Ordering[CellState]], size: int) -> int:
    """Real time that a cell of so many may take from its healing to its next decision.

    Who started last waits that out, and then as many proposers may be silent as the cell tolerates, each for a round as
    long as rounds have become.
    """
    reached = max((each.agreement.round for each in orderings), default=0)
    rounds = range(reached, reached + (size - 1) // 3 + 1)
    longest_ns = (
        sum(each.timeouts.of(step, round_) for step in Step for round_ in rounds) for each in orderings
    )
    return WAITED_OUT_NS + max(longest_ns, default=0)
