"""The codec accepts each value's one encoding and nothing else, and fails in one declared way."""

import json
from pathlib import Path

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.encoding import INT_BOUND, Value, big_int_bytes, big_int_from, decode, encode
from ledger.errors import Malformed
from ledger.limits import DEPTH

VECTORS = sorted((Path(__file__).parent.parent / "vectors" / "encoding").glob("*.json"))
LIMIT = 4096

integers = st.integers(-INT_BOUND, INT_BOUND - 1) | st.sampled_from(
    [sign * (1 << bits) + step for bits in (5, 8, 16, 32, 62) for sign in (1, -1) for step in (-1, 0, 1)]
)
values = st.recursive(
    st.none() | integers | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=30,
).filter(lambda value: _depth(value) <= DEPTH)


def _depth(value: Value) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, tuple) else 0


def _value(written: object) -> Value:
    """A value as the vectors write it: byte strings as {"hex": ...}."""
    if isinstance(written, dict):
        return bytes.fromhex(written["hex"])
    if isinstance(written, list):
        return tuple(_value(item) for item in written)
    assert written is None or isinstance(written, int)
    return written


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    data = bytes.fromhex(vector["input"])
    if "error" not in vector:
        assert decode(data, max_bytes=LIMIT) == _value(vector["value"])
        assert encode(_value(vector["value"])) == data
        return
    assert vector["error"] == "Malformed"
    with pytest.raises(Malformed) as fault:
        decode(data, max_bytes=vector.get("max_bytes", LIMIT))
    assert vector["reason"] in str(fault.value)


def test_there_are_vectors_for_valid_and_faulty_bytes() -> None:
    faulty = ["error" in json.loads(path.read_text()) for path in VECTORS]
    assert faulty.count(True) >= 20
    assert faulty.count(False) >= 10


@given(values)
def test_every_value_survives_the_round_trip(value: Value) -> None:
    assert decode(encode(value), max_bytes=1 << 20) == value


@given(values)
def test_another_cbor_library_writes_the_same_bytes_and_reads_the_same_value(value: Value) -> None:
    assert encode(value) == cbor2.dumps(value)
    assert cbor2.loads(encode(value), immutable=True) == value


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x81" * 200)
def test_arbitrary_bytes_are_canonical_or_malformed(data: bytes) -> None:
    try:
        value = decode(data, max_bytes=LIMIT)
    except Malformed:
        return
    assert encode(value) == data


@settings(max_examples=60)
@given(values)
def test_a_flipped_bit_gives_another_value_or_an_error(value: Value) -> None:
    data = encode(value)
    for bit in range(8 * min(len(data), 60)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            other = decode(bytes(flipped), max_bytes=1 << 20)
        except Malformed:
            continue
        assert other != value
        assert encode(other) == bytes(flipped)


@given(values)
def test_no_prefix_and_no_extension_of_an_encoding_is_one(value: Value) -> None:
    data = encode(value)
    for faulty in (data[:-1], data + b"\x00", data + data):
        with pytest.raises(Malformed):
            decode(faulty, max_bytes=1 << 20)


@given(st.binary(max_size=60))
def test_whatever_passes_a_lenient_cbor_reader_only_passes_here_when_canonical(data: bytes) -> None:
    try:
        value = decode(data, max_bytes=LIMIT)
    except Malformed:
        return
    assert cbor2.loads(data, immutable=True) == value


@pytest.mark.parametrize("value", [True, False, 1.0, "text", [1], {1: 2}, bytearray(b"x"), {1}, object()])
def test_other_types_cannot_be_encoded(value: object) -> None:
    with pytest.raises(TypeError):
        encode(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        encode((1, (value,)))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [INT_BOUND, -INT_BOUND - 1, 1 << 64, -(1 << 200)])
def test_integers_beyond_64_bits_cannot_be_encoded(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode((value,))


def test_depth_is_limited_alike_for_writing_and_reading() -> None:
    value: Value = ()
    for _ in range(DEPTH - 1):
        value = (value,)
    assert decode(encode(value), max_bytes=LIMIT) == value
    with pytest.raises(ValueError, match="nested deeper"):
        encode((value,))
    with pytest.raises(Malformed, match="nested deeper"):
        decode(b"\x81" + encode(value), max_bytes=LIMIT)


def test_a_claimed_length_costs_nothing_before_the_bytes_are_there() -> None:
    huge_lengths = [bytes([major + 27]) + (1 << 62).to_bytes(8, "big") for major in (0x40, 0x80)]
    for data in huge_lengths:
        with pytest.raises(Malformed, match="not the encoding"):
            decode(data + bytes(1000), max_bytes=LIMIT)


def test_the_size_cap_comes_first() -> None:
    assert decode(encode(bytes(10)), max_bytes=11) == bytes(10)
    with pytest.raises(Malformed, match="at most 10"):
        decode(encode(bytes(10)), max_bytes=10)


@given(
    st.integers()
    | st.sampled_from(
        [
            sign * (1 << bits) + step
            for bits in (7, 8, 15, 16, 64, 128)
            for sign in (1, -1)
            for step in (-1, 0, 1)
        ]
    )
)
def test_big_integers_survive_the_round_trip_in_their_shortest_form(value: int) -> None:
    data = big_int_bytes(value)
    assert big_int_from(data) == value
    if data:
        with pytest.raises(OverflowError):
            value.to_bytes(len(data) - 1, "big", signed=True)


@given(st.binary(max_size=40))
def test_big_integers_have_one_form(data: bytes) -> None:
    try:
        value = big_int_from(data)
    except Malformed:
        return
    assert big_int_bytes(value) == data


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x01", b"\xff\xff", b"\xff\x80"])
def test_needless_leading_bytes_of_a_big_integer_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed, match="needless"):
        big_int_from(data)
