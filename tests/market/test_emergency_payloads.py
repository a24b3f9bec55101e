"""Observations and declarations as payloads of entries, strictly both ways; the vectors say what is refused and why."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Value, decode, encode
from ledger.limits import ENTRY_BYTES
from market.emergency.payloads import (
    LATEST_INTERVAL,
    Declaration,
    Observation,
    Seen,
    decode_declaration,
    decode_observation,
    decode_priority,
    encode_declaration,
    encode_observation,
    encode_priority,
)
from market.emergency.priority import Priority
from market.errors import MalformedPayload
from market.rules import MAX_POWER_MW

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "emergency").glob("*.json"))
payloads = st.lists(
    st.none() | st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=3), max_size=4
).map(tuple)


def rewritten(kind: str, payload: tuple[Value, ...]) -> tuple[Value, ...]:
    if kind == "observation":
        return encode_observation(decode_observation(payload))
    if kind == "priority":
        return encode_priority(*decode_priority(payload))
    return encode_declaration(decode_declaration(payload))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_every_vector_is_read_or_refused_for_its_fault(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    payload = decode(bytes.fromhex(vector["payload"]), max_bytes=ENTRY_BYTES)
    assert isinstance(payload, tuple)
    if "error" in vector:
        with pytest.raises(MalformedPayload, match=vector["error"]):
            rewritten(vector["kind"], payload)
    else:
        assert rewritten(vector["kind"], payload) == tuple(vector["value"])


@given(st.sampled_from(Seen), st.integers(0, 2**63 - 1))
def test_an_observation_survives_its_entry(seen: Seen, since_ns: int) -> None:
    said = Observation(seen, since_ns)
    assert decode_observation(encode_observation(said)) == said


@given(st.booleans(), st.integers(0, LATEST_INTERVAL))
def test_a_declaration_survives_its_entry(emergency: bool, last: int) -> None:
    said = Declaration(emergency, last)
    assert decode_declaration(encode_declaration(said)) == said


@given(st.binary(min_size=32, max_size=32), st.integers(0, MAX_POWER_MW), st.integers(0, MAX_POWER_MW))
def test_a_priority_survives_its_entry(member: bytes, critical: int, essential: int) -> None:
    said = (member, Priority(critical, essential))
    assert decode_priority(encode_priority(*said)) == said


@pytest.mark.parametrize(
    "payload",
    [
        (),
        (bytes(32), 1),
        (bytes(31), 1, 2),
        (bytes(32), -1, 2),
        (bytes(32), 1, MAX_POWER_MW + 1),
        (bytes(32), 1, None),
        (bytes(32), 1, 2, 3),
    ],
)
def test_a_priority_that_says_nothing_is_refused(payload: tuple[Value, ...]) -> None:
    with pytest.raises(MalformedPayload):
        decode_priority(payload)


@given(st.sampled_from(["observation", "declaration", "priority"]), payloads)
def test_whatever_is_read_is_written_as_it_came(kind: str, payload: tuple[Value, ...]) -> None:
    try:
        again = rewritten(kind, payload)
    except MalformedPayload:
        return
    assert encode(again) == encode(payload)
