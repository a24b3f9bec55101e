"""The owner's view: what today came to, and in sentences what happens now, what next and why."""

from devices.image import DerKind
from devices.messages.control_messages import MeterRecord
from market.outcomes import SettlementLine
from market.units import ENERGY_PER_KWH, PRICE_PER_UNIT, money_text
from node.web.answers import Flows, Slot, Story, Today
from node.web.views.market_view import day_of, saving_of
from node.web.views.node_view import between_members
from node.web.watched_node import WatchedNode

FULL = 0.98
"""State of charge from which a battery is said to be full."""
IDLE_W = 30.0
"""W below which a device is said to rest."""
LAYERS = {
    "protection": "A protection holds the battery back.",
    "reserve": "Your reserve holds the battery back.",
    "islanding": "The house runs on its own supply.",
    "armed-services": "Some of the battery's power is kept for a grid service.",
    "connection": "The connection's limit holds the battery back.",
    "position": "The battery makes up for what was traded.",
    "self-consumption": "The battery balances the house by itself.",
    "readiness": "The battery prepares for trouble that is expected.",
    "safe-state": "The battery rests in its safe state.",
    "fast-response": "The battery supports the grid's frequency.",
}


def today_of(node: WatchedNode, cell_ns: int) -> Today:
    """What the settled intervals of today came to."""
    state, member = node.state, node.member
    day = day_of(node, cell_ns)
    known = node.history.lines
    lines = [
        known[interval][member.id]
        for interval in day
        if member is not None and interval in known and member.id in known[interval]
    ]
    money = [line.contract_money + line.imbalance_money for line in lines]
    records = [node.live.records[interval] for interval in day if interval in node.live.records]
    return Today(
        since=node.start_of(day.start),
        intervals=len(lines),
        bought=sum(line.consumption for line in lines),
        sold=sum(line.contribution for line in lines),
        used=_used(records),
        produced=_produced(records),
        paid=money_text(-sum(each for each in money if each < 0)),
        earned=money_text(sum(each for each in money if each > 0)),
        bill=money_text(sum(money)),
        saved=money_text(sum(saving_of(node, line) or 0 for line in lines)),
        balance=money_text(0 if state is None or member is None else state.balance_of(member.id)),
        neighbours_share=_shared(node, lines),
    )


def story_of(node: WatchedNode, flows: Flows, slots: list[Slot]) -> Story:
    """What happens, what is next and why, in words."""
    return Story(
        now=_now(node, flows),
        next=_next(node, slots),
        reserve=_reserve(flows),
        advice=list(_advice(node, flows, slots)),
    )


def _used(records: list[MeterRecord]) -> int | None:
    if not records:
        return None
    loads = (DerKind.LOAD, DerKind.FLEXIBLE)
    return sum(each.withdrawn for record in records for each in record.devices if each.kind in loads)


def _produced(records: list[MeterRecord]) -> int | None:
    if not records:
        return None
    sources = (DerKind.PV, DerKind.GENERATOR)
    return sum(each.injected for record in records for each in record.devices if each.kind in sources)


def _shared(node: WatchedNode, lines: list[SettlementLine]) -> float | None:
    """The part of what was exchanged that neighbours gave or took, by the auctions."""
    total = local = 0.0
    for line in lines:
        block = node.history.auction(line.interval)
        if block is None or not line.metered:
            continue
        total += abs(line.metered)
        held = min(abs(line.contracted), abs(line.metered)) if line.contracted * line.metered > 0 else 0
        local += held * between_members(block.clearing, selling=line.metered > 0)
    return local / total if total else None


def _now(node: WatchedNode, flows: Flows) -> str:
    if not node.live.connected:
        return "The node's daemon does not answer, so this page shows what the ledger said last."
    if flows.measured_at is None:
        return "No measurement has come from the devices in the last seconds."
    if flows.mode == "emergency-stop":
        return "Emergency stop: the batteries rest and the roof feeds nothing in, until you release it."
    parts = []
    if flows.pv_w is not None and flows.pv_w > IDLE_W:
        parts.append(f"The sun gives {_kw(flows.pv_w)}")
    if flows.load_w is not None and flows.load_w < -IDLE_W:
        parts.append(f"the house uses {_kw(-flows.load_w)}")
    if flows.battery_w is not None and abs(flows.battery_w) > IDLE_W:
        parts.append(f"the battery {'gives' if flows.battery_w > 0 else 'takes'} {_kw(abs(flows.battery_w))}")
    parts.append(_exchange(flows))
    text = ", ".join(part for part in parts[:-1] if part)
    text = f"{text} and {parts[-1]}" if text and parts[-1] else text or parts[-1]
    text = text[:1].upper() + text[1:] + "."
    why = LAYERS.get(flows.binding or "") if flows.battery_w is not None else None
    if flows.binding == "protection" and flows.stored_wh is not None and flows.capacity_wh:
        # The commonest protection is that of a battery which is full.
        why = "The battery is full." if flows.stored_wh > FULL * flows.capacity_wh else why
    return text if why is None else f"{text} {why}"


def _exchange(flows: Flows) -> str:
    if flows.connection_w is None:
        return ""
    if abs(flows.connection_w) <= IDLE_W:
        return "next to nothing crosses the meter"
    to, verb = ("to", "goes") if flows.connection_w > 0 else ("from", "comes")
    neighbours, grid = abs(flows.neighbours_w or 0.0), abs(flows.grid_w or 0.0)
    if neighbours > IDLE_W and grid > IDLE_W:
        return f"{_kw(neighbours)} {verb} {to} neighbours and {_kw(grid)} {to} the grid"
    return f"{_kw(abs(flows.connection_w))} {verb} {to} {'neighbours' if neighbours > grid else 'the grid'}"


def _next(node: WatchedNode, slots: list[Slot]) -> str:
    cleared = next((slot for slot in slots if slot.state == "cleared"), None)
    upcoming = next((slot for slot in slots if slot.state == "open"), None)
    if cleared is not None and cleared.position is not None:
        at = f"{cleared.start:%H:%M}"
        if cleared.position == 0:
            return f"Nothing was traded for {at}: the node balances the house by itself."
        verb = "sell" if cleared.position > 0 else "buy"
        price = "" if cleared.price is None else f" at {_price(node, cleared.price)}"
        return f"From {at} you {verb} {_kwh(abs(cleared.position))}{price}: it is contracted and final."
    if upcoming is not None:
        return (
            f"The market for {upcoming.start:%H:%M} is still open; the node bids just before its gate closes."
        )
    return "No auction is in sight."


def _reserve(flows: Flows) -> str:
    if flows.stored_wh is None or not flows.capacity_wh:
        return "" if not flows.capacity_wh else "The state of charge is not known, so the battery rests."
    kept, have = (flows.reserve_wh or 0.0) / 1000, flows.stored_wh / 1000
    safe = have + 0.005 >= kept
    text = f"The battery holds {have:.1f} kWh; {kept:.1f} kWh of it are your reserve"
    return f"{text}, and that is safe." if safe else f"{text}, which it is below: it only charges."


def _advice(node: WatchedNode, flows: Flows, slots: list[Slot]) -> list[str]:
    ahead = [slot for slot in slots if slot.state in ("open", "cleared")]
    found = []
    cheap = min(ahead, key=lambda slot: slot.import_price, default=None)
    dear = max(ahead, key=lambda slot: slot.import_price, default=None)
    if cheap is not None and dear is not None and dear.import_price > cheap.import_price:
        found.append(
            f"What can wait runs cheapest at {cheap.start:%H:%M} ({_price(node, cheap.import_price)}) and dearest at"
            f" {dear.start:%H:%M} ({_price(node, dear.import_price)})."
        )
    sunny = max(ahead, key=lambda slot: slot.expected or 0, default=None)
    if sunny is not None and (sunny.expected or 0) > 0:
        found.append(
            f"Most is left over at {sunny.start:%H:%M}, about {_kwh(sunny.expected or 0)}: a good hour for the washing."
        )
    if flows.capacity_wh is None and any((slot.expected or 0) > 0 for slot in ahead):
        found.append("A battery would keep some of what you sell for the evening.")
    return found


def _kw(power_w: float) -> str:
    return f"{power_w:.0f} W" if power_w < 1000 else f"{power_w / 1000:.1f} kW"


def _kwh(energy: int) -> str:
    return f"{energy / ENERGY_PER_KWH:.2f} kWh"


def _price(node: WatchedNode, price: int) -> str:
    currency = "" if node.state is None else node.state.rules.currency
    return f"{price / PRICE_PER_UNIT:.3f} {currency}/kWh"
