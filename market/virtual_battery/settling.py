"""How a virtual battery is settled: its aggregator passes energy on to its members, and one imbalance is left.

For an aggregator with the contract F in an interval, and its members' metered energies x_m (mWh, injection positive):

- every member is delivered exactly what its meter shows, at the price within: its contract becomes x_m;
- the aggregator's contract becomes F - sum(x_m), so the sum of all contracts stays F, and its imbalance, the only one
  of the virtual battery, is sum(x) - F over all of it.

The price within is the price of their branch; where nothing traded there it is the middle of retail and feed-in (the
mid-market rate), rounded down, and F is nothing. At a price between feed-in and retail a member's energy is never
worth less to it than alone, and no member's deviation costs it anything: the aggregator answers for the sum. What
grid services a virtual battery delivers is what its aggregator has armed, by the sum of its meters.
"""

from collections.abc import Mapping

from market.cell_state import IntervalRecord, member_account
from market.rules import CellRules
from market.settlement import Amounts, branch_of
from market.splitting import split_by_weight
from market.virtual_battery.book import Aggregators


def contracts_after(record: IntervalRecord) -> dict[bytes, int]:
    """The contracts after every aggregator has passed on what its members' meters show; the record has readings.

    Those of a record that was settled before are of the readings it had then, with the same sum.
    """
    contracts = dict(record.contracts)
    for member, aggregator in record.aggregators.items():
        metered = record.readings[member].net
        more = metered - contracts.get(member, 0)
        contracts[member] = metered
        contracts[aggregator] = contracts.get(aggregator, 0) - more
    return {member: contracts[member] for member in sorted(contracts) if contracts[member]}


def energy_passed_on(record: IntervalRecord) -> dict[bytes, int]:
    """By member what its aggregator took from it in a settled interval, and by aggregator what it gave."""
    passed: dict[bytes, int] = {}
    for member, aggregator in record.aggregators.items():
        metered = record.readings[member].net
        passed[member] = passed.get(member, 0) + metered
        passed[aggregator] = passed.get(aggregator, 0) - metered
    return passed


def amounts_passed_on(
    record: IntervalRecord, rules: CellRules, *, before: IntervalRecord | None = None
) -> Amounts:
    """The posting set of what aggregators pass on in a settled interval, or of what changed since it was so before."""
    amounts: Amounts = {}
    for settled, sign in ((record, 1), (before, -1)):
        for member, energy in () if settled is None else energy_passed_on(settled).items():
            account = member_account(member)
            amounts[account] = amounts.get(account, 0) + sign * energy * price_within(record, rules, member)
    return amounts


def price_within(record: IntervalRecord, rules: CellRules, member: bytes) -> int:
    """The price at which energy is passed on inside the virtual battery of a member, µ/kWh."""
    branch = branch_of(rules, member)
    price = record.prices[branch]
    if price is not None:
        return price
    tariff = rules.tariff_on(branch, record.tariff)
    return (tariff.import_price + tariff.export_price) // 2


def together(aggregators: Aggregators, member: bytes) -> tuple[bytes, ...]:
    """All members that a member bids for, itself included, ascending; nobody for one that is traded for."""
    if member in aggregators:
        return ()
    return tuple(sorted([member, *(each for each, to in aggregators.items() if to == member)]))


def spread(contracts: Mapping[bytes, int], aggregators: Aggregators, rules: CellRules) -> dict[bytes, int]:
    """Contracts with each aggregator's dealt out over its virtual battery, in proportion to nameplates.

    So a branch limit leaves every metering point a part of what its virtual battery may carry.
    """
    dealt = dict(contracts)
    for aggregator in sorted(set(aggregators.values())):
        members, position = together(aggregators, aggregator), contracts.get(aggregator, 0)
        most = rules.max_injection if position > 0 else rules.max_withdrawal
        weights = [most(rules.member_index[each]) for each in members]
        if position and sum(weights):
            dealt |= dict(zip(members, split_by_weight(position, weights), strict=True))
    return dealt
