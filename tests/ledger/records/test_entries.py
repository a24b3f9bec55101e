"""Entries are accepted in a fixed order of checks, in one form, and only as their author signed them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.encoding import encode
from ledger.errors import BadSignature, Malformed, PeerError
from ledger.limits import ENTRY_BYTES
from ledger.records.entries import Entry, author_entry, decode_entry, open_entry
from ledger.signing import MessageType, identifier, seal, sign, unseal

VECTORS = sorted((Path(__file__).parents[2] / "vectors" / "entries").glob("*.json"))
ERRORS = {"Malformed": Malformed, "BadSignature": BadSignature}
KEY = SigningKey(bytes(range(32)))
CELL = bytes(range(32, 64))
FIRST = Entry(KEY.verify_key.encode(), 0, 0, None, 32, 481_234, 1_700_000_000_000_000_000, (7, b"x", None))

not_negative = st.integers(0, 2**63 - 1)
payloads = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=20), max_size=10).map(
    tuple
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    sequence = draw(st.just(0) | not_negative)
    previous = None if sequence == 0 else draw(st.binary(min_size=32, max_size=32))
    incarnation, kind, interval, time_ns = (draw(not_negative) for _ in range(4))
    return Entry(FIRST.author, incarnation, sequence, previous, kind, interval, time_ns, draw(payloads))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    envelope, cell_id = bytes.fromhex(vector["envelope"]), bytes.fromhex(vector["cell_id"])
    if "error" in vector:
        with pytest.raises(ERRORS[vector["error"]]) as fault:
            open_entry(envelope, cell_id)
        assert vector["reason"] in str(fault.value)
        return
    opened = open_entry(envelope, cell_id)
    assert opened.id.hex() == vector["id"]
    assert opened.envelope == envelope
    for name, expected in vector["entry"].items():
        value = getattr(opened.entry, name)
        assert (value.hex() if isinstance(value, bytes) else value) == expected


@given(entries())
def test_what_is_authored_opens_to_the_same_entry(entry: Entry) -> None:
    signed = author_entry(KEY, CELL, entry)
    assert open_entry(signed.envelope, CELL) == signed
    assert signed.entry == entry == decode_entry(signed.body)
    assert signed.id == identifier(MessageType.ENTRY, CELL, signed.body)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_what_is_declared(envelope: bytes) -> None:
    with pytest.raises((Malformed, BadSignature)):
        open_entry(envelope, CELL)


@settings(max_examples=20)
@given(entries())
def test_no_bit_of_an_envelope_can_change(entry: Entry) -> None:
    envelope = author_entry(KEY, CELL, entry).envelope
    for bit in range(0, 8 * len(envelope), 3):
        flipped = bytearray(envelope)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(PeerError):
            open_entry(bytes(flipped), CELL)


@given(st.binary(max_size=200))
def test_an_arbitrary_body_under_a_good_signature_is_malformed(body: bytes) -> None:
    envelope = seal(body, sign(KEY, MessageType.ENTRY, CELL, body))
    with pytest.raises(Malformed):
        open_entry(envelope, CELL)


def test_an_entry_of_another_cell_is_refused() -> None:
    with pytest.raises(BadSignature):
        open_entry(author_entry(KEY, CELL, FIRST).envelope, bytes(32))


def test_a_broken_signature_is_reported_before_a_broken_schema() -> None:
    """Who did not sign the bytes is not believed about anything in them."""
    fields = (1, FIRST.author, -5, 0, None, 32, 1, 1, ())
    body = encode(fields)
    with pytest.raises(BadSignature):
        open_entry(seal(body, bytes(64)), CELL)
    with pytest.raises(Malformed, match="incarnation"):
        open_entry(seal(body, sign(KEY, MessageType.ENTRY, CELL, body)), CELL)


def test_the_largest_entry_passes_and_one_byte_more_is_refused_on_both_sides() -> None:
    overhead = len(author_entry(KEY, CELL, replace(FIRST, payload=(bytes(256),))).envelope) - 256
    largest = replace(FIRST, payload=(bytes(ENTRY_BYTES - overhead),))
    signed = author_entry(KEY, CELL, largest)
    assert len(signed.envelope) == ENTRY_BYTES
    assert open_entry(signed.envelope, CELL) == signed
    with pytest.raises(ValueError, match="1024 bytes"):
        author_entry(KEY, CELL, replace(FIRST, payload=(bytes(ENTRY_BYTES - overhead + 1),)))
    with pytest.raises(Malformed, match="at most 1024"):
        open_entry(signed.envelope + b"\0", CELL)


@pytest.mark.parametrize(
    "change",
    [
        {"incarnation": -1},
        {"sequence": -1},
        {"sequence": 1},
        {"previous": bytes(32)},
        {"previous": bytes(31), "sequence": 1},
        {"kind": -1},
        {"interval": -1},
        {"time_ns": -1},
        {"time_ns": 2**63},
    ],
)
def test_what_peers_would_refuse_cannot_be_authored(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"."):
        author_entry(KEY, CELL, replace(FIRST, **change))  # type: ignore[arg-type]


def test_nobody_can_author_in_anothers_name() -> None:
    with pytest.raises(ValueError, match="another author"):
        author_entry(SigningKey(bytes(32)), CELL, FIRST)


def test_two_signatures_of_one_body_are_one_entry() -> None:
    """Ids leave the signature out, so signing again makes no second entry."""
    signed = author_entry(KEY, CELL, FIRST)
    assert unseal(signed.envelope, ENTRY_BYTES)[0] == signed.body
    assert author_entry(KEY, CELL, FIRST).id == signed.id
