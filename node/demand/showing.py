"""What a VTN says that holds now or comes next, as plain values for the page. Sans-IO."""

from typing import Any, Final

from devices.openadr.timeline import Action, Matter, Timeline
from devices.openadr.values import FOREVER_NS
from node.demand.demand import Demand

AHEAD_NS: Final = 24 * 3600 * 10**9
"""What begins later than this from now is not shown."""
UNITS: Final = {
    Matter.IMPORT_LIMIT: "W",
    Matter.EXPORT_LIMIT: "W",
    Matter.CHANGE: "W",
    Matter.LEVEL: "",
    Matter.IMPORT_PRICE: "per kWh",
    Matter.EXPORT_PRICE: "per kWh",
    Matter.CARBON: "g/kWh",
}


def shown(demand: Demand, now_ns: int) -> dict[str, Any]:
    """`acts`: for whom something is done (`site`, `cell`, `nobody` where the owner has opted out); `said`: of each
    matter what holds now and what comes next within a day, by its beginning, oldest first.
    """
    timeline = demand.book.timeline
    said = [row for matter in Matter for row in _rows(demand, timeline, matter, now_ns)]
    acts = "nobody" if not demand.acts else "site" if demand.calls is None else "cell"
    return {"acts": acts, "said": sorted(said, key=lambda row: (row["from_ns"], row["matter"]))}


def _rows(demand: Demand, timeline: Timeline, matter: Matter, now_ns: int) -> list[dict[str, Any]]:
    """What holds of a matter, and what follows it or else comes next."""
    action, rows = timeline.at(matter, now_ns), []
    at_ns = now_ns
    if action is not None:
        at_ns = _until(timeline, action, now_ns)
        rows.append(_row(demand, action, now_ns, at_ns, holds=True))
    while at_ns < min(now_ns + AHEAD_NS, FOREVER_NS):
        following = timeline.at(matter, at_ns)
        if following is not None:
            rows.append(_row(demand, following, at_ns, _until(timeline, following, at_ns), holds=False))
            break
        at_ns = timeline.next_change(at_ns, (matter,))
    return rows


def _until(timeline: Timeline, action: Action, at_ns: int) -> int:
    """When something else than this value begins to hold, or nothing."""
    while at_ns < FOREVER_NS:
        at_ns = timeline.next_change(at_ns, (action.matter,))
        following = timeline.at(action.matter, at_ns)
        if following is None or following.value != action.value:
            break
    return at_ns


def _row(demand: Demand, action: Action, from_ns: int, until_ns: int, *, holds: bool) -> dict[str, Any]:
    known = demand.book.events.get(action.event)
    return {
        "matter": action.matter.value,
        "value": action.value,
        "unit": UNITS[action.matter],
        "event": action.event if known is None else known.event.name,
        "from_ns": action.start_ns if holds else from_ns,
        "until_ns": None if until_ns >= FOREVER_NS else until_ns,
        "holds": holds,
    }
