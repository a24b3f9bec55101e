"""The market as one member sees it: intervals to come, orders, fills, prices, merit orders."""

from collections.abc import Iterable, Iterator
from typing import Literal

from ledger.membership.members import Member
from market.orders import Side
from market.outcomes import Fill as MarketFill
from market.outcomes import MemberClearing, SettlementLine
from market.payloads import Curve
from market.settlement import bill
from market.units import NS_PER_S, S_PER_DAY, money_text
from node.web.answers import Auction, BranchPrice, IntervalPrice, MeritStep, Slot
from node.web.cell_history import KeptBlock
from node.web.trade_answers import Fill, Order, Step
from node.web.watched_node import WatchedNode

SlotState = Literal["settled", "delivered", "running", "cleared", "open"]
BEHIND = 24
"""Intervals of the past that the schedule shows."""
OUTER = (10, 90)
"""Percentiles of past errors between which the expected net energy is shown."""


def schedule_of(node: WatchedNode, cell_ns: int, ahead: int) -> list[Slot]:
    """The intervals around now: what was, what is contracted, what is expected, at which prices."""
    state = node.state
    if state is None:
        return []
    running = node.interval_at(cell_ns)
    expected = {row[0]: row for row in node.live.core.get("forecast", [])}
    spread = _errors(node)
    return [
        _slot(node, interval, running, expected.get(interval), spread)
        for interval in range(running - BEHIND, running + ahead + 1)
    ]


def orders_of(node: WatchedNode, limit: int) -> list[Order]:
    """This member's orders, newest first: those still open, then what became of the cleared ones."""
    member, state = node.member, node.state
    if member is None or state is None:
        return []
    open_orders = [
        Order(interval=interval, start=node.start_of(interval), fate="open", steps=list(_offered(curve)))
        for (interval, author), curve in state.curves.items()
        if author == member.id
    ]
    cleared = (
        Order(
            interval=block.clearing.interval,
            start=node.start_of(block.clearing.interval),
            fate=node.history.fate(block),
            steps=[_step(fill) for fill in part.fills],
        )
        for block, part in _own_parts(node, member.id)
    )
    newest = sorted(open_orders, key=lambda order: -order.interval)
    return [*newest, *_first(cleared, limit)][:limit]


def fills_of(node: WatchedNode, limit: int) -> list[Fill]:
    """What this member contracted, or the aggregator of its virtual battery for it, newest first."""
    member = node.member
    if member is None:
        return []
    parts = ((block, block.outcomes.part_of(member.id)) for block in reversed(node.history.blocks))
    own = (each for each in parts if each[1] is not None or _is_together(each[0], member.id))
    return [_fill(node, block, member, part) for block, part in _first(own, limit)]


def prices_of(node: WatchedNode, limit: int) -> list[IntervalPrice]:
    """The last auctions, oldest first."""
    return [IntervalPrice(**_price(node, block)) for block in list(node.history.blocks)[-limit:]]  # type: ignore[arg-type]


def auction_of(node: WatchedNode, block: KeptBlock) -> Auction:
    """One auction with its merit order, this member's steps marked."""
    own, rules = node.member, None if node.state is None else node.state.rules
    sides: dict[str, list[MeritStep]] = {"buy": [], "sell": []}
    own_price = None
    for part in block.clearing.members:
        mine = own is not None and part.member == own.id
        own_price = part.price if mine else own_price
        for fill in part.fills:
            side = "buy" if fill.side is Side.BUY else "sell"
            sides[side].append(
                MeritStep(
                    member=node.history.name_of(part.member),
                    mine=mine,
                    branch="" if rules is None else rules.branches[part.branch].name,
                    side="buy" if fill.side is Side.BUY else "sell",
                    price=fill.limit_price,
                    quantity=fill.offered,
                    filled=fill.filled,
                )
            )
    return Auction(
        **_price(node, block),  # type: ignore[arg-type]
        own_price=own_price,
        buys=sorted(sides["buy"], key=lambda step: (-step.price, step.member)),
        sells=sorted(sides["sell"], key=lambda step: (step.price, step.member)),
    )


def saving_of(node: WatchedNode, line: SettlementLine) -> int | None:
    """How much better off a settled interval left this member than the bare tariff, pico-currency."""
    state, tariff = node.state, node.history.tariffs.get(line.interval)
    rule = None if state is None else state.rules.member(line.member)
    if state is None or rule is None or tariff is None:
        return None
    at_tariff = -bill(state.rules.tariff_on(rule.branch, tariff), -line.metered)
    return line.contract_money + line.imbalance_money - at_tariff


def _own_parts(node: WatchedNode, member: bytes) -> Iterator[tuple[KeptBlock, MemberClearing]]:
    for block in reversed(node.history.blocks):
        part = block.outcomes.part_of(member)
        if part is not None:
            yield block, part


def _first(items: Iterable, limit: int) -> list:  # type: ignore[type-arg]
    return [item for item, _ in zip(items, range(limit), strict=False)]


def _offered(curve: Curve) -> Iterator[Step]:
    for step in curve.buys:
        yield Step(side="buy", price=step.price, quantity=step.quantity, filled=None)
    for step in curve.sells:
        yield Step(side="sell", price=step.price, quantity=step.quantity, filled=None)


def _step(fill: MarketFill) -> Step:
    side = "buy" if fill.side is Side.BUY else "sell"
    return Step(side=side, price=fill.limit_price, quantity=fill.offered, filled=fill.filled)  # type: ignore[arg-type]


def _is_together(block: KeptBlock, member: bytes) -> bool:
    """Whether a member was in a virtual battery in a block's auction."""
    return member in block.aggregators or member in block.aggregators.values()


def _fill(node: WatchedNode, block: KeptBlock, member: Member, part: MemberClearing | None) -> Fill:
    interval, fate = block.clearing.interval, node.history.fate(block)
    line = node.history.lines.get(interval, {}).get(member.id)
    saving = None if line is None else saving_of(node, line)
    bidder = block.aggregators.get(member.id)
    position = 0 if part is None else part.position
    alone = None if line is None else line.price
    return Fill(
        interval=interval,
        start=node.start_of(interval),
        fate=fate,
        price=alone if part is None else part.price,
        position=position,
        aggregator=None if bidder is None else node.history.name_of(bidder),
        passed_on=line.passed_on if line is not None and _is_together(block, member.id) else None,
        metered=None if line is None else line.metered,
        estimated=line is not None and line.estimated,
        contract_money=None if line is None else money_text(line.contract_money),
        imbalance_money=None if line is None else money_text(line.imbalance_money),
        saving=None if saving is None else money_text(saving),
    )


def _price(node: WatchedNode, block: KeptBlock) -> dict[str, object]:
    clearing = block.clearing
    branches = () if node.state is None else node.state.rules.branches
    return {
        "interval": clearing.interval,
        "start": node.start_of(clearing.interval),
        "height": block.header.height,
        "fate": node.history.fate(block),
        "import_price": clearing.tariff.import_price,
        "export_price": clearing.tariff.export_price,
        "branches": [
            BranchPrice(name=branch.name, price=price, flow=flow)
            for branch, price, flow in zip(branches, clearing.prices, clearing.flows, strict=True)
        ],
        "volume": clearing.volume,
        "grid_import": clearing.grid_import,
        "grid_export": clearing.grid_export,
    }


def _slot(
    node: WatchedNode,
    interval: int,
    running: int,
    forecast: list[int] | None,
    spread: tuple[int, int] | None,
) -> Slot:
    state, member, rule = node.state, node.member, node.rule
    assert state is not None, "there is a schedule only of a cell that is known"
    tariff = state.rules.tariff_at(interval, state.tariffs)
    if rule is not None:
        tariff = state.rules.tariff_on(rule.branch, tariff)
    block = node.history.auction(interval)
    part = None if block is None or member is None else block.outcomes.part_of(member.id)
    line = None if member is None else node.history.lines.get(interval, {}).get(member.id)
    net = None if forecast is None else forecast[2] - forecast[1]
    branch = 0 if rule is None else rule.branch
    low, high = (None, None) if net is None or spread is None else (net + spread[0], net + spread[1])
    return Slot(
        interval=interval,
        start=node.start_of(interval),
        import_price=tariff.import_price,
        export_price=tariff.export_price,
        price=None if block is None else block.clearing.prices[branch],
        position=0 if block is not None and part is None else None if part is None else part.position,
        metered=None if line is None else line.metered,
        expected=net,
        expected_low=low,
        expected_high=high,
        expected_load=None if forecast is None else forecast[1],
        expected_generation=None if forecast is None else forecast[2],
        state=_slot_state(interval, running, settled=line is not None, cleared=block is not None),
    )


def _slot_state(interval: int, running: int, *, settled: bool, cleared: bool) -> SlotState:
    if settled:
        return "settled"
    if interval < running:
        return "delivered"
    if interval == running:
        return "running"
    return "cleared" if cleared else "open"


def _errors(node: WatchedNode) -> tuple[int, int] | None:
    """Between which errors the same interval of the day before has foretold the own net energy so far, mWh."""
    state, member = node.state, node.member
    if state is None or member is None:
        return None
    season = S_PER_DAY // state.rules.interval_s
    nets = {
        interval: known[member.id].metered
        for interval, known in node.history.lines.items()
        if member.id in known
    }
    errors = sorted(nets[each] - nets[each - season] for each in nets if each - season in nets)
    if len(errors) < season // 2:
        return None
    low, high = (errors[(len(errors) - 1) * percent // 100] for percent in OUTER)
    return low, high


def day_of(node: WatchedNode, cell_ns: int) -> range:
    """The intervals of the day (UTC) that runs at a cell time, up to now."""
    state = node.state
    if state is None:
        return range(0)
    midnight_s = cell_ns // NS_PER_S // S_PER_DAY * S_PER_DAY
    return range(-(-midnight_s // state.rules.interval_s), node.interval_at(cell_ns) + 1)
