"""A change of membership counts only under an admission key, in this cell, as itself."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.encoding import encode
from ledger.errors import BadSignature, Malformed, PeerError
from ledger.limits import ENTRY_BYTES
from ledger.records.changes import (
    CHANGE_BYTES,
    Admit,
    Change,
    NumberedChange,
    Readmit,
    Remove,
    Rotate,
    open_change,
    sign_change,
)
from ledger.signing import MessageType, seal, sign

KEY, OTHER = (SigningKey(sha256(name).digest()) for name in (b"admission", b"other"))
CELL = sha256(b"cell").digest()
KEYS = st.binary(min_size=32, max_size=32)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        Admit,
        st.binary(max_size=64),
        KEYS,
        st.none() | KEYS,
        st.integers(0, 15),
        st.tuples() | st.tuples(st.integers(0, 9), st.binary(max_size=20)),
    ),
    st.builds(Remove, KEYS),
    st.builds(Rotate, KEYS, KEYS, st.none() | KEYS),
    st.builds(Rotate, KEYS, st.none(), KEYS),
    st.builds(Readmit, KEYS, st.integers(0, 2**40), st.none() | KEYS),
)


@given(st.integers(1, 2**40), CHANGES)
def test_a_change_is_read_as_it_was_signed_and_fits_into_an_entry(number: int, change: Change) -> None:
    numbered = NumberedChange(number, change)
    envelope = sign_change(KEY, CELL, numbered)
    known = (OTHER.verify_key.encode(), KEY.verify_key.encode())
    assert open_change(envelope, CELL, known) == numbered
    assert len(envelope) <= CHANGE_BYTES < ENTRY_BYTES


@given(CHANGES, st.data())
def test_no_bit_of_a_change_can_be_another(change: Change, data: st.DataObject) -> None:
    envelope = bytearray(sign_change(KEY, CELL, NumberedChange(1, change)))
    bit = data.draw(st.integers(0, 8 * len(envelope) - 1))
    envelope[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerError):
        open_change(bytes(envelope), CELL, (KEY.verify_key.encode(),))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_change(data: bytes) -> None:
    with pytest.raises(PeerError):
        open_change(data, CELL, (KEY.verify_key.encode(),))
    with pytest.raises(Malformed):
        NumberedChange.decode(data)


def test_a_change_holds_under_its_key_in_its_cell_and_as_no_other_message() -> None:
    numbered = NumberedChange(1, Remove(bytes(32)))
    envelope, known = sign_change(KEY, CELL, numbered), (KEY.verify_key.encode(),)
    for cell, keys in ((CELL, (OTHER.verify_key.encode(),)), (CELL, ()), (sha256(CELL).digest(), known)):
        with pytest.raises(BadSignature):
            open_change(envelope, cell, keys)
    body = numbered.encode()
    with pytest.raises(BadSignature):
        open_change(seal(body, sign(KEY, MessageType.ENTRY, CELL, body)), CELL, known)


@pytest.mark.parametrize(
    "fields",
    [
        (2, 1, 2, bytes(32)),
        (1, 0, 2, bytes(32)),
        (1, 1, 5, bytes(32)),
        (1, 1, 2, bytes(31)),
        (1, 1, 2),
        (1, 1, 3, bytes(32), None, None),
        (1, 1, 3, bytes(32), bytes(33), None),
        (1, 1, 1, b"name", bytes(32), 7, 1, ()),
        (1, 1, 1, b"name", bytes(32), None, 1, None),
        (1, 1, 4, bytes(32), None, None),
    ],
)
def test_a_change_of_another_shape_is_malformed(fields: tuple[int | bytes | None, ...]) -> None:
    with pytest.raises(Malformed):
        NumberedChange.decode(encode(fields))
