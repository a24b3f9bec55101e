"""Entries: the signed records of a member's own append-only feed.

An entry is accepted in this order: size cap, signature over the received bytes, hardened decode, schema,
re-encoding equals what was received. The author's key is inside the body, so the body passes the hardened
decoder once before the signature is checked, only to learn that key; nothing else of it is believed until the
signature holds. The decoder accepts canonical bytes alone, so a decoded body re-encodes to itself.
"""

from dataclasses import dataclass
from typing import NoReturn

from nacl.signing import SigningKey

from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed
from ledger.limits import ENTRY_BYTES, ID_BYTES, KEY_BYTES
from ledger.signing import MessageType, identifier, seal, sign, unseal, verify

ENTRY_VERSION = 1

FIRST_APPLICATION_KIND = 32
"""Kinds from here on belong to the application; those before it are the ledger's own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a member says: ``time_ns`` is the author's cell time, ``interval`` what it speaks about.

    ``author`` is the member's current feed key; ``previous`` is the id of the entry before it in the same
    incarnation and None exactly for sequence 0. The meaning of ``payload`` follows from ``kind``.
    """

    author: bytes
    incarnation: int
    sequence: int
    previous: bytes | None
    kind: int
    interval: int
    time_ns: int
    payload: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """An entry whose signature has been verified (or just made), with the exact bytes that were signed."""

    entry: Entry
    body: bytes
    signature: bytes
    id: bytes

    @property
    def envelope(self) -> bytes:
        """The bytes that travel."""
        return seal(self.body, self.signature)


def author_entry(key: SigningKey, cell_id: bytes, entry: Entry) -> SignedEntry:
    """Sign an entry of one's own; raises ValueError when peers would refuse it."""
    body = encode(_fields(entry))
    if len(seal(body, bytes(64))) > ENTRY_BYTES:
        raise ValueError(f"an entry is at most {ENTRY_BYTES} bytes")
    try:
        _entry_from(decode(body, max_bytes=ENTRY_BYTES))
    except Malformed as fault:
        raise ValueError(str(fault)) from fault
    if entry.author != key.verify_key.encode():
        raise ValueError("the entry names another author than the signing key")
    signature = sign(key, MessageType.ENTRY, cell_id, body)
    return SignedEntry(entry, body, signature, identifier(MessageType.ENTRY, cell_id, body))


def open_entry(envelope: bytes, cell_id: bytes) -> SignedEntry:
    """Accept an entry's envelope; raises Malformed or BadSignature.

    Whether the author is a member of the cell, and where the entry stands in its feed, is for ``Feeds`` to
    say.
    """
    body, signature = unseal(envelope, ENTRY_BYTES)
    fields = decode(body, max_bytes=ENTRY_BYTES)
    verify(_author_of(fields), MessageType.ENTRY, cell_id, body, signature)
    return SignedEntry(_entry_from(fields), body, signature, identifier(MessageType.ENTRY, cell_id, body))


def decode_entry(body: bytes) -> Entry:
    """The entry that a body says, without any claim about who signed it; raises Malformed."""
    return _entry_from(decode(body, max_bytes=ENTRY_BYTES))


def _fields(entry: Entry) -> Value:
    return (
        ENTRY_VERSION,
        entry.author,
        entry.incarnation,
        entry.sequence,
        entry.previous,
        entry.kind,
        entry.interval,
        entry.time_ns,
        entry.payload,
    )


def _author_of(fields: Value) -> bytes:
    if not isinstance(fields, tuple) or len(fields) != 9:
        raise Malformed("an entry has nine fields")
    author = fields[1]
    if not isinstance(author, bytes) or len(author) != KEY_BYTES:
        raise Malformed("an entry's author is a key of 32 bytes")
    return author


def _entry_from(fields: Value) -> Entry:
    author = _author_of(fields)
    assert isinstance(fields, tuple)
    version, _, incarnation, sequence, previous, kind, interval, time_ns, payload = fields
    if version != ENTRY_VERSION:
        raise Malformed("an entry of another version")
    if not isinstance(incarnation, int) or incarnation < 0:
        _refuse("incarnation")
    if not isinstance(sequence, int) or sequence < 0:
        _refuse("sequence")
    if not isinstance(kind, int) or kind < 0:
        _refuse("kind")
    if not isinstance(interval, int) or interval < 0:
        _refuse("interval")
    if not isinstance(time_ns, int) or time_ns < 0:
        _refuse("time")
    if previous is not None and (not isinstance(previous, bytes) or len(previous) != ID_BYTES):
        raise Malformed("an entry's previous id is 32 bytes or null")
    if (previous is None) != (sequence == 0):
        raise Malformed("an entry has no previous id exactly when its sequence is 0")
    if not isinstance(payload, tuple):
        raise Malformed("an entry's payload is an array")
    return Entry(author, incarnation, sequence, previous, kind, interval, time_ns, payload)


def _refuse(field: str) -> NoReturn:
    raise Malformed(f"an entry's {field} is an integer of at least 0")
