"""When the members of a cell with a parent order: early enough for the gateway to offer what is left over."""

from market.rules import CellRules
from market.units import NS_PER_S


def bids_earlier_ns(rules: CellRules, margin_ns: int) -> int:
    """By how much members of a cell with a parent order earlier, so that the gateway can offer in time; cell time."""
    if rules.parent is None:
        return 0
    return max(0, rules.parent.gate_lead_s - rules.gate_lead_s) * NS_PER_S + 2 * margin_ns
