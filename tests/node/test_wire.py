"""Frames and capacity messages: what is encoded decodes to itself, and hostile bytes are only ever malformed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import encode
from ledger.errors import Malformed
from ledger.limits import PROPOSAL_BYTES, VOTE_BYTES
from node.constants import FRAME_BYTES
from node.wire import (
    MOST_PLANNED,
    Capacity,
    CertificateFrame,
    Frame,
    Plan,
    ProposalFrame,
    StandingFrame,
    StatusFrame,
    VoteFrame,
    decode_capacity,
    decode_frame,
    encode_capacity,
    encode_frame,
)

MOST = 2**63 - 1
frames: st.SearchStrategy[Frame] = st.one_of(
    st.builds(VoteFrame, st.binary(max_size=VOTE_BYTES)),
    st.builds(ProposalFrame, st.binary(max_size=PROPOSAL_BYTES), st.none() | st.binary(max_size=2000)),
    st.builds(StatusFrame, st.integers(0, MOST)),
    st.builds(CertificateFrame, st.binary(max_size=2000)),
    st.builds(StandingFrame, st.binary(max_size=2000)),
)
amounts = st.integers(0, 10**15)
capacities = st.builds(
    Capacity,
    amounts,
    amounts,
    amounts,
    st.none() | st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 4096),
    amounts,
    amounts,
    st.integers(0, 10**6),
    st.none() | st.builds(Plan, amounts, *[st.integers(0, MOST_PLANNED)] * 6),
)
values = st.recursive(
    st.none() | st.integers(-5, 1500) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=7).map(tuple),
    max_leaves=12,
)


@given(frames)
def test_a_frame_decodes_to_itself(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@given(capacities)
def test_a_capacity_message_decodes_to_itself(capacity: Capacity) -> None:
    assert decode_capacity(encode_capacity(capacity)) == capacity


@given(st.binary(max_size=300) | values.map(encode))
def test_hostile_bytes_are_only_ever_malformed(data: bytes) -> None:
    with suppress(Malformed):
        assert encode_frame(decode_frame(data)) == data
    with suppress(Malformed):
        assert encode_capacity(decode_capacity(data)) == data


@pytest.mark.parametrize(
    "value",
    [
        (1, b"v" * (VOTE_BYTES + 1)),
        (2, b"p" * (PROPOSAL_BYTES + 1), None),
        (2, b"p", 7),
        (3, -1),
        (3, None),
        (5, None),
        (6, b""),
        (1, b"v", b"more"),
        b"",
    ],
)
def test_what_is_no_frame_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        decode_frame(encode(value))  # type: ignore[arg-type]


def test_a_frame_beyond_the_cap_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed):
        decode_frame(encode((4, bytes(FRAME_BYTES))))


@pytest.mark.parametrize(
    "value",
    [
        (0, -1, 0, None, 1000, 0),
        (0, 0, 0, 1001, 1000, 0),
        (0, 0, 0, -1, 1000, 0),
        (0, 0, 0, None, 1001, 0),
        (0, 0, 0, None, 1000, -1),
        (0, 0, 0, None, 1000),
        (0, 0, 0, b"", 1000, 0),
        (0, 0, 0, None, 1000, 0, 0, 0, 0),
        (0, 0, 0, None, 1000, 0, 0, 0, 5, 6),
        (0, 0, 0, None, 1000, 0, 0, 0, 0, (1, 2, 3, 4, 5, 6)),
        (0, 0, 0, None, 1000, 0, 0, 0, 0, (1, 2, 3, 4, 5, 6, -7)),
        (0, 0, 0, None, 1000, 0, 0, 0, 0, (1, 2, 3, 4, 5, 6, MOST_PLANNED + 1)),
        (0, 0, 0, None, 1000, 0, 0, 0, 0, (-1, 2, 3, 4, 5, 6, 7)),
        (0, 0, 0, None, 1000, 0, 0, 0, (1, 2, 3, 4, 5, 6, 7)),
        (0, 0, 0, None, 1000, 0, 0, 0, 0, (1, 2, 3, 4, 5, 6, 7), 0),
    ],
)
def test_a_capacity_that_no_device_has_is_refused(value: tuple[object, ...]) -> None:
    with pytest.raises(Malformed):
        decode_capacity(encode(value))  # type: ignore[arg-type]
