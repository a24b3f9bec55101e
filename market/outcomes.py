"""What followed from one block: the clearing, who was refused, what was confirmed, voided and settled.

Energies are mWh with injection positive, prices µ/kWh, money pico-currency (positive: the member receives).
Reports and the daemon read these; the block's header commits to their leaves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from ledger.chain.journal import PostingSet
from ledger.encoding import Value, big_int_bytes, encode
from market.cell_state import tariff_value
from market.cross_check import Mismatch
from market.orders import Side
from market.payloads import Kind, limit_row
from market.rules import BranchLimit, TariffStep
from market.services.payments import ServiceLine

PART_KEY = b"part/"
"""Before a member's id: the key of its part in the clearing."""
CONFIRMATION_KEY = b"confirmation"
"""The key of what became of the clearing of the block before."""
SERVICE_KEY = b"service/"
"""Before an interval, a member's id and a service's name: the key of what that paid."""


@dataclass(frozen=True, slots=True)
class Fill:
    """What one step of a curve got: its limit price, what it offered after the cuts, what was filled."""

    side: Side
    limit_price: int
    offered: int
    filled: int


@dataclass(frozen=True, slots=True)
class MemberClearing:
    """A member's part in a clearing: its branch's price (None: nothing traded) and its net position."""

    member: bytes
    branch: int
    price: int | None
    position: int
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class ClearingOutcome:
    """The clearing of the block's last interval; it stands once the next block confirms it.

    `prices`, `flows` (towards the parent, injection positive) are per branch of the rules; `members` ascend
    by id and hold everyone who had an order. `volume` and `welfare` (pico-currency) are the auction's own
    figures; `limits` are the branch limits that the dso had set on this interval. `certificate` is the hash
    of what proves the clearing (`market.certificates`), None only where no auction was held. In an `emergency` nothing
    passes the grid connection.
    """

    interval: int
    tariff: TariffStep
    prices: tuple[int | None, ...]
    flows: tuple[int, ...]
    grid_import: int
    grid_export: int
    volume: int
    welfare: int
    members: tuple[MemberClearing, ...]
    limits: tuple[BranchLimit, ...]
    certificate: bytes | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One member's settlement of one interval, or the correction of an earlier one.

    `metered` is net; `contribution` and `consumption` are the two counters. `contract_money` is what the
    contract paid or cost (posted when the clearing was confirmed), `imbalance_money` what `metered -
    contracted` pays or costs, and `posted` the money that this block moved for it: all of `imbalance_money`
    first, the difference in a correction. In a virtual battery the contract is what is left after `passed_on` (mWh),
    which is what the aggregator took from a member, and for itself what it gave to all; it moves `price` x `passed_on`.
    """

    interval: int
    member: bytes
    contracted: int
    contribution: int
    consumption: int
    price: int | None
    contract_money: int
    imbalance_money: int
    posted: int
    estimated: bool
    correction: bool
    passed_on: int = 0

    @property
    def metered(self) -> int:
        """Net metered injection."""
        return self.contribution - self.consumption

    @property
    def imbalance(self) -> int:
        """Metered minus contracted."""
        return self.metered - self.contracted


@dataclass(frozen=True, slots=True)
class IntervalSettlement:
    """The settlement of one interval: a line per metering point, and what the other accounts got.

    `mismatches` are the metered branches with which the readings counted do not agree.
    """

    interval: int
    tariff: TariffStep
    correction: bool
    lines: tuple[SettlementLine, ...]
    supplier: int
    community: int
    mismatches: tuple[Mismatch, ...] = ()


class Refusal(IntEnum):
    """Why an entry did not count."""

    MALFORMED = 1
    UNKNOWN_KIND = 2
    NOT_ENTITLED = 3
    FROZEN = 4
    VOIDED = 5
    NO_METERING_POINT = 6
    GATE_CLOSED = 7
    BEYOND_HORIZON = 8
    NOT_DELIVERED = 9
    WINDOW_CLOSED = 10
    NOT_BETTER = 11
    FULL = 12
    IMPLAUSIBLE = 13
    UNKNOWN_MEMBER = 14
    UNPROVEN = 15
    DELEGATED = 16
    OTHER_BRANCH = 17
    UNKNOWN_SERVICE = 32
    NOT_ARMED = 33


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that was ignored, by id."""

    member: bytes
    entry_id: bytes
    kind: int
    interval: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of the clearing of the block before: it stands, or is void.

    It is void if it was decided too late (not `timely`), and in an `emergency`: then it has said who may give and take
    how much, and money follows what is metered.
    """

    interval: int
    timely: bool
    rent: int
    emergency: bool = False

    @property
    def stands(self) -> bool:
        """Whether its contracts hold and were posted."""
        return self.timely and not self.emergency


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A position of a frozen member that went to the supplier at its price."""

    interval: int
    member: bytes
    position: int
    price: int


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """A dispatch or alarm record that this block made final, by entry id."""

    member: bytes
    entry_id: bytes
    kind: Kind
    interval: int
    code: int


@dataclass(frozen=True, slots=True)
class BlockOutcomes:
    """Everything that followed from one block.

    `confirmation` is None where the block before had no clearing (the first block). `skipped` are the
    intervals of the range that trade nothing and settle at tariff. `settlements` ascend by interval,
    corrections included. `postings` are all movements of money in order, with the reasons of
    `market.settlement.Reason`. `services` are what grid services paid in the intervals settled.
    """

    height: int
    skipped: range
    confirmation: Confirmation | None
    taken_over: tuple[TakenOver, ...]
    clearing: ClearingOutcome
    settlements: tuple[IntervalSettlement, ...]
    postings: tuple[PostingSet, ...]
    rejected: tuple[Rejected, ...]
    recorded: tuple[RecordedEntry, ...]
    services: tuple[ServiceLine, ...] = ()

    def part_of(self, member: bytes) -> MemberClearing | None:
        """A member's part in the clearing, or None when it had no order (left)."""
        return next((part for part in self.clearing.members if part.member == member), None)

    def position_of(self, member: bytes) -> int:
        """The net energy a member contracted for the cleared interval; zero without an order."""
        part = self.part_of(member)
        return 0 if part is None else part.position

    def leaves(self) -> Iterable[tuple[bytes, bytes]]:
        """Leaves with distinct keys: one per member part, settlement line, refused entry, and a few more."""
        return outcome_leaves(self)


def outcome_leaves(outcomes: BlockOutcomes) -> Iterator[tuple[bytes, bytes]]:
    """The leaves of a block's outcomes."""
    clearing = outcomes.clearing
    yield b"clearing", encode(_clearing_value(clearing))
    if clearing.certificate is not None:
        yield b"certificate", encode(clearing.certificate)
    for part in clearing.members:
        yield PART_KEY + part.member, encode(_part_value(part))
    if outcomes.confirmation is not None:
        was = outcomes.confirmation
        void = (1,) if was.emergency else ()
        yield CONFIRMATION_KEY, encode((was.interval, int(was.timely), big_int_bytes(was.rent), *void))
    if outcomes.skipped:
        yield b"skipped", encode((outcomes.skipped.start, outcomes.skipped.stop))
    for taken in outcomes.taken_over:
        yield b"taken/" + _key(taken.interval) + taken.member, encode((taken.position, taken.price))
    for settlement in outcomes.settlements:
        yield from _settlement_leaves(settlement)
    for index, moved in enumerate(outcomes.postings):
        yield b"posting/" + index.to_bytes(4, "big"), encode(_posting_value(moved))
    for refused in outcomes.rejected:
        value = (refused.member, refused.kind, refused.interval, int(refused.refusal))
        yield b"refused/" + refused.entry_id, encode(value)
    for entry in outcomes.recorded:
        value = (entry.member, int(entry.kind), entry.interval, entry.code)
        yield b"recorded/" + entry.entry_id, encode(value)
    for service in outcomes.services:
        yield SERVICE_KEY + _key(service.interval) + service.member + service.name, encode(service.value())


def _settlement_leaves(settlement: IntervalSettlement) -> Iterator[tuple[bytes, bytes]]:
    interval = _key(settlement.interval)
    yield (
        b"settled/" + interval,
        encode(
            (
                tariff_value(settlement.tariff),
                int(settlement.correction),
                big_int_bytes(settlement.supplier),
                big_int_bytes(settlement.community),
            )
        ),
    )
    for line in settlement.lines:
        value = (
            line.contracted,
            line.contribution,
            line.consumption,
            line.price,
            big_int_bytes(line.contract_money),
            big_int_bytes(line.imbalance_money),
            big_int_bytes(line.posted),
            int(line.estimated),
            *((line.passed_on,) if line.passed_on else ()),
        )
        yield b"line/" + interval + line.member, encode(value)
    for mismatch in settlement.mismatches:
        found = (mismatch.metered, mismatch.summed, mismatch.members)
        yield b"mismatch/" + interval + mismatch.branch.to_bytes(4, "big"), encode(found)


def _clearing_value(clearing: ClearingOutcome) -> Value:
    return (
        clearing.interval,
        tariff_value(clearing.tariff),
        clearing.prices,
        clearing.flows,
        clearing.grid_import,
        clearing.grid_export,
        clearing.volume,
        big_int_bytes(clearing.welfare),
        tuple(limit_row(limit) for limit in clearing.limits),
        # An auction with the grid behind it is written as it was before there were others.
        *((1,) if clearing.emergency else ()),
    )


def _part_value(part: MemberClearing) -> Value:
    fills = tuple((int(fill.side), fill.limit_price, fill.offered, fill.filled) for fill in part.fills)
    return (part.branch, part.price, part.position, fills)


def _posting_value(moved: PostingSet) -> Value:
    parts = tuple((posting.account, big_int_bytes(posting.amount)) for posting in moved.postings)
    return (moved.reason, moved.reference, parts)


def _key(interval: int) -> bytes:
    return interval.to_bytes(8, "big")
