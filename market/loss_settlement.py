"""What branches really lost against what the contracts had in them: who pays the difference, to the last unit.

The contracted exchange with the supplier has the contracts' losses in it, and the settlement of imbalances leaves
them as they are (`market.settlement`). Where the dso meters the root, the supplier's bill is that of the metered
exchange instead: with L the contracted losses, x the readings and m the root's meter, injection positive,

    difference = bill(- arriving(m)) - bill(L - sum(x))

pico-currency, above zero where more was lost than contracted. The supplier gets it from whom the genesis names
(`market.loss_bearer`), in a posting set of its own which sums to zero; members share it in proportion to what
crossed their meters both ways, odd units going to the lowest ids. Without a meter of the root nothing moves, and
a meter or a reading that comes later is posted as the difference it makes.

The root's meter is at the root's own end; what the connection itself loses after it is taken as contracted. What
a gateway takes to the cell above is no loss, is counted in the meter as the supplier's, and shares in nothing.
Energies are mWh.
"""

from collections.abc import Iterable, Mapping

from market.cell_state import COMMUNITY, DSO, LOSSES, SUPPLIER, IntervalRecord, member_account
from market.draft import StateDraft
from market.federation.parent_rule import gateway_of
from market.loss_bearer import LossBearer
from market.losses import arriving, flows_of
from market.outcomes import IntervalSettlement
from market.rules import CellRules
from market.settlement import Amounts, Reason, bill
from market.splitting import split_by_weight

ROOT = 0
"""The root's place among the branches of a cell's rules."""
_ACCOUNTS = {LossBearer.ACCOUNT: LOSSES, LossBearer.COMMUNITY: COMMUNITY, LossBearer.DSO: DSO}


def settle_losses(
    draft: StateDraft, settlements: Iterable[IntervalSettlement], before: Mapping[int, IntervalRecord]
) -> None:
    """Post the difference of each settled interval; of a corrected one, what its new readings change.

    `before` are the records as the last block left them.
    """
    for settlement in settlements:
        interval = settlement.interval
        amounts = loss_amounts(draft.records[interval], draft.rules)
        if settlement.correction:
            for account, amount in loss_amounts(before[interval], draft.rules).items():
                amounts[account] = amounts.get(account, 0) - amount
        draft.post(Reason.LOSSES, interval, amounts)


def loss_amounts(record: IntervalRecord, rules: CellRules) -> Amounts:
    """The posting set of a settled interval; empty where the root has no meter or nobody bears a difference."""
    meter = record.meters.get(ROOT)
    if meter is None or not rules.loss_bearer:
        return {}
    metered = -arriving(meter.net, rules.branches[ROOT].loss)
    taken = record.losses - sum(reading.net for reading in record.readings.values())
    cost = bill(record.tariff, metered) - bill(record.tariff, taken)
    amounts = {account: -share for account, share in _shares(cost, record, rules).items()}
    amounts[SUPPLIER] = cost
    return amounts


def contracted_inside(record: IntervalRecord, rules: CellRules) -> int:
    """Of the contracted losses those before the root's meter, mWh; zero where losses are not settled."""
    if not rules.loss_bearer:
        return 0
    held = sum(record.contracts.values())
    least, _ = flows_of(held - record.losses, rules.branches[ROOT].loss)
    return held - least


def _shares(cost: int, record: IntervalRecord, rules: CellRules) -> Amounts:
    """The cost by account; where no energy crossed a meter the community has it."""
    account = _ACCOUNTS.get(rules.loss_bearer, COMMUNITY)
    if rules.loss_bearer is not LossBearer.MEMBERS:
        return {account: cost}
    gateway = gateway_of(rules.parent)
    crossed = {
        member: reading.contribution + reading.consumption
        for member, reading in sorted(record.readings.items())
        if member != gateway and reading.contribution + reading.consumption
    }
    if not crossed:
        return {account: cost}
    shares = split_by_weight(cost, list(crossed.values()))
    return {member_account(member): share for member, share in zip(crossed, shares, strict=True)}
