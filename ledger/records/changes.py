"""Changes of membership: what the admission keys of a cell sign, and the one byte form of it.

A change is numbered: the first that a cell takes is 1, the next 2, and only the next one counts, so that none is
taken twice or out of order. Its envelope travels as the payload of an entry. Whoever carries it there vouches for
nothing: the signature of an admission key is all that counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from nacl.signing import SigningKey

from ledger.encoding import Value, decode, encode
from ledger.errors import BadSignature, Malformed
from ledger.limits import ENTRY_BYTES, ID_BYTES, KEY_BYTES
from ledger.signing import MessageType, seal, sign, unseal, verify

CHANGE_KIND: Final = 2
"""An entry that carries a change: payload (envelope). Ignored when it changes nothing."""

CHANGE_VERSION: Final = 1

CHANGE_BYTES: Final = ENTRY_BYTES - 192
"""A change's envelope: it must fit into an entry beside 64 bytes of signature, two ids and the framing."""


@dataclass(frozen=True, slots=True)
class Admit:
    """A new member. `terms` are the application's: what it must know of the member, () for nothing."""

    name: bytes
    feed_key: bytes
    consensus_key: bytes | None
    roles: int
    terms: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """A member leaves, whether it wants to or not."""

    member: bytes


@dataclass(frozen=True, slots=True)
class Rotate:
    """New keys for a member that stays who it is; None leaves a key as it is. A new feed key begins the next
    incarnation of the feed.
    """

    member: bytes
    feed_key: bytes | None
    consensus_key: bytes | None


@dataclass(frozen=True, slots=True)
class Readmit:
    """A member that lost its memory begins the next incarnation; a validator with a new consensus key."""

    member: bytes
    incarnation: int
    consensus_key: bytes | None


@dataclass(frozen=True, slots=True)
class SwitchProtocol:
    """The cell goes on to another version of the protocol from a height on, if enough validators know it then."""

    version: int
    height: int


Change: TypeAlias = Admit | Remove | Rotate | Readmit | SwitchProtocol


@dataclass(frozen=True, slots=True)
class NumberedChange:
    """A change with its place among all changes of the cell."""

    number: int
    change: Change

    def encode(self) -> bytes:
        """The body that is signed."""
        return encode((CHANGE_VERSION, self.number, *_fields(self.change)))

    @staticmethod
    def decode(body: bytes) -> "NumberedChange":
        """The change that a body says, whoever signed it. Raises `Malformed`."""
        match decode(body, max_bytes=CHANGE_BYTES):
            case (int(version), int(number), int(kind), *fields) if number >= 1:
                if version != CHANGE_VERSION:
                    raise Malformed(
                        f"a change of version {version}, where this program knows {CHANGE_VERSION}"
                    )
                return NumberedChange(number, _change_from(kind, tuple(fields)))
        raise Malformed("a change has a version, a number, a kind and the fields of its kind")


def sign_change(key: SigningKey, cell_id: bytes, numbered: NumberedChange) -> bytes:
    """The envelope of a change under an admission key. Raises ValueError when it would not be read again."""
    body = numbered.encode()
    envelope = seal(body, sign(key, MessageType.CHANGE, cell_id, body))
    try:
        NumberedChange.decode(body)
    except Malformed as fault:
        raise ValueError(str(fault)) from fault
    if len(envelope) > CHANGE_BYTES:
        raise ValueError(f"a change has at most {CHANGE_BYTES} bytes, not {len(envelope)}")
    return envelope


def open_change(envelope: bytes, cell_id: bytes, admission_keys: Iterable[bytes]) -> NumberedChange:
    """Accept a change that one of these keys signed. Raises `Malformed` or `BadSignature`."""
    body, signature = unseal(envelope, CHANGE_BYTES)
    for key in admission_keys:
        try:
            verify(key, MessageType.CHANGE, cell_id, body, signature)
        except BadSignature:
            continue
        return NumberedChange.decode(body)
    raise BadSignature("no admission key of the cell signed this change")


def change_payload(envelope: bytes) -> tuple[Value, ...]:
    """The payload of an entry of `CHANGE_KIND`."""
    return (envelope,)


def _fields(change: Change) -> tuple[Value, ...]:
    match change:
        case Admit(name, feed_key, consensus_key, roles, terms):
            return (1, name, feed_key, consensus_key, roles, terms)
        case Remove(member):
            return (2, member)
        case Rotate(member, feed_key, consensus_key):
            return (3, member, feed_key, consensus_key)
        case Readmit(member, incarnation, consensus_key):
            return (4, member, incarnation, consensus_key)
        case SwitchProtocol(version, height):
            return (5, version, height)
        case unexpected:
            assert_never(unexpected)


def _change_from(kind: int, fields: tuple[Value, ...]) -> Change:
    match kind, fields:
        case 1, (bytes(name), bytes(feed_key), (bytes() | None) as consensus_key, int(roles), tuple(terms)):
            return Admit(name, _key(feed_key), _optional_key(consensus_key), roles, terms)
        case 2, (bytes(member),):
            return Remove(_member(member))
        case 3, (bytes(member), (bytes() | None) as feed_key, (bytes() | None) as consensus_key):
            if feed_key is None and consensus_key is None:
                raise Malformed("a rotation without a new key")
            return Rotate(_member(member), _optional_key(feed_key), _optional_key(consensus_key))
        case 4, (bytes(member), int(incarnation), (bytes() | None) as consensus_key):
            return Readmit(_member(member), incarnation, _optional_key(consensus_key))
        case 5, (int(version), int(height)) if version >= 1 and height >= 1:
            return SwitchProtocol(version, height)
    raise Malformed(f"no change of kind {kind} has these fields")


def _member(member: bytes) -> bytes:
    if len(member) != ID_BYTES:
        raise Malformed(f"a member id has {ID_BYTES} bytes")
    return member


def _key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise Malformed(f"a key has {KEY_BYTES} bytes")
    return key


def _optional_key(key: bytes | None) -> bytes | None:
    return None if key is None else _key(key)
