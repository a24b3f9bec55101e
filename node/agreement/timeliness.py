"""Is a fresh proposal fair and in time? Judged by what this node itself saw, and only for fresh proposals.

A proposer may neither censor (leave out an order that was there a margin before the gate closed) nor take a last look
(bring in one that appeared a margin after). A re-proposed value is never judged here, so that a lock cannot become
invalid by lateness. All times are cell time (ns); the margin is a real duration multiplied by the clock's speed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.records.blocks import Block
from market.intervals import Calendar


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """One order entry that this node holds for the gate in question."""

    member: bytes
    incarnation: int
    sequence: int
    first_seen_ns: int


@dataclass(frozen=True, slots=True)
class Attention:
    """Since when this node has watched without a gap; what it missed before, it cannot judge."""

    since_ns: int


def proposable_interval(calendar: Calendar, now_ns: int, margin_ns: int) -> int:
    """The latest interval whose gate closed at least a margin ago.

    Past its trading deadline the block for it trades nothing, but is still made: the chain goes on, and the next
    interval is not held up by this one.
    """
    interval = calendar.index_of(now_ns)
    while calendar.gate_closure_ns(interval + 1) + margin_ns <= now_ns:
        interval += 1
    return interval


def next_opening_ns(calendar: Calendar, now_ns: int, margin_ns: int, after_interval: int) -> int:
    """When the next height may be proposed: a margin after the gate of the first interval not yet covered, or now."""
    return max(now_ns, calendar.gate_closure_ns(after_interval + 1) + margin_ns)


def countable(orders: Iterable[SeenOrder], membership: Membership) -> list[SeenOrder]:
    """The orders that a block with this membership after it could include: not those of members it freezes, nor of
    feeds that it replaces by a new incarnation.
    """
    members = {member.id: member for member in membership.members if member.frozen_at is None}
    return [
        order
        for order in orders
        if order.member in members and members[order.member].incarnation == order.incarnation
    ]


def unfairness(
    block: Block,
    round_: int,
    *,
    calendar: Calendar,
    now_ns: int,
    margin_ns: int,
    patience_ns: int,
    orders: Iterable[SeenOrder],
    anchored: Mapping[bytes, Head],
    attention: Attention,
) -> str | None:
    """Why a fresh proposal is refused, or None. `orders` are those held for the block's last interval.

    `patience_ns` is how old a proposal's time may be: what the propose timeout of its round allows.
    """
    interval = block.header.last_interval
    gate_ns = calendar.gate_closure_ns(interval)
    time_ns = block.header.time_ns
    if block.header.round != round_:
        return f"the block says it was made in round {block.header.round}, not in {round_}"
    if not max(gate_ns, now_ns - patience_ns) <= time_ns <= now_ns + margin_ns:
        return "the block's time is not between its gate and now, or too old"
    if interval < proposable_interval(calendar, time_ns - 2 * margin_ns, margin_ns):
        return f"interval {interval} is not the latest whose gate has closed"
    if time_ns >= calendar.trading_deadline_ns(interval):
        return None
    if attention.since_ns > gate_ns - margin_ns:
        return None
    moved = {head.member: head for head in block.heads}
    for order in orders:
        head = moved.get(order.member, anchored.get(order.member))
        included = head is not None and (head.incarnation, head.sequence) >= (
            order.incarnation,
            order.sequence,
        )
        if order.first_seen_ns <= gate_ns - margin_ns and not included:
            return f"an order of {order.member.hex()[:8]} was here in time and is left out"
        if order.first_seen_ns > gate_ns + margin_ns and included:
            return f"an order of {order.member.hex()[:8]} came too late and is included"
    return None
