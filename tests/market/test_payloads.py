"""Payloads of entries, strictly both ways."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.encoding import Value
from ledger.errors import PeerError
from ledger.records.entries import Entry, author_entry
from market.errors import MalformedPayload
from market.payloads import (
    MAX_RECORD_BYTES,
    MAX_STEPS,
    Curve,
    Deposit,
    Kind,
    Quality,
    Reading,
    Record,
    Step,
    decode_deposit,
    decode_limit,
    decode_order,
    decode_reading,
    decode_record,
    decode_tariff,
    encode_deposit,
    encode_limit,
    encode_order,
    encode_reading,
    encode_record,
    encode_tariff,
)
from market.rules import BranchLimit, TariffStep
from market.units import MAX_PRICE, MAX_QUANTITY

prices = st.integers(-MAX_PRICE, MAX_PRICE)
energies = st.integers(0, MAX_QUANTITY)
ladders = st.dictionaries(prices, st.integers(1, MAX_QUANTITY), max_size=MAX_STEPS // 2)
curves = st.builds(
    lambda buys, sells: Curve(
        tuple(Step(price, buys[price]) for price in sorted(buys, reverse=True)),
        tuple(Step(price, sells[price]) for price in sorted(sells)),
    ),
    ladders,
    ladders,
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@given(curves)
def test_a_curve_survives_its_entry(curve: Curve) -> None:
    assert decode_order(encode_order(curve)) == curve


@given(energies, energies, st.sampled_from(Quality))
def test_a_reading_survives_its_entry(contribution: int, consumption: int, quality: Quality) -> None:
    reading = Reading(contribution, consumption, quality)
    assert decode_reading(encode_reading(reading)) == reading
    assert reading.net == contribution - consumption


@given(st.integers(0, 2**62), prices, prices)
def test_a_tariff_survives_its_entry(first: int, one: int, other: int) -> None:
    step = TariffStep(first, max(one, other), min(one, other))
    assert decode_tariff(encode_tariff(step), first) == step


@given(st.binary(min_size=32, max_size=32), st.integers(-(10**30), 10**30).filter(bool))
def test_a_deposit_survives_its_entry(member: bytes, amount: int) -> None:
    assert decode_deposit(encode_deposit(Deposit(member, amount))) == Deposit(member, amount)


def test_a_limit_and_a_record_survive_their_entries() -> None:
    limit, record = BranchLimit(2, 5, 9, 1_500_000), Record(7, b"overheated")
    assert decode_limit(encode_limit(limit)) == limit
    assert decode_record(encode_record(record)) == record


def test_the_largest_payloads_fit_an_entry() -> None:
    steps = tuple(Step(-MAX_PRICE + index, MAX_QUANTITY) for index in range(MAX_STEPS))
    key = SigningKey(bytes(32))
    payloads = ((Kind.ORDER, encode_order(Curve((), steps))), (Kind.ALARM, encode_record(_largest_record())))
    for kind, payload in payloads:
        entry = Entry(key.verify_key.encode(), 2**40, 2**40, bytes(32), kind, 2**40, 2**62, payload)
        assert author_entry(key, bytes(32), entry).entry.payload == payload


def _largest_record() -> Record:
    return Record(2**31, bytes(MAX_RECORD_BYTES))


@pytest.mark.parametrize(
    ("buys", "sells", "reason"),
    [
        ([(5, 1), (5, 1)], [], "descend"),
        ([(5, 1), (6, 1)], [], "descend"),
        ([], [(5, 1), (5, 1)], "ascend"),
        ([], [(6, 1), (5, 1)], "ascend"),
        ([(5, 0)], [], "quantity"),
        ([(5, -1)], [], "quantity"),
        ([(5, MAX_QUANTITY + 1)], [], "quantity"),
        ([(MAX_PRICE + 1, 1)], [], "price"),
        ([(-price, 1) for price in range(MAX_STEPS)], [(5, 1)], "at most"),
    ],
)
def test_a_wrong_curve_is_malformed_on_both_sides(
    buys: list[tuple[int, int]], sells: list[tuple[int, int]], reason: str
) -> None:
    with pytest.raises(MalformedPayload, match=reason) as caught:
        decode_order((tuple(buys), tuple(sells)))
    assert isinstance(caught.value, PeerError)
    with pytest.raises(MalformedPayload, match=reason):
        Curve(tuple(Step(*row) for row in buys), tuple(Step(*row) for row in sells))


DECODERS: list[Callable[[tuple[Value, ...]], object]] = [
    decode_order,
    decode_reading,
    decode_deposit,
    decode_limit,
    decode_record,
    lambda payload: decode_tariff(payload, 5),
]
ENCODERS = [
    encode_order,
    encode_reading,
    encode_deposit,
    encode_limit,
    encode_record,
    encode_tariff,
]


@given(st.integers(0, len(DECODERS) - 1), st.lists(VALUES, max_size=5).map(tuple))
def test_any_payload_is_malformed_or_decodes_to_what_encodes_to_it(
    codec: int, payload: tuple[Value, ...]
) -> None:
    try:
        decoded = DECODERS[codec](payload)
    except MalformedPayload:
        return
    assert ENCODERS[codec](decoded) == payload  # type: ignore[operator]


@pytest.mark.parametrize(
    ("decode", "payload"),
    [
        (decode_reading, (1, 2)),
        (decode_reading, (1, -2, 0)),
        (decode_reading, (1, 2, 2)),
        (decode_reading, (1, None, 0)),
        (decode_deposit, (b"a" * 32, b"")),
        (decode_deposit, (b"a" * 32, b"\0\1")),
        (decode_deposit, (b"a" * 31, b"\1")),
        (decode_deposit, (b"a" * 32, b"\1" * 17)),
        (decode_limit, (0, 5, 4, 1)),
        (decode_limit, (-1, 5, 6, 1)),
        (decode_limit, (0, 5, 6, -1)),
        (decode_record, (1, bytes(MAX_RECORD_BYTES + 1))),
        (lambda payload: decode_tariff(payload, 0), (1, 2)),
        (lambda payload: decode_tariff(payload, 0), (MAX_PRICE + 1, 2)),
    ],
)
def test_nonsense_is_malformed(
    decode: Callable[[tuple[Value, ...]], object], payload: tuple[Value, ...]
) -> None:
    with pytest.raises(MalformedPayload):
        decode(payload)
