"""What the log says of a decided block."""

from ledger.application import State
from market.outcomes import BlockOutcomes
from node.events import Now, Report
from node.steps import Decided


def block_report(
    decided: Decided[State], outcomes: BlockOutcomes, headroom_mw: list[int], now: Now
) -> Report:
    """One line: the block, what its auction gave, and how long agreement took. Prices µ/kWh, energy mWh, power mW."""
    tip = decided.tip
    waited = None if decided.opened_real_ns is None else (now.real_ns - decided.opened_real_ns) / 1e6
    fields: dict[str, object] = {
        "height": tip.height,
        "id": tip.header_id.hex(),
        "interval": tip.last_interval,
        "round": decided.certificate.round,
        "agreement_ms": waited,
        "prices": list(outcomes.clearing.prices),
        "volume": outcomes.clearing.volume,
        "heads": len(decided.block.heads),
        "headroom_mw": headroom_mw,
    }
    return Report("block", fields)
