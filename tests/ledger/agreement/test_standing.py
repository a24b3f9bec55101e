"""Standings: what one holds, told to a peer; hostile bytes are only ever malformed."""

from contextlib import suppress

import pytest
from agreement_driver import PRECOMMIT, PREVOTE, A, B, proposal, vote
from hypothesis import given
from hypothesis import strategies as st

from ledger.agreement.standing import STANDING_BYTES, TAG_BYTES, Standing
from ledger.encoding import encode
from ledger.errors import Malformed

MESSAGES = [
    proposal(A),
    proposal(B, 1),
    *(vote(step, index, named) for step in (PREVOTE, PRECOMMIT) for index in range(4) for named in (A, None)),
]
some = st.lists(st.sampled_from(MESSAGES), unique_by=lambda signed: signed.envelope)


@given(some, some, st.integers(1, 2**40))
def test_a_peer_learns_exactly_what_it_lacks(ours: list, theirs: list, height: int) -> None:
    told = Standing.decode(Standing.of(height, theirs).encode())
    assert told.height == height
    assert list(told.missing(ours)) == [signed for signed in ours if signed not in theirs]


@given(st.binary(max_size=200) | st.tuples(st.integers(-2, 5), st.binary(max_size=64)).map(encode))
def test_whatever_a_peer_sends_is_a_standing_in_its_only_form_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        assert Standing.decode(data).encode() == data


@pytest.mark.parametrize(
    "value",
    [
        (0, b""),
        (1, bytes(TAG_BYTES - 1)),
        (1, bytes(2 * TAG_BYTES)),
        (1, b"b" * TAG_BYTES + b"a" * TAG_BYTES),
        (1, bytes(STANDING_BYTES)),
        (1,),
        (b"", 1),
    ],
)
def test_other_forms_are_malformed(value: tuple) -> None:
    with pytest.raises(Malformed):
        Standing.decode(encode(value))
