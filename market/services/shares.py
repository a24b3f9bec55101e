"""What every member owes of each request in an interval, from nothing but the agreed state. mW and mWh, whole numbers.

The same split as `devices.swarm.shares.proportional` makes of equal headroom: in proportion to what is armed in the
request's direction, by largest remainder, ties by member id. A node steers by the view that it has at the moment;
this is what the cell pays by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from market.rationing import pro_rata
from market.rules import CellRules
from market.services.book import ArmedSpan, ServiceBook, StandingRequest
from market.services.payloads import Sharing
from market.units import NS_PER_S

MW_NS_PER_MWH: Final = 3_600 * NS_PER_S
"""Milliwatts times nanoseconds in a milliwatt-hour."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request in one interval: what it asks of each member that has armed for it, and how much at most.

    Energies at least 0, in the direction of `sign` (1 up, -1 down), by member ascending by id. An `equalised` one asks
    of all together: who gives less because others are fuller owes nothing, as long as all of it came.
    """

    name: bytes
    sign: int
    required: Mapping[bytes, int]
    most: Mapping[bytes, int]
    equalised: bool = False


def split(total: int, weights: Mapping[bytes, int]) -> dict[bytes, int]:
    """As much of `total` as the weights hold, in proportion to them, exactly; members ascending by id."""
    members = sorted(member for member, weight in weights.items() if weight > 0)
    held = sum(weights[member] for member in members)
    given = min(total, held)
    if not given:
        return dict.fromkeys(members, 0)
    quantities = np.array([weights[member] for member in members], np.int64)
    return dict(zip(members, (int(part) for part in pro_rata(given, quantities)), strict=True))


def bought(book: ServiceBook, name: bytes, interval: int) -> dict[bytes, ArmedSpan]:
    """What is armed for a service in an interval and paid for: cut in proportion to the most that the dso buys."""
    step = book.terms_at(name, interval)
    if step is None:
        return {}
    armed = book.armed_at(name, interval)
    up = split(step.terms.up_mw, {member: span.up_mw for member, span in armed.items()})
    down = split(step.terms.down_mw, {member: span.down_mw for member, span in armed.items()})
    cut = {
        member: ArmedSpan(span.first, span.last, up.get(member, 0), down.get(member, 0))
        for member, span in armed.items()
    }
    return {member: span for member, span in cut.items() if span.up_mw or span.down_mw}


def eligible_branches(rules: CellRules, branch: int | None, reach: int | None) -> frozenset[int]:
    """The branches whose members a request is for: all, those at and below a branch, or those within reach of it."""
    everywhere = range(len(rules.branches))
    if branch is None:
        return frozenset(everywhere)
    if reach is not None:
        return frozenset(each for each in everywhere if _hops(rules, branch, each) <= reach)
    return frozenset(each for each in everywhere if branch in _upwards(rules, each))


def overlap_ns(rules: CellRules, each: StandingRequest, interval: int) -> int:
    """How long a request lasts within an interval."""
    first = max(each.request.start_ns, rules.calendar.start_ns(interval))
    return max(0, min(each.end_ns, rules.calendar.end_ns(interval)) - first)


def calls(book: ServiceBook, rules: CellRules, interval: int) -> tuple[Call, ...]:
    """Every request that falls into an interval, in the order in which blocks took them."""
    return tuple(
        _call(book, rules, each, interval)
        for each in book.requests
        if overlap_ns(rules, each, interval) and _is_requested(book, each, interval)
    )


def _call(book: ServiceBook, rules: CellRules, each: StandingRequest, interval: int) -> Call:
    request, lasts_ns = each.request, overlap_ns(rules, each, interval)
    branches = eligible_branches(rules, request.branch, request.reach)
    up = request.power_mw > 0
    headroom = {
        member: span.up_mw if up else span.down_mw
        for member, span in bought(book, request.name, interval).items()
        if (rule := rules.member(member)) is not None and rule.branch in branches
    }
    shares = split(abs(request.power_mw), headroom)
    return Call(
        request.name,
        1 if up else -1,
        {member: power_mw * lasts_ns // MW_NS_PER_MWH for member, power_mw in shares.items()},
        {member: headroom[member] * lasts_ns // MW_NS_PER_MWH for member in shares},
        request.sharing is Sharing.EQUALISED,
    )


def _is_requested(book: ServiceBook, each: StandingRequest, interval: int) -> bool:
    step = book.terms_at(each.request.name, interval)
    return step is not None and step.terms.requested and step.payer == each.author


def _upwards(rules: CellRules, branch: int) -> list[int]:
    """A branch and all above it, up to the root."""
    path = [branch]
    while (parent := rules.branches[path[-1]].parent) is not None:
        path.append(parent)
    return path


def _hops(rules: CellRules, one: int, other: int) -> int:
    """Steps along the feeder's tree between two branches."""
    ups, others = _upwards(rules, one), _upwards(rules, other)
    shared = len(set(ups) & set(others))
    return len(ups) + len(others) - 2 * shared
