"""What grid services pay for an interval: one posting set between the members and the dso's member that buys.

Energies are mWh, power mW, prices µ/kWh, money pico-currency; up positive, down negative. For member m with the
contract c and the metered net energy x, and for every service that m has armed and the dso bought:

- **capacity** = up_price x q_up + down_price x q_down, where q is the energy of the bought power over the interval,
  times the reported availability, times delivered / required where something was required (at most 1), each time
  rounded down.
- **activated** energy a lies between nothing and x - c: what the meter shows beyond the contract in the direction
  asked for. Of a request each member's share counts first; what is then missing is made up by those that gave more,
  as far as they armed it, in proportion. Of a service with a curve what the member's report says counts, as far as
  it armed it. Requests come before curves, each takes from what the meter shows only what none before it took.
- **energy** = up_energy_price x a for a > 0, down_energy_price x -a for a < 0.
- **returned** = - imbalance money of a (`market.settlement.imbalance_money`): the settlement charged x - c as
  imbalance; since a is part of it and of the same sign, that part is undone exactly. So what the dso activated is
  excluded from imbalance, and the payer has it as its own instead.

The member gets the sum of the three and the payer pays it. A reading that is only estimated proves no delivery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ledger.encoding import Value, big_int_bytes
from market.cell_state import IntervalRecord, member_account
from market.payloads import Quality
from market.rules import CellRules
from market.services.book import ArmedSpan, ServiceBook, TermsStep
from market.services.payloads import PPM, ServiceReport
from market.services.shares import Call, bought, calls, split
from market.settlement import Amounts, branch_of, imbalance_money
from market.units import energy_of_power


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One member's payment for one service in an interval, or what a correction of it moves (`posted`).

    `armed_*_mw` is what the dso bought of what was armed; `required` and `activated` are net energies.
    """

    interval: int
    name: bytes
    member: bytes
    payer: bytes
    armed_up_mw: int
    armed_down_mw: int
    available_ppm: int
    required: int
    activated: int
    capacity_money: int
    energy_money: int
    returned_money: int
    posted: int

    @property
    def money(self) -> int:
        """What the member gets in all; negative: pays."""
        return self.capacity_money + self.energy_money + self.returned_money

    def value(self) -> Value:
        """What stands of it in the outcomes, under its interval, member and service."""
        return (
            self.payer,
            self.armed_up_mw,
            self.armed_down_mw,
            self.available_ppm,
            self.required,
            self.activated,
            big_int_bytes(self.capacity_money),
            big_int_bytes(self.energy_money),
            big_int_bytes(self.returned_money),
            big_int_bytes(self.posted),
        )


@dataclass(slots=True)
class _Part:
    """What one member did for one service: energies at least 0, up and down."""

    required: tuple[int, int] = (0, 0)
    delivered: tuple[int, int] = (0, 0)
    activated: int = 0


def service_lines(book: ServiceBook, record: IntervalRecord, rules: CellRules) -> tuple[ServiceLine, ...]:
    """What every member with a share in a service gets for a settled interval, by service and member."""
    interval = record.interval
    if not book.armed:
        return ()
    steps = {name: step for name in sorted(book.terms) if (step := book.terms_at(name, interval)) is not None}
    armed = {name: bought(book, name, interval) for name in steps}
    shown = {
        member: reading.net - record.contracts.get(member, 0)
        for member, reading in record.readings.items()
        if reading.quality is Quality.MEASURED
    }
    parts = {(name, member): _Part() for name, spans in armed.items() for member in spans}
    for call in calls(book, rules, interval):
        _count_call(call, shown, parts)
    for name, step in steps.items():
        if not step.terms.requested:
            _count_reports(name, armed[name], book, record, rules, shown, parts)
    return tuple(
        _line(step, name, member, armed[name][member], parts[name, member], book, record, rules)
        for name, step in steps.items()
        for member in armed[name]
    )


def posting_amounts(lines: tuple[ServiceLine, ...]) -> Amounts:
    """The posting set of what lines post: it sums to zero by construction."""
    amounts: Amounts = {}
    for line in lines:
        for account, money in (
            (member_account(line.member), line.posted),
            (member_account(line.payer), -line.posted),
        ):
            amounts[account] = amounts.get(account, 0) + money
    return amounts


def corrected_lines(new: tuple[ServiceLine, ...], old: tuple[ServiceLine, ...]) -> tuple[ServiceLine, ...]:
    """What a correction moves: the lines whose money changed, posting the difference.

    Both are of the same interval and book, so they have the same services and members.
    """
    return tuple(
        replace(line, posted=line.money - before.money)
        for line, before in zip(new, old, strict=True)
        if line.money != before.money
    )


def _count_call(call: Call, shown: dict[bytes, int], parts: Mapping[tuple[bytes, bytes], _Part]) -> None:
    """Attribute a request to those that answered it; `shown` keeps what no service has taken yet."""
    left = {member: max(0, call.sign * shown.get(member, 0)) for member in call.required}
    required = call.required
    if call.equalised:
        given, required = _together(call, left)
    else:
        given = {member: min(asked, left[member]) for member, asked in required.items()}
        missing = sum(required.values()) - sum(given.values())
        more = {member: min(call.most[member], left[member]) - given[member] for member in required}
        for member, energy in split(missing, more).items():
            given[member] += energy
    for member, asked in required.items():
        _add(parts[call.name, member], call.sign, asked, given[member])
        if given[member]:
            shown[member] -= call.sign * given[member]


def _together(call: Call, left: Mapping[bytes, int]) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """Of an equalised request: what each gave, by what the meter shows, and what each owed.

    Nobody owes more than it gave but for what is missing in all, which is owed by those that had more to give.
    """
    asked = sum(call.required.values())
    nothing = dict.fromkeys(call.required, 0)
    shown = {member: min(call.most[member], left[member]) for member in call.required}
    given = nothing | split(asked, shown)
    unused = {member: call.most[member] - given[member] for member in call.required}
    owed = nothing | split(asked - sum(given.values()), unused)
    return given, {member: given[member] + owed[member] for member in call.required}


def _count_reports(
    name: bytes,
    armed: Mapping[bytes, ArmedSpan],
    book: ServiceBook,
    record: IntervalRecord,
    rules: CellRules,
    shown: dict[bytes, int],
    parts: Mapping[tuple[bytes, bytes], _Part],
) -> None:
    """Attribute what members report of a service that responds by itself, as far as the meter shows it."""
    for member, span in armed.items():
        report = book.reports.get((record.interval, name, member))
        if report is None or member not in shown:
            continue
        part = parts[name, member]
        part.required = (report.asked_up, report.asked_down)
        part.delivered = (report.delivered_up, report.delivered_down)
        net = report.delivered_up - report.delivered_down
        sign = 1 if net > 0 else -1
        held = energy_of_power(span.up_mw if net > 0 else span.down_mw, rules.interval_s)
        part.activated = sign * min(abs(net), held, max(0, sign * shown[member]))
        shown[member] -= part.activated


def _add(part: _Part, sign: int, asked: int, given: int) -> None:
    up, down = (1, 0) if sign > 0 else (0, 1)
    part.required = (part.required[0] + up * asked, part.required[1] + down * asked)
    part.delivered = (part.delivered[0] + up * given, part.delivered[1] + down * given)
    part.activated += sign * given


def _line(
    step: TermsStep,
    name: bytes,
    member: bytes,
    span: ArmedSpan,
    part: _Part,
    book: ServiceBook,
    record: IntervalRecord,
    rules: CellRules,
) -> ServiceLine:
    terms, interval = step.terms, record.interval
    report = book.reports.get((interval, name, member), ServiceReport(name, 0))
    up = _paid(energy_of_power(span.up_mw, rules.interval_s), report, part.delivered[0], part.required[0])
    down = _paid(energy_of_power(span.down_mw, rules.interval_s), report, part.delivered[1], part.required[1])
    activated = part.activated
    branch = branch_of(rules, member)
    returned = -imbalance_money(rules.tariff_on(branch, record.tariff), record.prices[branch], activated)
    energy = activated * (terms.up_energy_price if activated > 0 else -terms.down_energy_price)
    capacity = terms.up_price * up + terms.down_price * down
    return ServiceLine(
        interval=interval,
        name=name,
        member=member,
        payer=step.payer,
        armed_up_mw=span.up_mw,
        armed_down_mw=span.down_mw,
        available_ppm=report.available_ppm,
        required=part.required[0] - part.required[1],
        activated=activated,
        capacity_money=capacity,
        energy_money=energy,
        returned_money=returned,
        posted=capacity + energy + returned,
    )


def _paid(energy: int, report: ServiceReport, delivered: int, required: int) -> int:
    """Armed energy that is paid for: less what was not available, and less what was called and did not come."""
    available = energy * report.available_ppm // PPM
    return available if not required else available * min(delivered, required) // required
