"""The cell's state function: what a block of entries does to orders, contracts, readings and money.

One block, in this order:

1. The clearing of the block before is confirmed (its contracts are posted) or, if that block was decided too
   late or its interval is one of emergency, voided: its interval then settles at tariff, which in an emergency
   is that of the genesis. So do the intervals that this block skips.
2. The positions of members that are frozen by now, or have left, go to the supplier at their price, if their
   interval is not yet delivered; what such a member withdraws or injects is settled as imbalance, on estimates,
   for its entries no longer count and its open orders are dropped. Who left is settled up to the interval before
   this one and not beyond. Nobody of them is in a virtual battery any more.
3. The entries, in their agreed order (`market.intake`), and whether they make the last interval one of
   emergency (`market.emergency`). 4. The auction of that interval (`market.auction`), among members that are
   neither frozen nor voided. 5. Every delivered interval (its end lies before this block's gate: last
   interval - 2 and before) is settled once all readings are in or its deadline has passed. A reading counts
   once its interval has ended by the block's time. A missing one is estimated: the member's latest measured
   reading, or nothing, fitted to what the branch meters show (`market.cross_check`). What a gateway takes to
   the cell above counts as delivered (`market.federation.intake`). Later readings correct an estimate, within
   the window, by posting the difference.

Money sums to zero in every posting set. Nothing a member writes makes `apply` raise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ledger.chain.application import BlockInput
from ledger.chain.journal import Balances
from ledger.encoding import Value
from ledger.records.genesis import Genesis, member_id
from market.admission import accepts_terms
from market.auction import hold_auction
from market.cell_state import DSO, CellState, ClearedInterval, IntervalRecord, state_leaves
from market.cell_state_reading import state_of_leaves
from market.cross_check import counted, mismatches
from market.draft import StateDraft
from market.errors import InvalidRules
from market.federation.intake import delivered_transfer, is_gateway
from market.intake import take_entries
from market.loss_settlement import contracted_inside, settle_losses
from market.outcomes import (
    BlockOutcomes,
    Confirmation,
    IntervalSettlement,
    SettlementLine,
    TakenOver,
)
from market.payloads import Quality, Reading
from market.rules import CellRules, decode_rules
from market.services.paying import pay_services
from market.settlement import (
    Imbalances,
    Reason,
    branch_of,
    confirm,
    contract_money,
    difference,
    imbalances,
    take_over,
)
from market.virtual_battery.settling import (
    amounts_passed_on,
    contracts_after,
    energy_passed_on,
    price_within,
)


class EnergyCell:
    """The market as a ledger application; it holds nothing, so one instance serves any number of cells."""

    def initial(self, genesis: Genesis) -> CellState:
        """The state before block 1. Raises `InvalidRules` (an `InvalidGenesis`) naming the field."""
        rules = decode_rules(genesis.application)
        founders = {member_id(member.feed_key) for member in genesis.members}
        for index, rule in enumerate(rules.members):
            if rule.member not in founders:
                raise InvalidRules(f"members[{index}].member", "is not a member of the cell")
        return CellState(rules=rules, last_interval=genesis.first_interval - 1, balances=Balances())

    def apply(self, state: CellState, block: BlockInput) -> tuple[CellState, BlockOutcomes]:
        """The state after a block and what followed from it; never raises on what members wrote."""
        draft = StateDraft(state, block)
        confirmation = _confirm(draft, state.pending, emergency=state.emergency.declared is not None)
        skipped = range(state.last_interval + 1, block.last_interval)
        for interval in skipped:
            word = draft.emergency.word_on(interval, draft.rules, block.membership)
            tariff = draft.settling_tariff(interval, emergency=word is not None)
            together = draft.aggregators(interval)
            draft.open_record(interval, tariff, _no_prices(draft.rules), {}, aggregators=together)
        taken_over = _take_over_frozen(draft)
        take_entries(draft)
        draft.emergency.decide(block.last_interval, draft.rules, block.membership)
        cleared, clearing = hold_auction(draft)
        settlements = _settle_delivered(draft)
        settle_losses(draft, settlements, state.records)
        services = pay_services(draft, settlements, state.records)
        outcomes = BlockOutcomes(
            height=block.height,
            skipped=skipped,
            confirmation=confirmation,
            taken_over=taken_over,
            clearing=clearing,
            settlements=settlements,
            postings=tuple(draft.postings),
            rejected=tuple(draft.rejected),
            recorded=tuple(draft.recorded),
            services=services,
        )
        return draft.finish(cleared), outcomes

    def accepts(self, state: CellState, member: bytes, terms: tuple[Value, ...]) -> bool:
        """Whether a new member may come on these terms, as `market.admission` reads them."""
        return accepts_terms(state.rules, member, terms)

    def leaves(self, state: CellState) -> Iterable[tuple[bytes, bytes]]:
        """The state as leaves with distinct keys."""
        return state_leaves(state)

    def restore(self, genesis: Genesis, leaves: Iterable[tuple[bytes, bytes]]) -> CellState:
        """The state that has these leaves. Raises `PeerError` where there is none."""
        return state_of_leaves(decode_rules(genesis.application), leaves)


def _no_prices(rules: CellRules) -> tuple[int | None, ...]:
    return (None,) * len(rules.branches)


def _confirm(draft: StateDraft, pending: ClearedInterval | None, *, emergency: bool) -> Confirmation | None:
    if pending is None:
        return None
    timely = bool(draft.block.previous_timely)
    if emergency or not timely:
        together = pending.aggregators
        draft.open_record(pending.interval, pending.tariff, _no_prices(draft.rules), {}, aggregators=together)
        return Confirmation(pending.interval, timely, rent=0, emergency=emergency)
    amounts = confirm(pending, draft.rules)
    draft.post(Reason.CONFIRMED, pending.interval, amounts)
    draft.open_record(
        pending.interval,
        pending.tariff,
        pending.prices,
        pending.contracts,
        pending.losses,
        aggregators=pending.aggregators,
    )
    return Confirmation(pending.interval, timely=True, rent=amounts[DSO])


def _take_over_frozen(draft: StateDraft) -> tuple[TakenOver, ...]:
    taken = []
    for record in list(draft.records.values()):
        involved = record.contracts.keys() | record.aggregators.keys() | set(record.aggregators.values())
        gone = sorted(draft.frozen & involved)
        if record.interval <= draft.last_delivered or not gone:
            continue
        for member in (each for each in gone if each in record.contracts):
            price, position = record.prices[branch_of(draft.rules, member)], record.contracts[member]
            draft.post(Reason.TAKEN_OVER, record.interval, take_over(member, price, position))
            taken.append(TakenOver(record.interval, member, position, 0 if price is None else price))
        draft.without(record, gone)
    return tuple(taken)


def _settle_delivered(draft: StateDraft) -> tuple[IntervalSettlement, ...]:
    settlements = []
    deadline = draft.last_delivered - draft.rules.reading_deadline
    awaited = [
        rule
        for rule in draft.rules.members
        if rule.member not in draft.frozen and not is_gateway(draft, rule.member)
    ]
    for interval, record in sorted(draft.records.items()):
        new = draft.touched.get(interval, {})
        delivered = interval <= draft.last_delivered
        if not new and interval not in draft.metered and (record.settled or not delivered):
            continue
        readings = {**record.readings, **new}
        if record.settled:
            settlements.append(_correct(draft, record, new))
        elif interval <= deadline or (
            delivered and all(rule.member in readings for rule in awaited if rule.meters(interval))
        ):
            settlements.append(_settle(draft, record, readings))
        elif new or interval in draft.metered:
            draft.records[interval] = replace(record, readings=readings, meters=draft.meters_of(record))
    return tuple(settlements)


def _settle(
    draft: StateDraft, record: IntervalRecord, readings: Mapping[bytes, Reading]
) -> IntervalSettlement:
    known = {
        rule.member: delivered_transfer(record.contracts.get(rule.member, 0))
        if is_gateway(draft, rule.member)
        else readings.get(rule.member) or _estimate(draft, rule.member)
        for rule in draft.rules.members
        if rule.meters(record.interval)
    }
    settled = _counted(draft, record, known)
    draft.records[record.interval] = settled
    result = imbalances(settled, draft.rules)
    draft.post(Reason.SETTLED, record.interval, result.amounts())
    draft.post(Reason.PASSED_ON, record.interval, amounts_passed_on(settled, draft.rules))
    return _told(draft.rules, settled, settled.readings, result, result, correction=False)


def _counted(draft: StateDraft, record: IntervalRecord, known: Mapping[bytes, Reading]) -> IntervalRecord:
    """The record with the readings that count: the estimates among those known fitted to the branch meters."""
    meters = draft.meters_of(record)
    guesses = {
        member: reading
        for member, reading in known.items()
        if reading.quality is Quality.ESTIMATED and meters
    }
    settled = replace(
        record,
        readings=counted(draft.rules, known, meters, contracted_inside(record, draft.rules)),
        settled=True,
        meters=meters,
        guesses=guesses,
    )
    return replace(settled, contracts=contracts_after(settled)) if settled.aggregators else settled


def _estimate(draft: StateDraft, member: bytes) -> Reading:
    _, latest = draft.last_measured.get(member, (0, Reading(0, 0)))
    return replace(latest, quality=Quality.ESTIMATED)


def _correct(
    draft: StateDraft,
    record: IntervalRecord,
    new: Mapping[bytes, Reading],
) -> IntervalSettlement:
    corrected = _counted(draft, record, {**record.readings, **record.guesses, **new})
    draft.records[record.interval] = corrected
    result = imbalances(corrected, draft.rules)
    moved = difference(result, imbalances(record, draft.rules))
    draft.post(Reason.CORRECTED, record.interval, moved.amounts())
    passed = amounts_passed_on(corrected, draft.rules, before=record)
    draft.post(Reason.PASSED_ON, record.interval, passed)
    changed = {m for m, reading in corrected.readings.items() if reading != record.readings[m]}
    # Who answers for a member whose reading changed is corrected, too.
    changed |= {corrected.aggregators[member] for member in changed & corrected.aggregators.keys()}
    return _told(draft.rules, corrected, changed | new.keys(), result, moved, correction=True)


def _told(
    rules: CellRules,
    record: IntervalRecord,
    members: Iterable[bytes],
    result: Imbalances,
    moved: Imbalances,
    *,
    correction: bool,
) -> IntervalSettlement:
    passed = energy_passed_on(record)
    lines = tuple(
        _line(rules, record, member, result.members[member], moved.members.get(member, 0), passed, correction)
        for member in sorted(members)
    )
    return IntervalSettlement(
        record.interval,
        record.tariff,
        correction,
        lines,
        moved.supplier,
        moved.community,
        mismatches(rules, record.interval, record.readings, record.meters, contracted_inside(record, rules)),
    )


def _line(
    rules: CellRules,
    record: IntervalRecord,
    member: bytes,
    money: int,
    posted: int,
    passed: Mapping[bytes, int],
    correction: bool,
) -> SettlementLine:
    reading = record.readings[member]
    contracted = record.contracts.get(member, 0)
    price = (
        price_within(record, rules, member) if member in passed else record.prices[branch_of(rules, member)]
    )
    return SettlementLine(
        interval=record.interval,
        member=member,
        contracted=contracted,
        contribution=reading.contribution,
        consumption=reading.consumption,
        price=price,
        contract_money=contract_money(price, contracted),
        imbalance_money=money,
        posted=posted,
        estimated=reading.quality is Quality.ESTIMATED,
        correction=correction,
        passed_on=passed.get(member, 0),
    )
