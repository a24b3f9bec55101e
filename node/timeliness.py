"""Is a fresh proposal fair and in time? Judged by what this node itself saw, and only for fresh proposals.

A proposer may neither censor (leave out an order that was there a margin before the gate closed) nor take a last look
(bring in one that appeared a margin after). A re-proposed value is never judged here, so that a lock cannot become
invalid by lateness. All times are cell time (ns); the margin is a real duration multiplied by the clock's speed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.blocks import Block
from ledger.feeds import Head
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


def tradeable_interval(calendar: Calendar, now_ns: int, margin_ns: int) -> int | None:
    """The interval whose gate closed at least a margin ago and whose dispatch deadline is not yet past, if any."""
    interval = calendar.index_of(now_ns) + 1
    while calendar.gate_closure_ns(interval + 1) + margin_ns <= now_ns:
        interval += 1
    if calendar.gate_closure_ns(interval) + margin_ns <= now_ns < calendar.dispatch_deadline_ns(interval):
        return interval
    return None


def next_opening_ns(calendar: Calendar, now_ns: int, margin_ns: int, after_interval: int) -> int:
    """When the next height may be proposed: a margin after the gate of the first interval that is not yet covered.

    Now, if an interval after `after_interval` can be proposed at this moment.
    """
    current = tradeable_interval(calendar, now_ns, margin_ns)
    if current is not None and current > after_interval:
        return now_ns
    interval = max(after_interval + 1, calendar.index_of(now_ns) + 1)
    while calendar.gate_closure_ns(interval) + margin_ns <= now_ns:
        interval += 1
    return calendar.gate_closure_ns(interval) + margin_ns


def heads_at_gate(
    heads: Iterable[Head], orders: Iterable[SeenOrder], gate_ns: int
) -> tuple[Head | tuple[bytes, int], ...]:
    """What a fair proposer includes: every head, cut before the first order that appeared after the gate.

    A cut head is given as (member, last sequence to include), since its id is not known here.
    """
    first_late: dict[bytes, int] = {}
    for order in orders:
        if order.first_seen_ns > gate_ns:
            first_late[order.member] = min(first_late.get(order.member, order.sequence), order.sequence)
    return tuple(
        (head.member, first_late[head.member] - 1) if head.member in first_late else head for head in heads
    )


def unfairness(
    block: Block,
    round_: int,
    *,
    calendar: Calendar,
    now_ns: int,
    margin_ns: int,
    orders: Iterable[SeenOrder],
    anchored: Mapping[bytes, Head],
    attention: Attention,
) -> str | None:
    """Why a fresh proposal is refused, or None. `orders` are those held for the block's last interval."""
    interval = block.header.last_interval
    gate_ns = calendar.gate_closure_ns(interval)
    if block.header.round != round_:
        return f"the block says it was made in round {block.header.round}, not in {round_}"
    if now_ns < gate_ns - margin_ns:
        return f"the gate of interval {interval} has not closed"
    if now_ns >= calendar.dispatch_deadline_ns(interval):
        return f"the dispatch deadline of interval {interval} has passed"
    if not gate_ns - margin_ns <= block.header.time_ns <= now_ns + margin_ns:
        return "the block's time is not between its gate and now"
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
