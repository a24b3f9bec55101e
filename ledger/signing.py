"""The only place where signed bytes are built, and the only verifier (PyNaCl's Ed25519).

A signature covers ``"wattswarm/v1/" + type + "\\0" + cell id + body``. The cell id is in the preimage and not
in the message, so nothing replays across cells or message types. Ids are SHA-256 of the same preimage.
Ed25519 verifiers disagree on edge cases and a disagreement splits a cell, so nothing is accepted or refused
here that PyNaCl would not.
"""

from enum import Enum
from hashlib import sha256

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from ledger.encoding import decode, encode
from ledger.errors import BadSignature, Malformed
from ledger.limits import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES


class MessageType(Enum):
    """What kind of body a signature covers; the value is the type's name in the preimage."""

    GENESIS = b"genesis"
    ENTRY = b"entry"
    VOTE = b"vote"
    PROPOSAL = b"proposal"
    HEADER = b"header"
    CHANGE = b"change"
    COSIGNATURE = b"cosignature"


def preimage(kind: MessageType, cell_id: bytes, body: bytes) -> bytes:
    """The bytes that are signed and hashed; ``cell_id`` is empty for the genesis that defines it."""
    if len(cell_id) != (0 if kind is MessageType.GENESIS else ID_BYTES):
        raise ValueError("a cell id is 32 bytes, and a genesis has none")
    return _PREFIXES[kind] + cell_id + body


def identifier(kind: MessageType, cell_id: bytes, body: bytes) -> bytes:
    """The id of a message: SHA-256 of its preimage; the signature is not part of it."""
    return sha256(preimage(kind, cell_id, body)).digest()


def sign(key: SigningKey, kind: MessageType, cell_id: bytes, body: bytes) -> bytes:
    """The 64-byte signature of a body."""
    return key.sign(preimage(kind, cell_id, body)).signature


def verify(public_key: bytes, kind: MessageType, cell_id: bytes, body: bytes, signature: bytes) -> None:
    """Return if ``signature`` covers the body under ``public_key``; raise BadSignature otherwise."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise BadSignature("a public key is 32 bytes and a signature 64")
    try:
        crypto_sign_open(signature + preimage(kind, cell_id, body), public_key)
    except BadSignatureError:
        raise BadSignature(f"the signature does not cover this {kind.value.decode()}") from None


def seal(body: bytes, signature: bytes) -> bytes:
    """The envelope that travels: ``[body, signature]``."""
    return encode((body, signature))


def unseal(envelope: bytes, max_bytes: int) -> tuple[bytes, bytes]:
    """The (body, signature) of an envelope of at most ``max_bytes``; raises Malformed, verifies nothing."""
    parts = decode(envelope, max_bytes=max_bytes)
    if not isinstance(parts, tuple) or len(parts) != 2:
        raise Malformed("an envelope is a body and a signature")
    body, signature = parts
    if not isinstance(body, bytes) or not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        raise Malformed("an envelope is a byte string and a signature of 64 bytes")
    return body, signature


_PREFIXES = {kind: b"wattswarm/v1/" + kind.value + b"\0" for kind in MessageType}
