"""Pays grid services for the intervals that a block settles or corrects: the one line that `market.cell` calls."""

from collections.abc import Iterable, Mapping

from market.cell_state import IntervalRecord
from market.draft import StateDraft
from market.outcomes import IntervalSettlement
from market.services.payments import ServiceLine, corrected_lines, posting_amounts, service_lines
from market.settlement import Reason


def pay_services(
    draft: StateDraft, settlements: Iterable[IntervalSettlement], before: Mapping[int, IntervalRecord]
) -> tuple[ServiceLine, ...]:
    """Post what services pay for each settled interval; of a corrected one, what its new readings change.

    `before` are the records as the last block left them, which a correction is the difference to.
    """
    paid: list[ServiceLine] = []
    for settlement in settlements:
        interval = settlement.interval
        lines = service_lines(draft.services.book, draft.records[interval], draft.rules)
        if settlement.correction:
            lines = corrected_lines(lines, service_lines(draft.services.book, before[interval], draft.rules))
        draft.post(Reason.SERVICES, interval, posting_amounts(lines))
        paid += lines
    return tuple(paid)
