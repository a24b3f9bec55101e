"""What moves when a clearing is confirmed, a position goes to the supplier, or an interval is settled.

Energies are mWh, prices µ/kWh, money pico-currency. For member m: c is its contracted position, x its metered
net energy, p the clearing price of its branch (None where nothing traded or the clearing was voided). The
supplier's bill for a net exchange e over the grid connection (import positive) is retail x e for an import
and feed-in x e for an export, which it pays. Every row is one posting set and sums to zero:

| event                    | member m         | supplier                | dso      | community | external |
| ------------------------ | ---------------- | ----------------------- | -------- | --------- | -------- |
| clearing confirmed       | + p c            | + bill(agreed)          | the rest |           |          |
| frozen member's position | - p c            | + p c                   |          |           |          |
| interval settled         | + imbalance      | + bill(real)-bill(held) |          | the rest  |          |
| interval corrected       | the row above with the new readings, less that row with the old ones    |
| deposit (payout < 0)     | + amount         |                         |          |           | - amount |

What grid services pay is a posting set of its own (`market.services.payments`), and so are what branches really
lost against the contracts (`market.loss_settlement`) and what a virtual battery's aggregator passes on
(`market.virtual_battery.settling`).

`agreed` is the exchange that the clearing contracted, `held` minus the sum of the positions that members hold
at settlement (a frozen member holds none), `real` minus the sum of the metered energies. Imbalance money of d
= x - c: a short member (d < 0) pays max(retail, p) per unit, a long one gets min(feed-in, p); without p
retail and feed-in. On a feeder with fees or losses, retail and feed-in are those that reach the member's branch:
with all of them up to the grid, and less them. So going without a contract avoids neither.

On a feeder with losses the exchange that was contracted has the contracts' losses in it; `held` and `real` have the
same, so that a settlement is about the imbalance alone. What rounding leaves over of them when the clearing is
confirmed goes to, or comes from, the account `losses`.

What follows, for any readings, as long as feed-in <= retail:

- The dso's part is the congestion rent of the clearing with the branches' fees, and never negative.
- The community's part is never negative: members pay each imbalance on its own, the supplier bills their sum.
- At a given p no position earns more than the one that equals what the meter will show: p c + imbalance(x -
  c) <= p x. So selling air (c > x) and skipping the auction (c = 0) never pay. This is about one member's
  money at the price of the interval; it does not say that a member large enough to move p could not gain by
  doing so.
- Where feed-in <= p <= retail, a position between nothing and x never leaves a member worse off than the bare
  tariff. Behind a binding limit p can be above retail or below feed-in, and then scarcity costs and glut
  earns accordingly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from market.cell_state import (
    COMMUNITY,
    DSO,
    EXTERNAL,
    LOSSES,
    SUPPLIER,
    ClearedInterval,
    IntervalRecord,
    member_account,
)
from market.rules import CellRules, TariffStep

Amounts = dict[bytes, int]
"""Money by journal account; what one posting set moves."""


class Reason(IntEnum):
    """Why money moved: the rows of the table. A posting set's reference is the interval concerned."""

    CONFIRMED = 1
    TAKEN_OVER = 2
    SETTLED = 3
    CORRECTED = 4
    DEPOSITED = 5
    LOSSES = 6
    PASSED_ON = 7
    SERVICES = 32


@dataclass(frozen=True, slots=True)
class Imbalances:
    """The settlement of one interval before it is posted: money by member, and what the others get."""

    members: Mapping[bytes, int]
    supplier: int
    community: int

    def amounts(self) -> Amounts:
        """The posting set."""
        amounts = {member_account(member): money for member, money in self.members.items()}
        amounts[SUPPLIER] = self.supplier
        amounts[COMMUNITY] = self.community
        return amounts


def bill(tariff: TariffStep, exchange: int) -> int:
    """What the supplier gets for a net exchange with the cell: import positive; it pays for an export."""
    return exchange * (tariff.import_price if exchange > 0 else tariff.export_price)


def short_price(tariff: TariffStep, price: int | None) -> int:
    """What a member pays per unit that its meter shows less than it contracted."""
    return tariff.import_price if price is None else max(tariff.import_price, price)


def long_price(tariff: TariffStep, price: int | None) -> int:
    """What a member gets per unit that its meter shows more than it contracted."""
    return tariff.export_price if price is None else min(tariff.export_price, price)


def imbalance_money(tariff: TariffStep, price: int | None, imbalance: int) -> int:
    """Money of an imbalance (metered minus contracted): negative for a short member, which pays."""
    if imbalance < 0:
        return imbalance * short_price(tariff, price)
    return imbalance * long_price(tariff, price)


def contract_money(price: int | None, position: int) -> int:
    """Money of a contracted position: a seller receives, a buyer pays. A position without a price is zero."""
    return 0 if price is None else price * position


def confirm(cleared: ClearedInterval, rules: CellRules) -> Amounts:
    """The posting set of a confirmed clearing; the dso's amount is the congestion rent and the branches' fees."""
    amounts = {
        member_account(member): contract_money(cleared.prices[branch_of(rules, member)], position)
        for member, position in cleared.contracts.items()
    }
    agreed = cleared.grid_import - cleared.grid_export
    amounts[SUPPLIER] = bill(cleared.tariff, agreed)
    if cleared.loss_money:
        amounts[LOSSES] = cleared.loss_money
    amounts[DSO] = -sum(amounts.values())
    return amounts


def take_over(member: bytes, price: int | None, position: int) -> Amounts:
    """The posting set by which the supplier takes a frozen member's position at its price."""
    money = contract_money(price, position)
    return {member_account(member): -money, SUPPLIER: money}


def deposit(member: bytes, amount: int) -> Amounts:
    """The posting set of a deposit, or of a payout when the amount is negative."""
    return {member_account(member): amount, EXTERNAL: -amount}


def imbalances(record: IntervalRecord, rules: CellRules) -> Imbalances:
    """Settle an interval on its readings, of which there is one for every metering point."""
    members = {
        member: imbalance_money(
            rules.tariff_on(branch_of(rules, member), record.tariff),
            record.prices[branch_of(rules, member)],
            reading.net - record.contracts.get(member, 0),
        )
        for member, reading in record.readings.items()
    }
    real = record.losses - sum(reading.net for reading in record.readings.values())
    held = record.losses - sum(record.contracts.values())
    supplier = bill(record.tariff, real) - bill(record.tariff, held)
    return Imbalances(members, supplier, -sum(members.values()) - supplier)


def difference(new: Imbalances, old: Imbalances) -> Imbalances:
    """What a correction posts: the new settlement less the old one, of the members whose money changed."""
    changed = {
        member: money - old.members[member]
        for member, money in new.members.items()
        if money != old.members[member]
    }
    return Imbalances(changed, new.supplier - old.supplier, new.community - old.community)


def branch_of(rules: CellRules, member: bytes) -> int:
    """The branch of a member that has a metering point."""
    return rules.member_index[member].branch
