"""The journal's postings, each with the energy it is for and the interval whose month it belongs to.

A posting belongs to the interval that it is about, so that an invoice for January has January's energy, also
where a reading came in February. Two kinds have no such interval: payments, and what is booked so late that the
interval's month may be closed. Those belong to the last interval of the block that booked them. Hence every
posting has exactly one month, whatever its kind, and a closed month never changes:

    span = 2 + reading deadline + correction window        (intervals)
    a posting about interval r in a block up to L belongs to r if L - span <= r <= L, else to L
    a month is closed by the first block with L >= its last interval + span

Energies are mWh with injection positive, money pico-currency, positive where the account receives.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from market.cell_state import member_account
from market.outcomes import BlockOutcomes, MemberClearing, SettlementLine
from market.rules import CellRules
from market.settlement import Reason


@dataclass(frozen=True, slots=True)
class BookedBlock:
    """A replayed block: its place in the chain, the last interval it covers, what followed from it."""

    height: int
    header_id: bytes
    last_interval: int
    outcomes: BlockOutcomes


@dataclass(frozen=True, slots=True)
class Movement:
    """One account's part in one posting set.

    `height` and `place` (the set's index in the block) name it. `interval` is what it is about, `booked` the
    interval whose month it belongs to. `energy` is what was paid for: the position, the imbalance, or what a
    correction changed of it; None where money moved for no energy.
    """

    height: int
    place: int
    account: bytes
    reason: int
    interval: int
    booked: int
    amount: int
    energy: int | None


@dataclass(frozen=True, slots=True)
class Metering:
    """What a settlement or correction added to a member's metered energy. `estimates` counts readings: 1 where an
    estimate was settled, -1 where a reading took the place of one.
    """

    member: bytes
    booked: int
    contribution: int
    consumption: int
    readings: int
    estimates: int


def closing_span(rules: CellRules) -> int:
    """Intervals after which nothing can move for an interval any more."""
    return 2 + rules.reading_deadline + rules.correction_window


def booked_interval(reason: int, reference: int, last_interval: int, span: int) -> int:
    """The interval whose month a posting belongs to, in a block that covers up to `last_interval`."""
    about_interval = reason != Reason.DEPOSITED and last_interval - span <= reference <= last_interval
    return reference if about_interval else last_interval


class Explained:
    """Follows blocks in order and says of each what moved and what was metered."""

    def __init__(self, rules: CellRules) -> None:
        self._span = closing_span(rules)
        self._parts: Mapping[bytes, MemberClearing] = {}
        self._lines: dict[tuple[int, bytes], SettlementLine] = {}

    def follow(self, block: BookedBlock) -> tuple[list[Movement], list[Metering]]:
        """The movements of all accounts in a block, and the meterings; call once per block, in order."""
        energies = dict(self._energies(block.outcomes))
        metered = list(self._meterings(block))
        movements = []
        for place, moved in enumerate(block.outcomes.postings):
            booked = booked_interval(moved.reason, moved.reference, block.last_interval, self._span)
            interval = booked if moved.reason == Reason.DEPOSITED else moved.reference
            for posting in moved.postings:
                energy = energies.get((moved.reason, moved.reference, posting.account))
                movements.append(
                    Movement(
                        height=block.height,
                        place=place,
                        account=posting.account,
                        reason=moved.reason,
                        interval=interval,
                        booked=booked,
                        amount=posting.amount,
                        energy=energy,
                    )
                )
        self._remember(block.outcomes, block.last_interval)
        return movements, metered

    def _energies(self, outcomes: BlockOutcomes) -> Iterator[tuple[tuple[int, int, bytes], int]]:
        """By reason, interval and account the energy that money moved for."""
        if outcomes.confirmation is not None:
            for member, part in self._parts.items():
                key = (int(Reason.CONFIRMED), outcomes.confirmation.interval, member_account(member))
                yield key, part.position
        for taken in outcomes.taken_over:
            yield (
                (int(Reason.TAKEN_OVER), taken.interval, member_account(taken.member)),
                -taken.position,
            )
        for line in _lines_of(outcomes):
            old = self._lines.get((line.interval, line.member))
            reason = Reason.CORRECTED if line.correction else Reason.SETTLED
            account = member_account(line.member)
            passed = (int(Reason.PASSED_ON), line.interval, account)
            if not line.correction:
                yield (int(reason), line.interval, account), line.imbalance
                yield passed, line.passed_on
            elif old is not None:
                yield (int(reason), line.interval, account), line.imbalance - old.imbalance
                yield passed, line.passed_on - old.passed_on

    def _meterings(self, block: BookedBlock) -> Iterator[Metering]:
        for line in _lines_of(block.outcomes):
            old = self._lines.get((line.interval, line.member))
            booked = booked_interval(Reason.SETTLED, line.interval, block.last_interval, self._span)
            if not line.correction:
                yield Metering(
                    line.member, booked, line.contribution, line.consumption, 1, int(line.estimated)
                )
            elif old is not None:
                yield Metering(
                    line.member,
                    booked,
                    line.contribution - old.contribution,
                    line.consumption - old.consumption,
                    0,
                    int(line.estimated) - int(old.estimated),
                )

    def _remember(self, outcomes: BlockOutcomes, last_interval: int) -> None:
        self._parts = {part.member: part for part in outcomes.clearing.members}
        for line in _lines_of(outcomes):
            self._lines[line.interval, line.member] = line
        if outcomes.skipped or not last_interval % 64:
            kept = last_interval - 2 * self._span
            self._lines = {key: line for key, line in self._lines.items() if key[0] >= kept}


def explained(
    rules: CellRules, blocks: Iterable[BookedBlock]
) -> tuple[tuple[Movement, ...], tuple[Metering, ...]]:
    """Everything that moved and was metered in these blocks, in order."""
    following = Explained(rules)
    movements: list[Movement] = []
    meterings: list[Metering] = []
    for block in blocks:
        moved, metered = following.follow(block)
        movements += moved
        meterings += metered
    return tuple(movements), tuple(meterings)


def _lines_of(outcomes: BlockOutcomes) -> Iterator[SettlementLine]:
    for settlement in outcomes.settlements:
        yield from settlement.lines
