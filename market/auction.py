"""The gate of an interval: cut every curve, clear them on the feeder, and say who contracted what.

Energies are mWh, prices µ/kWh, money pico-currency.
"""

from dataclasses import dataclass, replace

import numpy as np

from market.cell_state import ClearedInterval, member_account
from market.certificates.certify import certify_clearing
from market.clearing import Clearing, clear
from market.collateral import cut, worst_cost_of_position
from market.draft import StateDraft
from market.emergency.priority import NO_PRIORITY, served_first
from market.federation.intake import is_gateway
from market.orders import OrderBook, Side
from market.outcomes import ClearingOutcome, Fill, MemberClearing
from market.payloads import Curve, Step
from market.rules import MemberRule, TariffStep
from market.standing_limits import limits_in
from market.virtual_battery.book import Aggregators
from market.virtual_battery.settling import together


@dataclass(frozen=True, slots=True)
class _Bid:
    """A member's curve as it enters the auction."""

    rule: MemberRule
    buys: tuple[Step, ...]
    sells: tuple[Step, ...]


def hold_auction(draft: StateDraft) -> tuple[ClearedInterval, ClearingOutcome]:
    """Clear the last interval of the draft's block; nothing is posted before the next block confirms it.

    In a block proposed after the interval's trading deadline nobody bids: it only keeps the chain going. In an
    emergency nobody stands behind the grid connection, neither the supplier nor the cell above.
    """
    interval, emergency = draft.block.last_interval, draft.emergency.declared is not None
    tariff = draft.settling_tariff(interval, emergency=emergency)
    aggregators = draft.aggregators(interval)
    bids = _bids(draft, interval, tariff, aggregators)
    book, limits = _book(bids), limits_in(draft.limits, interval)
    feeder = draft.rules.feeder_for(interval, limits, draft.tariffs)
    feeder = replace(feeder, grid=None) if emergency else feeder
    clearing = clear(book, feeder)
    members = _parts(bids, clearing)
    cleared = ClearedInterval(
        interval=interval,
        tariff=tariff,
        prices=clearing.prices,
        contracts={part.member: part.position for part in members if part.position},
        grid_import=clearing.grid_import,
        grid_export=clearing.grid_export,
        losses=clearing.losses,
        loss_money=clearing.loss_money,
        aggregators=aggregators,
    )
    outcome = ClearingOutcome(
        interval=interval,
        tariff=tariff,
        prices=clearing.prices,
        flows=clearing.flows,
        grid_import=clearing.grid_import,
        grid_export=clearing.grid_export,
        volume=clearing.volume,
        welfare=clearing.welfare,
        members=members,
        limits=limits,
        certificate=certify_clearing(book, feeder, clearing).hash(),
        emergency=emergency,
    )
    return cleared, outcome


def _bids(draft: StateDraft, interval: int, tariff: TariffStep, aggregators: Aggregators) -> list[_Bid]:
    """The curves for the interval after the cuts, ascending by member, of everyone who may trade.

    An aggregator may offer what the nameplates of its virtual battery allow together.
    """
    if draft.block.time_ns >= draft.rules.calendar.trading_deadline_ns(interval):
        return []
    exposure, balances = _exposure(draft), draft.balances
    bids = []
    for rule in draft.rules.members:
        curve = draft.curves.get((interval, rule.member))
        if curve is None or rule.member in draft.frozen or rule.member in draft.block.voided:
            continue
        if draft.emergency.declared is not None and is_gateway(draft, rule.member):
            continue
        points = [draft.rules.member_index[each] for each in together(aggregators, rule.member)]
        if not points:
            continue
        balance = balances[member_account(rule.member)]
        kept = cut(
            curve,
            draft.rules.tariff_on(rule.branch, tariff),
            max_injection=sum(draft.rules.max_injection(point) for point in points),
            max_withdrawal=sum(draft.rules.max_withdrawal(point) for point in points),
            budget=balance + rule.credit_limit - exposure.get(rule.member, 0),
        )
        bids.append(_Bid(rule, _buys(draft, points, kept), kept.sells))
    return bids


def _buys(draft: StateDraft, points: list[MemberRule], curve: Curve) -> tuple[Step, ...]:
    """What is bought for these metering points; in an emergency what the operator granted them goes first."""
    if draft.emergency.declared is None:
        return curve.buys
    granted = [draft.emergency.priorities.get(point.member, NO_PRIORITY) for point in points]
    return served_first(curve.buys, sum(granted, NO_PRIORITY), draft.rules.interval_s)


def _exposure(draft: StateDraft) -> dict[bytes, int]:
    """What the unsettled positions of each member can still cost."""
    exposure: dict[bytes, int] = {}
    for record in draft.records.values():
        if record.settled:
            continue
        for member, position in record.contracts.items():
            branch = draft.rules.member_index[member].branch
            reaching = draft.rules.tariff_on(branch, record.tariff)
            cost = worst_cost_of_position(reaching, record.prices[branch], position)
            exposure[member] = exposure.get(member, 0) + cost
    return exposure


def _book(bids: list[_Bid]) -> OrderBook:
    """The order book: an order's id is its place in (member, buys before sells, best first)."""
    rows = [
        (step.price, step.quantity, side, bid.rule.branch)
        for bid in bids
        for side, steps in ((Side.BUY, bid.buys), (Side.SELL, bid.sells))
        for step in steps
    ]
    columns = np.array(rows, np.int64).reshape(len(rows), 4)
    return OrderBook.from_arrays(
        price=columns[:, 0].copy(), quantity=columns[:, 1].copy(), side=columns[:, 2], branch=columns[:, 3]
    )


def _parts(bids: list[_Bid], clearing: Clearing) -> tuple[MemberClearing, ...]:
    filled = iter(clearing.fills.tolist())
    parts = []
    for bid in bids:
        fills = tuple(
            Fill(side, step.price, step.quantity, next(filled))
            for side, steps in ((Side.BUY, bid.buys), (Side.SELL, bid.sells))
            for step in steps
        )
        position = sum(fill.filled if fill.side is Side.SELL else -fill.filled for fill in fills)
        price = clearing.prices[bid.rule.branch]
        parts.append(MemberClearing(bid.rule.member, bid.rule.branch, price, position, fills))
    return tuple(parts)
