"""The rules of a cell: what the genesis fixes for the market, as checked values and as the tuple that is
signed.

Power limits are mW, prices µ/kWh, money pico-currency, energies mWh. `encode_rules` gives the `application`
tuple of a genesis and `decode_rules` is its strict inverse: every error names the field.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.encoding import Value, big_int_bytes, big_int_from
from ledger.errors import PeerError
from market.emergency.tariff import EmergencyTariff
from market.errors import FeederError, InvalidRules
from market.federation.parent_rule import ParentRule
from market.feeder import Branch, Feeder, Grid
from market.formers import check_formers
from market.intervals import Calendar
from market.loss_bearer import LossBearer
from market.losses import MAX_PATH_LOSS, price_of_injection, price_of_withdrawal
from market.optional_rules import MOST_OPTIONAL, optional_from, optional_values
from market.rule_fields import fields, integer, octets, optional_integer, rows, text, within
from market.units import MAX_PRICE, MAX_QUANTITY, NS_PER_S, energy_of_power

RULES_VERSION = 1
MAX_BRANCHES = 4096
"""Branches of a cell: a low-voltage feeder has tens, and every node clears all of them at every gate."""
MAX_POWER_MW = 10**12
"""1 GW in mW: above any low-voltage feeder, and for a week of fifty thousand members still within 64 bits."""
MAX_INTERVAL_S = 604_800
"""A week: the longest delivery period."""
MAX_WINDOW = 100_000
"""Intervals that a deadline, window or horizon may span."""


@dataclass(frozen=True, slots=True)
class BranchRule:
    """A branch of the feeder: its parent's index (None: the root), power limit (None: unlimited), fee per kWh,
    and the share of the energy entering it that is lost, in millionths.
    """

    name: str
    parent: int | None = None
    limit_mw: int | None = None
    fee: int = 0
    loss: int = 0


@dataclass(frozen=True, slots=True)
class GridRule:
    """The connection above the root branch; None is unlimited."""

    import_limit_mw: int | None = None
    export_limit_mw: int | None = None


@dataclass(frozen=True, slots=True)
class TariffStep:
    """The supplier's prices from an interval on: retail (import) and feed-in (export), import >= export."""

    from_interval: int
    import_price: int
    export_price: int


@dataclass(frozen=True, slots=True)
class MemberRule:
    """A metering point: its branch, its nameplate in both directions, and the debt its account may reach.

    It counts in the intervals from `since` on and, once its member has left, before `until`.
    """

    member: bytes
    branch: int
    max_injection_mw: int
    max_withdrawal_mw: int
    credit_limit: int
    since: int = 0
    until: int | None = None

    def meters(self, interval: int) -> bool:
        """Whether it counts in an interval."""
        return self.since <= interval and (self.until is None or interval < self.until)


@dataclass(frozen=True, slots=True)
class BranchLimit:
    """A dso's limit on a branch from `first` to `last`, both included; a `withdrawable` one its author may end."""

    branch: int
    first: int
    last: int
    limit_mw: int
    withdrawable: bool = False


@dataclass(frozen=True, slots=True)
class CellRules:
    """Everything the market of a cell is founded on.

    `reading_deadline` is how many intervals after it is delivered an interval without all readings is settled
    on estimates; `correction_window` for how many more a late or better reading is still accepted;
    `order_horizon` how far ahead of the last cleared interval an order may lie. Raises `InvalidRules` naming
    the field. `parent` is the cell above, if there is one; `formers` the rank of those that form an island's grid;
    `loss_bearer` pays for losses beyond the contracted ones; `emergency_tariff` holds in place of the supplier's.
    """

    interval_s: int
    gate_lead_s: int
    currency: str
    branches: tuple[BranchRule, ...]
    grid: GridRule | None
    tariff: tuple[TariffStep, ...]
    members: tuple[MemberRule, ...]
    reading_deadline: int = 2
    correction_window: int = 96
    order_horizon: int = 192
    parent: ParentRule | None = None
    formers: tuple[bytes, ...] = ()
    loss_bearer: LossBearer = LossBearer.NOBODY
    emergency_tariff: EmergencyTariff | None = None
    member_index: Mapping[bytes, MemberRule] = field(init=False, repr=False, compare=False)
    paths: tuple[tuple[BranchRule, ...], ...] = field(init=False, repr=False, compare=False)
    calendar: Calendar = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_times(self)
        _check_branches(self)
        _check_tariff(self.tariff)
        _check_members(self)
        check_formers(self.formers)
        object.__setattr__(self, "member_index", {rule.member: rule for rule in self.members})
        object.__setattr__(self, "paths", _paths(self.branches))
        object.__setattr__(self, "calendar", Calendar(self.interval_s, self.gate_lead_s * NS_PER_S))

    def member(self, member: bytes) -> MemberRule | None:
        """The metering point of a member, or None for one that has none (an operator, a pure validator)."""
        return self.member_index.get(member)

    def max_injection(self, rule: MemberRule) -> int:
        """Energy a member can inject in one interval, floor of power x interval."""
        return energy_of_power(rule.max_injection_mw, self.interval_s)

    def max_withdrawal(self, rule: MemberRule) -> int:
        """Energy a member can withdraw in one interval, floor of power x interval."""
        return energy_of_power(rule.max_withdrawal_mw, self.interval_s)

    def tariff_at(self, interval: int, overrides: Sequence[TariffStep] = ()) -> TariffStep:
        """The tariff in force: the latest step at or before the interval.

        `overrides` are the operator's later steps, ascending; at equal `from_interval` an override wins. The
        genesis' first step also holds for everything before it.
        """
        founded = self.tariff[max(_latest(self.tariff, interval), 0)]
        index = _latest(overrides, interval)
        if index >= 0 and overrides[index].from_interval >= founded.from_interval:
            return overrides[index]
        return founded

    def tariff_on(self, branch: int, tariff: TariffStep) -> TariffStep:
        """The supplier's prices on a branch: retail with all fees and losses up to the grid, feed-in less them."""
        retail, feed_in = tariff.import_price, tariff.export_price
        for rule in self.paths[branch]:
            retail = price_of_withdrawal(retail, rule.fee, rule.loss)
            feed_in = price_of_injection(feed_in, rule.fee, rule.loss)
        return TariffStep(tariff.from_interval, retail, feed_in) if self.paths[branch] else tariff

    def feeder_for(
        self, interval: int, limits: Sequence[BranchLimit] = (), overrides: Sequence[TariffStep] = ()
    ) -> Feeder:
        """The feeder of one interval: power limits as energies (rounded down) and the grid at the tariff in
        force.

        Where a branch has several limits the lowest holds.
        """
        lowest = [branch.limit_mw for branch in self.branches]
        for limit in limits:
            if limit.first <= interval <= limit.last:
                held = lowest[limit.branch]
                lowest[limit.branch] = limit.limit_mw if held is None else min(held, limit.limit_mw)
        branches = tuple(
            Branch(rule.name, rule.parent, self._energy_limit(power), rule.fee, rule.loss)
            for rule, power in zip(self.branches, lowest, strict=True)
        )
        return Feeder(branches=branches, grid=self._grid(self.tariff_at(interval, overrides)))

    def _grid(self, tariff: TariffStep) -> Grid | None:
        if self.grid is None:
            return None
        return Grid(
            import_price=tariff.import_price,
            export_price=tariff.export_price,
            import_limit=self._energy_limit(self.grid.import_limit_mw),
            export_limit=self._energy_limit(self.grid.export_limit_mw),
        )

    def _energy_limit(self, power_mw: int | None) -> int | None:
        return None if power_mw is None else energy_of_power(power_mw, self.interval_s)


def encode_rules(rules: CellRules) -> tuple[Value, ...]:
    """The rules as the `application` tuple of a genesis."""
    grid: Value = None if rules.grid is None else (rules.grid.import_limit_mw, rules.grid.export_limit_mw)
    return (
        RULES_VERSION,
        rules.interval_s,
        rules.gate_lead_s,
        rules.currency.encode(),
        tuple(
            # A branch without fee and loss is written as it was before there were any.
            (branch.name.encode(), branch.parent, branch.limit_mw)
            + ((branch.fee, branch.loss) if branch.loss else (branch.fee,) if branch.fee else ())
            for branch in rules.branches
        ),
        grid,
        tuple((step.from_interval, step.import_price, step.export_price) for step in rules.tariff),
        tuple(
            (
                rule.member,
                rule.branch,
                rule.max_injection_mw,
                rule.max_withdrawal_mw,
                big_int_bytes(rule.credit_limit),
            )
            for rule in rules.members
        ),
        rules.reading_deadline,
        rules.correction_window,
        rules.order_horizon,
        *optional_values(rules.parent, rules.formers, rules.loss_bearer, rules.emergency_tariff),
    )


def decode_rules(application: tuple[Value, ...]) -> CellRules:
    """The rules that a genesis holds. Raises `InvalidRules` naming the field that is wrong."""
    most = 11 + MOST_OPTIONAL
    if not 11 <= len(application) <= most or application[0] != RULES_VERSION:
        raise InvalidRules("application", f"is not version {RULES_VERSION} with 11 to {most} fields")
    _, interval_s, gate_lead_s, currency, branches, grid, tariff, members, *windows = application
    deadline, window, horizon, *optional = windows
    rules = CellRules(
        interval_s=integer(interval_s, "interval_s"),
        gate_lead_s=integer(gate_lead_s, "gate_lead_s"),
        currency=text(currency, "currency"),
        branches=tuple(
            _branch(row, f"branches[{index}]") for index, row in enumerate(rows(branches, "branches"))
        ),
        grid=None if grid is None else _decode_grid(grid),
        tariff=tuple(_step(row, f"tariff[{index}]") for index, row in enumerate(rows(tariff, "tariff"))),
        members=tuple(
            member_rule(row, f"members[{index}]") for index, row in enumerate(rows(members, "members"))
        ),
        reading_deadline=integer(deadline, "reading_deadline"),
        correction_window=integer(window, "correction_window"),
        order_horizon=integer(horizon, "order_horizon"),
        **optional_from(optional),
    )
    gateway = None if rules.parent is None else rules.member(rules.parent.gateway)
    if rules.parent is not None and (gateway is None or gateway.branch != 0):
        raise InvalidRules("parent.gateway", "must be a member on the root branch, below the cell above")
    return rules


def _latest(steps: Sequence[TariffStep], interval: int) -> int:
    if steps and steps[-1].from_interval <= interval:
        return len(steps) - 1
    return bisect_right(steps, interval, key=lambda step: step.from_interval) - 1


def _check_times(rules: CellRules) -> None:
    within(rules.interval_s, 1, MAX_INTERVAL_S, "interval_s")
    within(rules.gate_lead_s, 0, rules.interval_s, "gate_lead_s")
    within(rules.reading_deadline, 0, MAX_WINDOW, "reading_deadline")
    within(rules.correction_window, 0, MAX_WINDOW, "correction_window")
    within(rules.order_horizon, 1, MAX_WINDOW, "order_horizon")
    if not 1 <= len(rules.currency) <= 8:
        raise InvalidRules("currency", "must have 1 to 8 characters")


def _check_branches(rules: CellRules) -> None:
    within(len(rules.branches), 1, MAX_BRANCHES, "branches")
    names: set[str] = set()
    for index, branch in enumerate(rules.branches):
        where = f"branches[{index}]"
        if not branch.name or branch.name in names:
            raise InvalidRules(f"{where}.name", f"{branch.name!r} is empty or not the only one")
        names.add(branch.name)
        _optional_power(branch.limit_mw, f"{where}.limit_mw")
        within(branch.fee, 0, MAX_PRICE, f"{where}.fee")
        within(branch.loss, 0, MAX_PATH_LOSS, f"{where}.loss")
        if (branch.parent is None) != (index == 0):
            raise InvalidRules(f"{where}.parent", "the first branch, and only it, is the root")
        if branch.parent is not None:
            within(branch.parent, 0, index - 1, f"{where}.parent")
    try:
        Feeder(tuple(Branch(rule.name, rule.parent, fee=rule.fee, loss=rule.loss) for rule in rules.branches))
    except FeederError as error:
        raise InvalidRules("branches", str(error)) from error
    if rules.grid is not None:
        _optional_power(rules.grid.import_limit_mw, "grid.import_limit_mw")
        _optional_power(rules.grid.export_limit_mw, "grid.export_limit_mw")


def _paths(branches: tuple[BranchRule, ...]) -> tuple[tuple[BranchRule, ...], ...]:
    """By branch those with a fee or a loss on the way from the grid down to it, itself and the root included."""
    paths: list[tuple[BranchRule, ...]] = []
    for branch in branches:  # parents come first
        above = () if branch.parent is None else paths[branch.parent]
        paths.append((*above, branch) if branch.fee or branch.loss else above)
    return tuple(paths)


def _check_tariff(steps: tuple[TariffStep, ...]) -> None:
    if not steps:
        raise InvalidRules("tariff", "must have at least one step")
    for index, step in enumerate(steps):
        check_tariff_step(step, f"tariff[{index}]")
        if index and step.from_interval <= steps[index - 1].from_interval:
            raise InvalidRules(f"tariff[{index}].from_interval", "must be after the step before")


def check_tariff_step(step: TariffStep, where: str) -> None:
    """Raise `InvalidRules` unless the prices are within bounds and feed-in is at most retail."""
    within(step.from_interval, 0, 2**62, f"{where}.from_interval")
    within(step.import_price, -MAX_PRICE, MAX_PRICE, f"{where}.import_price")
    within(step.export_price, -MAX_PRICE, step.import_price, f"{where}.export_price")


def _check_members(rules: CellRules) -> None:
    for index, rule in enumerate(rules.members):
        where = f"members[{index}]"
        if len(rule.member) != 32:
            raise InvalidRules(f"{where}.member", "must be a member id of 32 bytes")
        if index and rule.member <= rules.members[index - 1].member:
            raise InvalidRules(f"{where}.member", "members must ascend by id")
        within(rule.branch, 0, len(rules.branches) - 1, f"{where}.branch")
        for name, power_mw in (("injection", rule.max_injection_mw), ("withdrawal", rule.max_withdrawal_mw)):
            within(power_mw, 0, MAX_POWER_MW, f"{where}.max_{name}_mw")
            if energy_of_power(power_mw, rules.interval_s) > MAX_QUANTITY:
                raise InvalidRules(f"{where}.max_{name}_mw", f"is over {MAX_QUANTITY} mWh in an interval")
        within(rule.credit_limit, 0, 10**40, f"{where}.credit_limit")


def _optional_power(power_mw: int | None, where: str) -> None:
    if power_mw is not None:
        within(power_mw, 0, MAX_POWER_MW, where)


def _branch(row: Value, where: str) -> BranchRule:
    count = len(row) if isinstance(row, tuple) and len(row) in (4, 5) else 3
    name, parent, limit, *more = fields(row, count, where)
    fee, loss = (
        integer(value, f"{where}.{what}") for value, what in zip((*more, 0, 0), ("fee", "loss"), strict=False)
    )
    if more and not more[-1]:
        raise InvalidRules(f"{where}.{('fee', 'loss')[len(more) - 1]}", "is zero; it is left out then")
    return BranchRule(
        text(name, f"{where}.name"),
        optional_integer(parent, f"{where}.parent"),
        optional_integer(limit, f"{where}.limit_mw"),
        fee,
        loss,
    )


def _decode_grid(row: Value) -> GridRule:
    import_limit, export_limit = fields(row, 2, "grid")
    return GridRule(
        optional_integer(import_limit, "grid.import_limit_mw"),
        optional_integer(export_limit, "grid.export_limit_mw"),
    )


def _step(row: Value, where: str) -> TariffStep:
    first, retail, feed_in = fields(row, 3, where)
    return TariffStep(
        integer(first, f"{where}.from_interval"),
        integer(retail, f"{where}.import_price"),
        integer(feed_in, f"{where}.export_price"),
    )


def member_rule(row: Value, where: str) -> MemberRule:
    """The rule that a row of `[member, branch, injection, withdrawal, credit limit]` says. Raises `InvalidRules`."""
    member, branch, injection, withdrawal, credit = fields(row, 5, where)
    try:
        credit_limit = big_int_from(octets(credit, f"{where}.credit_limit"))
    except PeerError as error:
        raise InvalidRules(f"{where}.credit_limit", str(error)) from error
    return MemberRule(
        octets(member, f"{where}.member"),
        integer(branch, f"{where}.branch"),
        integer(injection, f"{where}.max_injection_mw"),
        integer(withdrawal, f"{where}.max_withdrawal_mw"),
        credit_limit,
    )
