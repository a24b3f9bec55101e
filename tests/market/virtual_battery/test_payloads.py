"""Delegations and aggregations as payloads of entries, strictly both ways; the vectors say what is refused and why."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.encoding import Value, decode, encode
from ledger.limits import ENTRY_BYTES
from ledger.records.entries import Entry, author_entry
from market.errors import MalformedPayload
from market.payloads import Kind
from market.virtual_battery.payloads import (
    MOST_MEMBERS,
    decode_aggregation,
    decode_delegation,
    encode_aggregation,
    encode_delegation,
)
from node.instructions import INSTRUCTION_BYTES, Instruction

VECTORS = sorted((Path(__file__).parents[2] / "vectors" / "virtual-battery").glob("*.json"))
ids = st.binary(min_size=32, max_size=32)
values: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.integers(-3, 3) | st.binary(max_size=3) | ids,
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


def rewritten(kind: str, payload: tuple[Value, ...]) -> tuple[Value, ...]:
    if kind == "delegation":
        return encode_delegation(decode_delegation(payload))
    return encode_aggregation(decode_aggregation(payload))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_vector_is_read_or_refused_for_its_fault(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    payload = decode(bytes.fromhex(vector["payload"]), max_bytes=ENTRY_BYTES)
    assert isinstance(payload, tuple)
    if "error" in vector:
        with pytest.raises(MalformedPayload, match=vector["error"]):
            rewritten(vector["kind"], payload)
    else:
        assert encode(rewritten(vector["kind"], payload)).hex() == vector["payload"]


@given(ids | st.none())
def test_a_delegation_survives_its_entry(aggregator: bytes | None) -> None:
    assert decode_delegation(encode_delegation(aggregator)) == aggregator


@given(st.sets(ids, max_size=MOST_MEMBERS))
def test_an_aggregation_survives_its_entry(members: set[bytes]) -> None:
    said = tuple(sorted(members))
    assert decode_aggregation(encode_aggregation(said)) == said


@given(st.sampled_from(["delegation", "aggregation"]), st.lists(values, max_size=3).map(tuple))
def test_whatever_is_read_is_written_as_it_came(kind: str, payload: tuple[Value, ...]) -> None:
    try:
        again = rewritten(kind, payload)
    except MalformedPayload:
        return
    assert encode(again) == encode(payload)


def test_the_most_members_fit_into_an_entry_and_into_what_a_command_leaves() -> None:
    payload = encode_aggregation(tuple(bytes([index]) * 32 for index in range(MOST_MEMBERS)))
    key, largest = SigningKey(bytes(32)), 2**62
    author = key.verify_key.encode()
    kind = int(Kind.AGGREGATION)
    author_entry(key, bytes(32), Entry(author, largest, largest, bytes(32), kind, largest, largest, payload))
    assert len(Instruction(int(Kind.AGGREGATION), largest, payload).encode()) <= INSTRUCTION_BYTES
