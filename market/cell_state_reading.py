"""Reading the agreed state of a cell back from its leaves: the strict inverse of `cell_state.state_leaves`.

The leaves say all there is but the rules that the genesis fixes. Everything that does not read raises
`Malformed` or `MalformedPayload`. Energies are mWh, prices µ/kWh, money pico-currency.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ledger.chain.journal import Balances
from ledger.encoding import Value, big_int_from, decode
from ledger.errors import Malformed, Unbalanced
from ledger.limits import ID_BYTES, SYNC_BYTES
from market.administration.book import LEAF_KEY as ADMINISTRATION_KEY
from market.administration.book import administration_of_leaves
from market.admission import with_points
from market.cell_state import CellState, ClearedInterval, IntervalRecord
from market.emergency.book import LEAF_KEY as EMERGENCY_KEY
from market.emergency.book import emergency_of_leaves
from market.errors import InvalidRules
from market.payloads import (
    Curve,
    Reading,
    decode_meter,
    decode_order,
    decode_reading,
    decode_tariff,
)
from market.rules import CellRules, TariffStep
from market.services.book import LEAF_KEY as SERVICES_KEY
from market.services.book import book_of_leaves
from market.standing_limits import limit_of_row
from market.virtual_battery.book import LEAF_KEY as VIRTUAL_BATTERY_KEY
from market.virtual_battery.book import virtual_batteries_of_leaves

_INTERVAL_BYTES: Final = 8


def state_of_leaves(rules: CellRules, leaves: Iterable[tuple[bytes, bytes]]) -> CellState:
    """The state that has these leaves under the cell's rules. Raises `PeerError`."""
    amounts: dict[bytes, int] = {}
    curves: dict[tuple[int, bytes], Curve] = {}
    records: dict[int, IntervalRecord] = {}
    measured: dict[bytes, tuple[int, Reading]] = {}
    points: dict[bytes, Value] = {}
    single: dict[bytes, Value] = {}
    services: dict[bytes, Value] = {}
    administration: dict[bytes, Value] = {}
    emergency: dict[bytes, Value] = {}
    batteries: dict[bytes, Value] = {}
    for key, data in leaves:
        name, slash, rest = key.partition(b"/")
        if slash and name == b"account":
            amounts[rest] = big_int_from(data)
            continue
        value = decode(data, max_bytes=SYNC_BYTES)
        if slash and name == b"curve":
            curves[_interval_and_member(rest)] = decode_order(_array(value))
        elif slash and name == b"interval":
            records[int.from_bytes(rest, "big")] = _record_from(rules, value)
        elif slash and name == b"point":
            points[rest] = value
        elif slash and name == b"measured":
            interval, reading = _fields(value, 2)
            measured[rest] = (_integer(interval), decode_reading(_array(reading)))
        elif key.startswith(SERVICES_KEY):
            services[key.removeprefix(SERVICES_KEY)] = value
        elif key.startswith(ADMINISTRATION_KEY):
            administration[key.removeprefix(ADMINISTRATION_KEY)] = value
        elif key.startswith(EMERGENCY_KEY):
            emergency[key.removeprefix(EMERGENCY_KEY)] = value
        elif key.startswith(VIRTUAL_BATTERY_KEY):
            batteries[key.removeprefix(VIRTUAL_BATTERY_KEY)] = value
        else:
            single[key] = value
    if single.keys() != {b"last", b"limits", b"pending", b"tariffs"}:
        raise Malformed("a leaf is missing from the state, or is none of it")
    rules = _with_points(rules, points)
    return CellState(
        rules=rules,
        last_interval=_integer(single[b"last"]),
        balances=_balances(amounts),
        tariffs=tuple(_tariff_from(step) for step in _array(single[b"tariffs"])),
        limits=tuple(limit_of_row(rules, _array(row)) for row in _array(single[b"limits"])),
        curves=curves,
        pending=None if single[b"pending"] is None else _cleared_from(rules, single[b"pending"]),
        records=records,
        last_measured=measured,
        services=book_of_leaves(services),
        administration=administration_of_leaves(administration),
        emergency=emergency_of_leaves(emergency),
        virtual_batteries=virtual_batteries_of_leaves(batteries),
    )


def _with_points(rules: CellRules, points: Mapping[bytes, Value]) -> CellRules:
    """The founding rules with the metering points that came later or are gone."""
    try:
        return with_points(rules, points.items()) if points else rules
    except InvalidRules as fault:
        raise Malformed(str(fault)) from fault


def _balances(amounts: Mapping[bytes, int]) -> Balances:
    try:
        return Balances(amounts)
    except Unbalanced as fault:
        raise Malformed(str(fault)) from fault


def _interval_and_member(key: bytes) -> tuple[int, bytes]:
    if len(key) != _INTERVAL_BYTES + ID_BYTES:
        raise Malformed("an order is kept under an interval and a member")
    return int.from_bytes(key[:_INTERVAL_BYTES], "big"), key[_INTERVAL_BYTES:]


def _record_from(rules: CellRules, value: Value) -> IntervalRecord:
    count = len(_array(value))
    interval, tariff, prices, contracts, readings, settled, *added = _fields(
        value, count if count in (9, 10) else 6
    )
    losses, meters, guesses = added[:3] or (0, (), ())
    aggregators = _aggregators(added[3:])
    if count == 9 and not losses and not meters:
        raise Malformed("an interval without losses and branch meters has six fields")
    return IntervalRecord(
        interval=_integer(interval),
        tariff=_tariff_from(tariff),
        prices=_prices_from(rules, prices),
        contracts=_energies(contracts),
        readings=_readings_from(readings),
        settled=bool(_integer(settled)),
        losses=_integer(losses),
        meters=_meters_from(rules, meters),
        guesses=_readings_from(guesses),
        aggregators=aggregators,
    )


def _readings_from(value: Value) -> dict[bytes, Reading]:
    return {member: decode_reading(_array(reading)) for member, reading in _pairs(value)}


def _meters_from(rules: CellRules, value: Value) -> dict[int, Reading]:
    rows = [decode_meter(_array(row)) for row in _array(value)]
    if any(row.branch >= len(rules.branches) for row in rows):
        raise Malformed("a meter of a branch that the cell does not have")
    return {row.branch: row.reading for row in rows}


def _cleared_from(rules: CellRules, value: Value) -> ClearedInterval:
    count = len(_array(value))
    interval, tariff, prices, contracts, grid_import, grid_export, *lost = _fields(
        value, count if count in (8, 9) else 6
    )
    losses, money = lost[:2] or (0, b"")
    if not isinstance(money, bytes) or (count == 8 and not losses and not big_int_from(money)):
        raise Malformed("a clearing without losses has six fields, and the money of others is a byte string")
    return ClearedInterval(
        interval=_integer(interval),
        tariff=_tariff_from(tariff),
        prices=_prices_from(rules, prices),
        contracts=_energies(contracts),
        grid_import=_integer(grid_import),
        grid_export=_integer(grid_export),
        losses=_integer(losses),
        loss_money=big_int_from(money) if lost else 0,
        aggregators=_aggregators(lost[2:]),
    )


def _tariff_from(value: Value) -> TariffStep:
    interval, import_price, export_price = _fields(value, 3)
    return decode_tariff((import_price, export_price), _integer(interval))


def _prices_from(rules: CellRules, value: Value) -> tuple[int | None, ...]:
    prices = _array(value)
    if len(prices) != len(rules.branches):
        raise Malformed("every branch has a price, or null")
    return tuple(None if price is None else _integer(price) for price in prices)


def _energies(value: Value) -> dict[bytes, int]:
    return {member: _integer(energy) for member, energy in _pairs(value)}


def _aggregators(added: list[Value]) -> dict[bytes, bytes]:
    """Who bid for whom, where there is such a field."""
    if not added:
        return {}
    pairs = _pairs(added[0])
    found = {member: aggregator for member, aggregator in pairs if isinstance(aggregator, bytes)}
    if not found or len(found) < len(pairs):
        raise Malformed("who bid for whom are two ids each, and a field without any is left out")
    return found


def _pairs(value: Value) -> list[tuple[bytes, Value]]:
    pairs = []
    for item in _array(value):
        key, content = _fields(item, 2)
        if not isinstance(key, bytes):
            raise Malformed("a member's id is a byte string")
        pairs.append((key, content))
    return pairs


def _array(value: Value) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise Malformed("not an array")
    return value


def _fields(value: Value, count: int) -> tuple[Value, ...]:
    fields = _array(value)
    if len(fields) != count:
        raise Malformed(f"{len(fields)} fields where {count} are expected")
    return fields


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise Malformed("not an integer")
    return value
