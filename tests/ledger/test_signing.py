"""Signatures bind type, cell and body; the one verifier's edge cases are pinned by vectors."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from ledger.encoding import encode
from ledger.errors import BadSignature, Malformed
from ledger.signing import MessageType, identifier, preimage, seal, sign, unseal, verify

VECTORS = sorted((Path(__file__).parent.parent / "vectors" / "signing").glob("*.json"))
KEY = SigningKey(bytes(range(32)))
PUBLIC = KEY.verify_key.encode()
CELL = bytes(range(32, 64))

kinds = st.sampled_from([kind for kind in MessageType if kind is not MessageType.GENESIS])
cells = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    kind = MessageType(vector["type"].encode())
    cell_id, body = bytes.fromhex(vector["cell_id"]), bytes.fromhex(vector["body"])
    public_key, signature = bytes.fromhex(vector["public_key"]), bytes.fromhex(vector["signature"])
    if "error" in vector:
        assert vector["error"] == "BadSignature"
        with pytest.raises(BadSignature):
            verify(public_key, kind, cell_id, body, signature)
        return
    verify(public_key, kind, cell_id, body, signature)
    assert preimage(kind, cell_id, body).hex() == vector["preimage"]
    assert identifier(kind, cell_id, body).hex() == vector["id"]
    assert sign(SigningKey(bytes.fromhex(vector["seed"])), kind, cell_id, body) == signature


@given(kinds, cells, st.binary(max_size=100))
def test_a_signature_holds_for_what_was_signed(kind: MessageType, cell_id: bytes, body: bytes) -> None:
    verify(PUBLIC, kind, cell_id, body, sign(KEY, kind, cell_id, body))


@given(kinds, cells, st.binary(max_size=100), st.data())
def test_a_signature_holds_for_nothing_else(
    kind: MessageType, cell_id: bytes, body: bytes, data: st.DataObject
) -> None:
    signature = sign(KEY, kind, cell_id, body)
    other_kind = data.draw(kinds.filter(lambda other: other is not kind))
    other_cell = data.draw(cells.filter(lambda other: other != cell_id))
    other_body = data.draw(st.binary(max_size=100).filter(lambda other: other != body))
    position = data.draw(st.integers(0, 8 * 64 - 1))
    other_signature = (int.from_bytes(signature, "big") ^ 1 << position).to_bytes(64, "big")
    for arguments in (
        (PUBLIC, other_kind, cell_id, body, signature),
        (PUBLIC, kind, other_cell, body, signature),
        (PUBLIC, kind, cell_id, other_body, signature),
        (PUBLIC, kind, cell_id, body, other_signature),
        (SigningKey(bytes(32)).verify_key.encode(), kind, cell_id, body, signature),
    ):
        with pytest.raises(BadSignature):
            verify(*arguments)


@settings(max_examples=100)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.binary(max_size=20))
def test_the_verifier_judges_as_pynacl_does(public_key: bytes, signature: bytes, body: bytes) -> None:
    try:
        VerifyKey(public_key).verify(preimage(MessageType.VOTE, CELL, body), signature)
        expected = True
    except BadSignatureError:
        expected = False
    try:
        verify(public_key, MessageType.VOTE, CELL, body, signature)
        accepted = True
    except BadSignature:
        accepted = False
    assert accepted == expected


@pytest.mark.parametrize(
    ("key_bytes", "signature_bytes"), [(0, 64), (31, 64), (33, 64), (32, 0), (32, 63), (32, 65)]
)
def test_keys_and_signatures_of_other_lengths_are_refused_before_the_library_sees_them(
    key_bytes: int, signature_bytes: int
) -> None:
    with pytest.raises(BadSignature, match="32 bytes"):
        verify(bytes(key_bytes), MessageType.VOTE, CELL, b"", bytes(signature_bytes))


def test_no_two_types_can_share_a_preimage() -> None:
    names = [kind.value for kind in MessageType]
    assert len(set(names)) == len(names)
    assert all(b"\0" not in name for name in names)


def test_an_id_is_the_hash_of_the_preimage_and_knows_no_signature() -> None:
    expected = sha256(b"wattswarm/v1/entry\0" + CELL + b"body").digest()
    assert identifier(MessageType.ENTRY, CELL, b"body") == expected


def test_only_a_genesis_is_signed_without_a_cell() -> None:
    assert preimage(MessageType.GENESIS, b"", b"x") == b"wattswarm/v1/genesis\0x"
    for kind, cell_id in (
        (MessageType.GENESIS, CELL),
        (MessageType.ENTRY, b""),
        (MessageType.ENTRY, CELL[:31]),
    ):
        with pytest.raises(ValueError, match="cell id"):
            preimage(kind, cell_id, b"x")


@given(st.binary(max_size=200), st.binary(min_size=64, max_size=64))
def test_an_envelope_returns_what_it_was_sealed_with(body: bytes, signature: bytes) -> None:
    assert unseal(seal(body, signature), 1024) == (body, signature)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_an_envelope_in_canonical_form_or_malformed(data: bytes) -> None:
    try:
        body, signature = unseal(data, 1024)
    except Malformed:
        return
    assert seal(body, signature) == data


@pytest.mark.parametrize(
    "value",
    [b"", (), (b"body",), (b"body", bytes(63)), (b"body", bytes(65)), (b"body", bytes(64), None), (None, bytes(64)),
     (b"body", 1), ((b"body",), bytes(64)), None],
)  # fmt: skip
def test_an_envelope_of_another_shape_is_malformed(value: object) -> None:
    with pytest.raises(Malformed, match="envelope"):
        unseal(encode(value), 1024)  # type: ignore[arg-type]


def test_an_envelope_over_its_size_cap_is_malformed() -> None:
    envelope = seal(bytes(100), bytes(64))
    assert unseal(envelope, len(envelope))[0] == bytes(100)
    with pytest.raises(Malformed, match="at most"):
        unseal(envelope, len(envelope) - 1)
