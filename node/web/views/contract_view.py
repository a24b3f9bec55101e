"""What a cell's dsos buy, what stands in its accounts, and what its branches' meters said."""

from ledger.records.genesis import Role
from market.cell_state import COMMUNITY, DSO, EXTERNAL, LOSSES, SUPPLIER, CellState, member_account
from market.services.book import TermsStep
from market.units import MW_PER_W, money_text
from node.saying.tariffs import SUBJECT
from node.web.contract_answers import (
    Account,
    Accounts,
    BoughtService,
    MeteredBranch,
    Meters,
    TermsInForce,
)
from node.web.saying_entries import Saying
from node.web.watched_node import WatchedNode

OTHERS = (SUPPLIER, COMMUNITY, DSO, LOSSES, EXTERNAL)


def services_of(node: WatchedNode, cell_ns: int) -> list[BoughtService]:
    """The services of the cell by name, with the terms of the running interval and those that follow."""
    state, member = node.state, node.member
    if state is None:
        return []
    running = node.interval_at(cell_ns)
    found = []
    for name, steps in sorted(state.services.terms.items()):
        begun = [step for step in steps if step.from_interval <= running]
        shown = [*begun[-1:], *(step for step in steps if step.from_interval > running)]
        armed = state.services.armed_at(name, running).values()
        found.append(
            BoughtService(
                name=name.decode(),
                requested=steps[0].terms.requested,
                mine=member is not None and steps[0].payer == member.id,
                terms=[_terms(node, step) for step in shown],
                armed_up_w=sum(span.up_mw for span in armed) / MW_PER_W,
                armed_down_w=sum(span.down_mw for span in armed) / MW_PER_W,
            )
        )
    return found


def accounts_of(node: WatchedNode, saying: Saying) -> Accounts:
    """Every account: members by name, those that have left while something is in theirs, then the cell's own."""
    state, tip = node.state, node.history.tip
    found: list[Account] = []
    if state is not None and tip is not None:
        present = {each.id for each in tip.membership.members}
        for member in sorted(tip.membership.everyone, key=lambda each: each.name):
            balance = state.balances[member_account(member.id)]
            if balance or member.id in present:
                name, gone = member.name.decode(), member.id not in present
                found.append(Account(name=name, member=True, gone=gone, balance=money_text(balance)))
        found += [
            Account(name=each.decode(), member=False, gone=False, balance=money_text(state.balances[each]))
            for each in OTHERS
        ]
    return Accounts(
        fault=saying.why_not(Role.OPERATOR, SUBJECT),
        currency="" if state is None else state.rules.currency,
        accounts=found,
    )


def meters_of(node: WatchedNode, saying: Saying, cell_ns: int) -> Meters:
    """What branch meters said of the intervals whose readings can still be corrected."""
    state = node.state
    fault = saying.why_not(Role.DSO, "branches")
    if state is None:
        return Meters(fault=fault, first=None, last=None, last_start=None, branches=[], readings=[])
    open_ones = [each for each in state.records if state.rules.calendar.end_ns(each) <= cell_ns]
    last = max(open_ones, default=None)
    return Meters(
        fault=fault,
        first=min(open_ones, default=None),
        last=last,
        last_start=None if last is None else node.start_of(last),
        branches=[branch.name for branch in state.rules.branches],
        readings=_readings(node, state),
    )


def _readings(node: WatchedNode, state: CellState) -> list[MeteredBranch]:
    return [
        MeteredBranch(
            branch=state.rules.branches[branch].name,
            interval=interval,
            start=node.start_of(interval),
            contribution=reading.contribution,
            consumption=reading.consumption,
        )
        for interval, record in sorted(state.records.items(), reverse=True)
        for branch, reading in sorted(record.meters.items())
    ]


def _terms(node: WatchedNode, step: TermsStep) -> TermsInForce:
    tip, said = node.history.tip, step.terms
    payer = None if tip is None else tip.membership.by_id(step.payer)
    return TermsInForce(
        from_interval=step.from_interval,
        start=node.start_of(step.from_interval),
        payer=step.payer.hex()[:12] if payer is None else payer.name.decode(),
        up_w=said.up_mw / MW_PER_W,
        down_w=said.down_mw / MW_PER_W,
        up_price=said.up_price,
        down_price=said.down_price,
        up_energy_price=said.up_energy_price,
        down_energy_price=said.down_energy_price,
    )
