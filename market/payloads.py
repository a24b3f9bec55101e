"""What members say to the market: the kinds of entries and their payloads, strictly both ways.

Energies are mWh, prices µ/kWh, power mW, money pico-currency. The interval that a payload speaks of is the
entry's own `interval` field: the delivery interval of an order and of a reading, the first interval of a
tariff. Encoding checks as decoding does; both raise `MalformedPayload`, and a decoded payload encodes to what
it came from.
"""

import itertools
from dataclasses import dataclass
from enum import IntEnum

from ledger.encoding import Value, big_int_bytes, big_int_from
from ledger.errors import PeerError
from market.errors import InvalidRules, MalformedPayload
from market.rules import MAX_POWER_MW, BranchLimit, TariffStep, check_tariff_step
from market.units import MAX_PRICE, MAX_QUANTITY

MAX_STEPS = 32
"""Steps of a curve, both sides together: 32 of the largest fit into an entry of 1 KiB."""
MAX_MONEY = 10**30
"""A deposit in pico-currency: beyond any account."""
MAX_RECORD_BYTES = 512
"""A dispatch or alarm record: what is left of an entry of 1 KiB after its envelope, with room."""


class Kind(IntEnum):
    """Kinds of entries that belong to the market; the ledger keeps 0..31 for itself."""

    ORDER = 32
    READING = 33
    TARIFF = 34
    DEPOSIT = 35
    LIMIT = 36
    DISPATCH = 37
    ALARM = 38
    SERVICE_TERMS = 48
    ARMING = 49
    SERVICE_REPORT = 50
    REQUEST = 51
    ACKNOWLEDGEMENT = 52
    DEVICE_RIGHTS = 53
    DEVICE_COMMAND = 54
    WITHDRAWAL = 57
    METER = 64
    TRANSFER = 65
    OBSERVATION = 72
    DECLARATION = 73
    PRIORITY = 74
    DELEGATION = 80
    AGGREGATION = 81


class Quality(IntEnum):
    """How a reading came about."""

    MEASURED = 0
    ESTIMATED = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a curve: up to `quantity` at `price` or better."""

    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Curve:
    """A member's whole order for one interval; without steps it cancels.

    `buys` descend and `sells` ascend strictly by price. Raises `MalformedPayload`.
    """

    buys: tuple[Step, ...] = ()
    sells: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if len(self.buys) + len(self.sells) > MAX_STEPS:
            raise MalformedPayload(f"a curve has at most {MAX_STEPS} steps")
        for step in self.buys + self.sells:
            _within(step.price, -MAX_PRICE, MAX_PRICE, "price")
            _within(step.quantity, 1, MAX_QUANTITY, "quantity")
        _ascending(self.sells, 1)
        _ascending(self.buys, -1)

    @property
    def is_empty(self) -> bool:
        """Whether the curve offers nothing, that is, cancels."""
        return not self.buys and not self.sells


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter counted in an interval: injected (contribution) and withdrawn (consumption)."""

    contribution: int
    consumption: int
    quality: Quality = Quality.MEASURED

    def __post_init__(self) -> None:
        _within(self.contribution, 0, MAX_QUANTITY, "contribution")
        _within(self.consumption, 0, MAX_QUANTITY, "consumption")

    @property
    def net(self) -> int:
        """Net injection of the interval."""
        return self.contribution - self.consumption


@dataclass(frozen=True, slots=True)
class BranchReading:
    """What a branch's meter counted in an interval: towards the parent (contribution) and into the branch."""

    branch: int
    reading: Reading

    def __post_init__(self) -> None:
        _within(self.branch, 0, 2**31, "branch")


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money that the operator books between a member and the world outside; negative is a payout."""

    member: bytes
    amount: int

    def __post_init__(self) -> None:
        if len(self.member) != 32:
            raise MalformedPayload("member must be an id of 32 bytes")
        _within(self.amount, -MAX_MONEY, MAX_MONEY, "amount")
        if self.amount == 0:
            raise MalformedPayload("amount must not be zero")


@dataclass(frozen=True, slots=True)
class Record:
    """A dispatch or alarm record: a code and opaque bytes that nothing agreed depends on."""

    code: int
    data: bytes = b""

    def __post_init__(self) -> None:
        _within(self.code, 0, 2**31, "code")
        if len(self.data) > MAX_RECORD_BYTES:
            raise MalformedPayload(f"data is longer than {MAX_RECORD_BYTES} bytes")


def encode_order(curve: Curve) -> tuple[Value, ...]:
    """Payload of an ORDER entry."""
    return (_rows(curve.buys), _rows(curve.sells))


def decode_order(payload: tuple[Value, ...]) -> Curve:
    """The curve of an ORDER payload."""
    buys, sells = _fields(payload, 2)
    return Curve(_steps(buys), _steps(sells))


def encode_reading(reading: Reading) -> tuple[Value, ...]:
    """Payload of a READING entry."""
    return (reading.contribution, reading.consumption, int(reading.quality))


def decode_reading(payload: tuple[Value, ...]) -> Reading:
    """The reading of a READING payload."""
    contribution, consumption, quality = _fields(payload, 3)
    code = _integer(quality, "quality")
    _within(code, 0, len(Quality) - 1, "quality")
    return Reading(
        _integer(contribution, "contribution"), _integer(consumption, "consumption"), Quality(code)
    )


def encode_meter(metered: BranchReading) -> tuple[Value, ...]:
    """Payload of a METER entry."""
    return (metered.branch, metered.reading.contribution, metered.reading.consumption)


def decode_meter(payload: tuple[Value, ...]) -> BranchReading:
    """The branch reading of a METER payload."""
    branch, contribution, consumption = _fields(payload, 3)
    reading = Reading(_integer(contribution, "contribution"), _integer(consumption, "consumption"))
    return BranchReading(_integer(branch, "branch"), reading)


def encode_tariff(step: TariffStep) -> tuple[Value, ...]:
    """Payload of a TARIFF entry, whose `interval` must be the step's `from_interval`."""
    _check_tariff(step)
    return (step.import_price, step.export_price)


def decode_tariff(payload: tuple[Value, ...], interval: int) -> TariffStep:
    """The tariff step of a TARIFF payload in an entry for `interval`."""
    retail, feed_in = _fields(payload, 2)
    step = TariffStep(interval, _integer(retail, "import_price"), _integer(feed_in, "export_price"))
    _check_tariff(step)
    return step


def encode_deposit(deposit: Deposit) -> tuple[Value, ...]:
    """Payload of a DEPOSIT entry."""
    return (deposit.member, big_int_bytes(deposit.amount))


def decode_deposit(payload: tuple[Value, ...]) -> Deposit:
    """The deposit of a DEPOSIT payload."""
    member, amount = _fields(payload, 2)
    octets = _octets(amount, "amount")
    if len(octets) > 16:
        raise MalformedPayload("amount is longer than 16 bytes")
    try:
        return Deposit(_octets(member, "member"), big_int_from(octets))
    except MalformedPayload:
        raise
    except PeerError as error:
        raise MalformedPayload(f"amount: {error}") from error


def encode_limit(limit: BranchLimit) -> tuple[Value, ...]:
    """Payload of a LIMIT entry."""
    # One that cannot be withdrawn is written as it was before any could.
    return (*limit_row(limit), *((1,) if limit.withdrawable else ()))


def limit_row(limit: BranchLimit) -> tuple[Value, ...]:
    """A limit without whether it can be withdrawn, as outcomes and the state have it."""
    _check_limit(limit)
    return (limit.branch, limit.first, limit.last, limit.limit_mw)


def decode_limit(payload: tuple[Value, ...]) -> BranchLimit:
    """The branch limit of a LIMIT payload."""
    branch, first, last, power, *more = _fields(payload, 5 if len(payload) == 5 else 4)
    if more and (isinstance(more[0], bool) or more[0] != 1):
        raise MalformedPayload("the fifth field of a limit is 1 where there is one")
    limit = BranchLimit(
        _integer(branch, "branch"),
        _integer(first, "first"),
        _integer(last, "last"),
        _integer(power, "limit_mw"),
        withdrawable=bool(more),
    )
    _check_limit(limit)
    return limit


def encode_record(record: Record) -> tuple[Value, ...]:
    """Payload of a DISPATCH or ALARM entry."""
    return (record.code, record.data)


def decode_record(payload: tuple[Value, ...]) -> Record:
    """The record of a DISPATCH or ALARM payload."""
    code, data = _fields(payload, 2)
    return Record(_integer(code, "code"), _octets(data, "data"))


def _rows(steps: tuple[Step, ...]) -> tuple[Value, ...]:
    return tuple((step.price, step.quantity) for step in steps)


def _steps(value: Value) -> tuple[Step, ...]:
    if not isinstance(value, tuple) or len(value) > MAX_STEPS:
        raise MalformedPayload(f"steps must be an array of at most {MAX_STEPS}")
    steps = []
    for row in value:
        if not isinstance(row, tuple) or len(row) != 2:
            raise MalformedPayload("a step must be [price, quantity]")
        steps.append(Step(_integer(row[0], "price"), _integer(row[1], "quantity")))
    return tuple(steps)


def _ascending(steps: tuple[Step, ...], sign: int) -> None:
    for before, after in itertools.pairwise(steps):
        if sign * after.price <= sign * before.price:
            raise MalformedPayload("buys must descend and sells ascend strictly by price")


def _check_tariff(step: TariffStep) -> None:
    try:
        check_tariff_step(step, "tariff")
    except InvalidRules as error:
        raise MalformedPayload(str(error)) from error


def _check_limit(limit: BranchLimit) -> None:
    _within(limit.branch, 0, 2**31, "branch")
    _within(limit.first, 0, 2**62, "first")
    _within(limit.last, limit.first, 2**62, "last")
    _within(limit.limit_mw, 0, MAX_POWER_MW, "limit_mw")


def _within(value: int, lowest: int, highest: int, name: str) -> None:
    if not lowest <= value <= highest:
        raise MalformedPayload(f"{name} must be within {lowest}..{highest}, not {value}")


def _fields(payload: tuple[Value, ...], count: int) -> tuple[Value, ...]:
    if len(payload) != count:
        raise MalformedPayload(f"payload must have {count} fields, not {len(payload)}")
    return payload


def _integer(value: Value, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedPayload(f"{name} must be an integer")
    return value


def _octets(value: Value, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedPayload(f"{name} must be a byte string")
    return value
