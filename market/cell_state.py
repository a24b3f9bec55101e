"""The agreed state of a cell: immutable values, and the leaves that the state root commits to.

Energies are mWh with injection positive, prices µ/kWh, money pico-currency. Mappings in here are never
changed after they were built; the next state shares what did not change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from ledger.chain.journal import Balances
from ledger.encoding import Value, big_int_bytes, encode
from market.administration.book import AdministrationBook
from market.admission import point_value
from market.emergency.book import EmergencyBook
from market.payloads import Curve, Reading, encode_order, encode_reading
from market.rules import CellRules, TariffStep
from market.services.book import ServiceBook
from market.standing_limits import StandingLimit, limits_leaf
from market.virtual_battery.book import NO_VIRTUAL_BATTERIES, Aggregators, VirtualBatteryBook


@dataclass(frozen=True, slots=True)
class ClearedInterval:
    """What clearing an interval contracted: the price of every branch (None: nothing traded) and net
    positions.

    `contracts` has only members whose position is not zero. `grid_import` and `grid_export` are the
    supplier's contracted sale and purchase. `losses` is the energy that the contracts lose in the branches,
    `loss_money` what its rounding leaves over. `aggregators` says who bid for whom.
    """

    interval: int
    tariff: TariffStep
    prices: tuple[int | None, ...]
    contracts: Mapping[bytes, int]
    grid_import: int
    grid_export: int
    losses: int = 0
    loss_money: int = 0
    aggregators: Aggregators = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """An interval whose contracts stand (or never were) until its readings can no longer be corrected.

    `contracts` are the positions that members still hold: a frozen member's is gone to the supplier. `aggregators` says
    who bid for whom; once settled, contracts are what is left after they passed energy on (`market.virtual_battery`).
    `readings` are what members said so far and, once `settled`, what the settlement counted: one for every
    metering point, estimates included. `meters` are the readings of branches. Where there are some, `guesses` holds
    each estimate as it was before it was fitted to them. `losses` is the energy that the contracts lose.
    """

    interval: int
    tariff: TariffStep
    prices: tuple[int | None, ...]
    contracts: Mapping[bytes, int]
    readings: Mapping[bytes, Reading]
    settled: bool = False
    losses: int = 0
    meters: Mapping[int, Reading] = field(default_factory=dict)
    guesses: Mapping[bytes, Reading] = field(default_factory=dict)
    aggregators: Aggregators = field(default_factory=dict)
    leaf: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "leaf", encode(_record_value(self)))


@dataclass(frozen=True, slots=True)
class CellState:
    """The state after a block.

    `last_interval` is the last interval any block covered. `curves` are the open orders by (interval,
    member). `pending` is the clearing of the last block, which the next block confirms or voids. `records`
    are the intervals that may still be settled or corrected, by interval. `last_measured` is each member's
    latest measured reading with its interval, from which missing ones are estimated. `services` is what holds of
    grid services, `administration` what does of devices, `emergency` who says that the public grid is gone,
    `virtual_batteries` who trades for whom.
    """

    rules: CellRules
    last_interval: int
    balances: Balances
    tariffs: tuple[TariffStep, ...] = ()
    limits: tuple[StandingLimit, ...] = ()
    curves: Mapping[tuple[int, bytes], Curve] = field(default_factory=dict)
    pending: ClearedInterval | None = None
    records: Mapping[int, IntervalRecord] = field(default_factory=dict)
    last_measured: Mapping[bytes, tuple[int, Reading]] = field(default_factory=dict)
    services: ServiceBook = field(default_factory=ServiceBook)
    administration: AdministrationBook = field(default_factory=AdministrationBook)
    emergency: EmergencyBook = field(default_factory=EmergencyBook)
    virtual_batteries: VirtualBatteryBook = NO_VIRTUAL_BATTERIES

    def balance_of(self, member: bytes) -> int:
        """A member's money in pico-currency; negative is debt."""
        return self.balances[member_account(member)]


SUPPLIER = b"supplier"
"""The grid supplier: sells what the cell imports at retail and buys what it exports at feed-in."""
LOSSES = b"losses"
"""Keeps, or gives, what whole prices and energies leave over where branches lose energy."""
COMMUNITY = b"community"
"""Keeps the margin between what members pay for imbalance and what the supplier bills for it."""
DSO = b"dso"
"""Keeps the congestion rent, price difference x flow over the branches that bind, and the branches' fees."""
EXTERNAL = b"external"
"""The world outside: the counterpart of deposits and payouts."""


def member_account(member: bytes) -> bytes:
    """The journal account of a member."""
    return b"member/" + member


def state_leaves(state: CellState) -> Iterator[tuple[bytes, bytes]]:
    """The state as leaves: every account, open order, interval and latest reading, and the metering points that
    came after the founding or are gone; all other rules are fixed.
    """
    for account, balance in state.balances.leaves():
        yield account_key(account), balance
    for (interval, member), curve in state.curves.items():
        yield b"curve/" + interval.to_bytes(8, "big") + member, encode(encode_order(curve))
    for interval, record in state.records.items():
        yield b"interval/" + interval.to_bytes(8, "big"), record.leaf
    yield b"last", encode(state.last_interval)
    yield b"limits", limits_leaf(state.limits)
    for member, (interval, reading) in state.last_measured.items():
        yield b"measured/" + member, encode((interval, encode_reading(reading)))
    for rule in state.rules.members:
        if rule.since or rule.until is not None:
            yield b"point/" + rule.member, encode(point_value(rule))
    yield b"pending", encode(None if state.pending is None else _cleared_value(state.pending))
    yield from state.services.leaves()
    yield from state.administration.leaves()
    yield from state.emergency.leaves()
    yield from state.virtual_batteries.leaves()
    yield b"tariffs", encode(tuple(tariff_value(step) for step in state.tariffs))


def account_key(account: bytes) -> bytes:
    """The key of an account's leaf."""
    return b"account/" + account


def tariff_value(step: TariffStep) -> Value:
    """A tariff step as it stands in leaves."""
    return (step.from_interval, step.import_price, step.export_price)


def _cleared_value(cleared: ClearedInterval) -> Value:
    return (
        cleared.interval,
        tariff_value(cleared.tariff),
        cleared.prices,
        _sorted_pairs(cleared.contracts),
        cleared.grid_import,
        cleared.grid_export,
        *(
            (cleared.losses, big_int_bytes(cleared.loss_money))
            if cleared.losses or cleared.loss_money or cleared.aggregators
            else ()
        ),
        *((_sorted_pairs(cleared.aggregators),) if cleared.aggregators else ()),
    )


def _record_value(record: IntervalRecord) -> Value:
    return (
        record.interval,
        tariff_value(record.tariff),
        record.prices,
        _sorted_pairs(record.contracts),
        _readings_value(record.readings),
        int(record.settled),
        # A record without losses, branch meters and virtual batteries is written as it was before there were any.
        *(
            (record.losses, _meters_value(record.meters), _readings_value(record.guesses))
            if record.meters or record.losses or record.aggregators
            else ()
        ),
        *((_sorted_pairs(record.aggregators),) if record.aggregators else ()),
    )


def _meters_value(meters: Mapping[int, Reading]) -> Value:
    return tuple(
        (branch, meters[branch].contribution, meters[branch].consumption) for branch in sorted(meters)
    )


def _readings_value(readings: Mapping[bytes, Reading]) -> Value:
    return tuple(
        (member, encode_reading(reading)) for member, reading in sorted(readings.items(), key=itemgetter(0))
    )


def _sorted_pairs(by_member: Mapping[bytes, int] | Aggregators) -> Value:
    return tuple((member, by_member[member]) for member in sorted(by_member))
