"""The report of a cell: what its blocks say about prices, volumes, energy and money, exact and in integers.

Energies are mWh, prices µ/kWh, money pico-currency (positive: the member receives). Everything comes from the
outcomes of replayed blocks and nothing else, so whoever holds the ledger gets the same report.

- *Volume* is what members bought plus what the cell exported, as the auction counts it; *between members* is
  what members sold to members.
- *Local* energy of an interval is what members injected and other members withdrew in it: the smaller of the
  cell's metered contribution and consumption. Self-sufficiency is its share of consumption, self-consumption
  its share of contribution. Solar power used behind a member's own meter is not on any meter of the cell.
- The *bill at the tariff* is what each member's metered net energy of each interval would have cost, or
  earned, without the market: withdrawal at retail, injection at feed-in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ledger.membership.members import Membership
from ledger.records.genesis import Genesis
from market.cell_state import CellState, member_account
from market.cross_check import Mismatch
from market.orders import Side
from market.outcomes import BlockOutcomes, ClearingOutcome, SettlementLine
from market.rules import CellRules, TariffStep
from market.settlement import Reason, bill


class Fate(Enum):
    """What became of an interval's auction; in a quiet one no bid met an ask."""

    TRADED = "traded"
    QUIET = "quiet"
    VOID = "void"
    PENDING = "pending"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class BranchReport:
    """One branch in one interval. Without a price nothing traded: the quotes are the best unfilled orders."""

    name: str
    price: int | None
    flow: int
    best_bid: int | None
    best_ask: int | None


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One step of a member's curve as it entered the auction: offered and filled energy, both >= 0."""

    member: bytes
    branch: str
    side: Side
    limit_price: int
    offered: int
    filled: int


@dataclass(frozen=True, slots=True)
class IntervalReport:
    """One interval of the cell; the metered figures are zero until it is settled."""

    interval: int
    start_ns: int
    fate: Fate
    tariff: TariffStep
    branches: tuple[BranchReport, ...]
    volume: int
    bought: int
    sold: int
    grid_import: int
    grid_export: int
    rent: int
    settled: bool
    contribution: int
    consumption: int
    supplier: int
    community: int
    orders: tuple[OrderReport, ...] = ()

    @property
    def between_members(self) -> int:
        """What members bought from members; where branches lose energy, all losses count as imported."""
        return max(self.bought - self.grid_import, 0)

    @property
    def local(self) -> int:
        """What was injected and withdrawn within the cell."""
        return min(self.contribution, self.consumption)


@dataclass(frozen=True, slots=True)
class MemberReport:
    """One member over all settled intervals; `balance` and `deposits` are of the whole journal.

    `imbalance` is metered minus contracted, summed; `imbalance_absolute` sums its size, so that short and long
    do not hide each other. `tariff_money` is the same metered energy at the bare tariff.
    """

    id: bytes
    name: str
    branch: str
    bought: int
    sold: int
    contribution: int
    consumption: int
    imbalance: int
    imbalance_absolute: int
    contract_money: int
    imbalance_money: int
    tariff_money: int
    deposits: int
    balance: int
    estimated: int
    intervals: int

    @property
    def money(self) -> int:
        """What the member received (paid, if negative) for the settled intervals."""
        return self.contract_money + self.imbalance_money

    @property
    def saving(self) -> int:
        """How much better off the member is than at the bare tariff."""
        return self.money - self.tariff_money


@dataclass(frozen=True, slots=True)
class Report:
    """The cell's report. `lines` holds every member and interval, corrections applied, `mismatches` the branch meters
    that do not agree with them.
    """

    cell: str
    cell_id: bytes
    currency: str
    interval_s: int
    blocks: int
    intervals: tuple[IntervalReport, ...]
    members: tuple[MemberReport, ...]
    lines: tuple[SettlementLine, ...]
    mismatches: tuple[Mismatch, ...] = ()

    @property
    def standing(self) -> tuple[IntervalReport, ...]:
        """The intervals whose auction stands, or will unless the next block voids it."""
        return tuple(row for row in self.intervals if row.fate in {Fate.TRADED, Fate.QUIET, Fate.PENDING})

    @property
    def contribution(self) -> int:
        """Metered injection of all members in settled intervals."""
        return sum(interval.contribution for interval in self.intervals)

    @property
    def consumption(self) -> int:
        """Metered withdrawal of all members in settled intervals."""
        return sum(interval.consumption for interval in self.intervals)

    @property
    def local(self) -> int:
        """Energy injected by members and withdrawn by others in the same interval."""
        return sum(interval.local for interval in self.intervals)

    def name_of(self, member: bytes) -> str:
        """A member's name, or the start of its id for one that has no metering point."""
        return next((known.name for known in self.members if known.id == member), member.hex()[:8])


def build_report(
    genesis: Genesis,
    outcomes: Iterable[BlockOutcomes],
    state: CellState,
    membership: Membership | None = None,
) -> Report:
    """The report of the blocks whose outcomes are given, in order from the first, and the state after them.

    `membership` after the last block gives the names; without it only founders are named.
    """
    blocks = tuple(outcomes)
    lines = _latest_lines(blocks)
    known = Membership.founding(genesis) if membership is None else membership
    names = {member.id: member.name.decode() for member in known.everyone}
    return Report(
        cell=genesis.cell_name.decode(),
        cell_id=genesis.cell_id,
        currency=state.rules.currency,
        interval_s=state.rules.interval_s,
        blocks=len(blocks),
        intervals=_intervals(state.rules, blocks, lines),
        members=_members(state, blocks, lines, names),
        lines=tuple(lines[key] for key in sorted(lines)),
        mismatches=_mismatches(blocks),
    )


def _mismatches(blocks: tuple[BlockOutcomes, ...]) -> tuple[Mismatch, ...]:
    """Those of each interval as its last settlement or correction left them."""
    latest = {
        settlement.interval: settlement.mismatches for block in blocks for settlement in block.settlements
    }
    return tuple(mismatch for interval in sorted(latest) for mismatch in latest[interval])


Lines = Mapping[tuple[int, bytes], SettlementLine]


def _latest_lines(blocks: tuple[BlockOutcomes, ...]) -> Lines:
    """The settlement of each member and interval as last corrected."""
    return {
        (line.interval, line.member): line
        for block in blocks
        for settlement in block.settlements
        for line in settlement.lines
    }


@dataclass(slots=True)
class _Metered:
    contribution: int = 0
    consumption: int = 0
    supplier: int = 0
    community: int = 0
    settled: bool = False


def _intervals(
    rules: CellRules, blocks: tuple[BlockOutcomes, ...], lines: Lines
) -> tuple[IntervalReport, ...]:
    metered: dict[int, _Metered] = {}
    tariffs: dict[int, TariffStep] = {}
    for line in lines.values():
        sums = metered.setdefault(line.interval, _Metered())
        sums.contribution += line.contribution
        sums.consumption += line.consumption
    for block in blocks:
        for settlement in block.settlements:
            sums = metered.setdefault(settlement.interval, _Metered())
            sums.supplier += settlement.supplier
            sums.community += settlement.community
            sums.settled = True
            tariffs[settlement.interval] = settlement.tariff
    confirmations = {
        block.confirmation.interval: block.confirmation for block in blocks if block.confirmation is not None
    }
    reports = []
    for block in blocks:
        for interval in block.skipped:
            tariff = tariffs.get(interval, rules.tariff_at(interval))
            empty = _no_clearing(rules, interval, tariff)
            reports.append(_interval(rules, empty, Fate.SKIPPED, 0, metered.get(interval, _Metered())))
        clearing = block.clearing
        confirmation = confirmations.get(clearing.interval)
        fate = Fate.PENDING
        if confirmation is not None:
            fate = (Fate.TRADED if clearing.volume else Fate.QUIET) if confirmation.stands else Fate.VOID
        rent = 0 if confirmation is None else confirmation.rent
        sums = metered.get(clearing.interval, _Metered())
        reports.append(_interval(rules, clearing, fate, rent, sums))
    return tuple(reports)


def _no_clearing(rules: CellRules, interval: int, tariff: TariffStep) -> ClearingOutcome:
    count = len(rules.branches)
    return ClearingOutcome(interval, tariff, (None,) * count, (0,) * count, 0, 0, 0, 0, (), ())


def _interval(
    rules: CellRules, clearing: ClearingOutcome, fate: Fate, rent: int, metered: _Metered
) -> IntervalReport:
    fills = [fill for part in clearing.members for fill in part.fills]
    return IntervalReport(
        interval=clearing.interval,
        start_ns=rules.calendar.start_ns(clearing.interval),
        fate=fate,
        tariff=clearing.tariff,
        branches=tuple(_branch(rules, clearing, index) for index in range(len(rules.branches))),
        volume=clearing.volume,
        bought=sum(fill.filled for fill in fills if fill.side is Side.BUY),
        sold=sum(fill.filled for fill in fills if fill.side is Side.SELL),
        grid_import=clearing.grid_import,
        grid_export=clearing.grid_export,
        rent=rent,
        settled=metered.settled,
        contribution=metered.contribution,
        consumption=metered.consumption,
        supplier=metered.supplier,
        community=metered.community,
        orders=tuple(
            OrderReport(
                part.member,
                rules.branches[part.branch].name,
                fill.side,
                fill.limit_price,
                fill.offered,
                fill.filled,
            )
            for part in clearing.members
            for fill in part.fills
        ),
    )


def _branch(rules: CellRules, clearing: ClearingOutcome, index: int) -> BranchReport:
    unfilled = [
        fill
        for part in clearing.members
        if part.branch == index
        for fill in part.fills
        if fill.filled < fill.offered
    ]
    return BranchReport(
        name=rules.branches[index].name,
        price=clearing.prices[index],
        flow=clearing.flows[index],
        best_bid=max((fill.limit_price for fill in unfilled if fill.side is Side.BUY), default=None),
        best_ask=min((fill.limit_price for fill in unfilled if fill.side is Side.SELL), default=None),
    )


def _members(
    state: CellState, blocks: tuple[BlockOutcomes, ...], lines: Lines, names: Mapping[bytes, str]
) -> tuple[MemberReport, ...]:
    tariffs = {settlement.interval: settlement.tariff for block in blocks for settlement in block.settlements}
    deposits = _deposits(blocks)
    reports = []
    for rule in state.rules.members:
        own = [line for line in lines.values() if line.member == rule.member]
        contracted = [line.contracted for line in own]
        reports.append(
            MemberReport(
                id=rule.member,
                name=names.get(rule.member, rule.member.hex()[:8]),
                branch=state.rules.branches[rule.branch].name,
                bought=-sum(energy for energy in contracted if energy < 0),
                sold=sum(energy for energy in contracted if energy > 0),
                contribution=sum(line.contribution for line in own),
                consumption=sum(line.consumption for line in own),
                imbalance=sum(line.imbalance for line in own),
                imbalance_absolute=sum(abs(line.imbalance) for line in own),
                contract_money=sum(line.contract_money for line in own),
                imbalance_money=sum(line.imbalance_money for line in own),
                tariff_money=-sum(
                    bill(state.rules.tariff_on(rule.branch, tariffs[line.interval]), -line.metered)
                    for line in own
                ),
                deposits=deposits.get(member_account(rule.member), 0),
                balance=state.balance_of(rule.member),
                estimated=sum(line.estimated for line in own),
                intervals=len(own),
            )
        )
    return tuple(sorted(reports, key=lambda report: (report.name, report.id)))


def _deposits(blocks: tuple[BlockOutcomes, ...]) -> Mapping[bytes, int]:
    sums: dict[bytes, int] = {}
    for block in blocks:
        for moved in block.postings:
            if moved.reason == Reason.DEPOSITED:
                for posting in moved.postings:
                    sums[posting.account] = sums.get(posting.account, 0) + posting.amount
    return sums
