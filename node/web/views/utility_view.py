"""What the utility says through its VTN, in words."""

from datetime import datetime
from typing import Any

from node.web.settings_answers import Utility, UtilityWord
from node.web.watched_node import WatchedNode, moment

ACTING = {
    "site": "The node keeps to limits and to what is to be drawn less. Your reserve stays yours.",
    "cell": "The node asks the cell for what is limited or called.",
    "nobody": "You have opted out: nothing is done of it.",
}


def utility_of(node: WatchedNode, cell_ns: int) -> Utility:
    """What is known while the daemon answers; from a daemon that is gone nothing."""
    told: dict[str, Any] = (node.live.core.get("utility") or {}) if node.live.connected else {}
    said = [_word(node, row, moment(cell_ns)) for row in told.get("said", [])]
    acts = told.get("acts", "nobody")
    return Utility(listens=bool(told), acts=acts, note=ACTING[acts] if said else "", said=said)


def _word(node: WatchedNode, row: dict[str, Any], now: datetime) -> UtilityWord:
    until = None if row["until_ns"] is None else moment(row["until_ns"])
    begins = moment(row["from_ns"])
    when = "until further notice" if until is None else f"until {_clock(until, now)}"
    return UtilityWord(
        matter=row["matter"],
        value=row["value"],
        unit=row["unit"],
        event=row["event"],
        begins=begins,
        ends=until,
        holds=row["holds"],
        text=f"{_text(node, row)}, {when if row['holds'] else f'from {_clock(begins, now)} {when}'}",
    )


def _clock(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%H:%M of %a %-d %b}"


def _text(node: WatchedNode, row: dict[str, Any]) -> str:
    """A value in words; W, consumption positive."""
    value, currency = row["value"], "" if node.state is None else f" {node.state.rules.currency}"
    power = f"{abs(value):.0f} W" if abs(value) < 1000 else f"{abs(value) / 1000:.1f} kW"
    match row["matter"]:
        case "price":
            return f"{value:.3f}{currency}/kWh for what you draw"
        case "export price":
            return f"{value:.3f}{currency}/kWh for what you give"
        case "import limit":
            return f"At most {power} is to be drawn"
        case "export limit":
            return f"At most {power} is to be given"
        case "change of consumption" if value < 0:
            return f"{power} less is to be drawn than before"
        case "change of consumption":
            return f"It would be welcome if {power} more were drawn than before"
        case "level":
            return f"Level {value:.0f} of 3 of saving"
        case _:
            return f"{value:.0f} g of carbon dioxide per kWh"
