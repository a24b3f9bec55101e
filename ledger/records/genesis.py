"""The genesis: the founding members, keys and rules of a cell. Its id is the cell's id.

It is a file that the founder hands to every member; what is wrong with it is named by member and field.
"""

from dataclasses import dataclass
from enum import IntFlag
from functools import cached_property
from hashlib import sha256

from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidGenesis, Malformed
from ledger.limits import GENESIS_BYTES, KEY_BYTES, NAME_BYTES
from ledger.signing import MessageType, identifier

GENESIS_VERSION = 1


class Role(IntFlag):
    """What a member may do in the cell."""

    PROSUMER = 1
    VALIDATOR = 2
    OPERATOR = 4
    DSO = 8


ALL_ROLES = int(Role.PROSUMER | Role.VALIDATOR | Role.OPERATOR | Role.DSO)


@dataclass(frozen=True, slots=True)
class FoundingMember:
    """A member from the start: its feed key founds its id; only validators have a consensus key."""

    name: bytes
    feed_key: bytes
    consensus_key: bytes | None
    roles: int


def member_id(founding_feed_key: bytes) -> bytes:
    """The stable id of a member: the hash of its founding feed key, which later keys do not change."""
    return sha256(b"wattswarm/v1/member\0" + founding_feed_key).digest()


@dataclass(frozen=True)
class Genesis:
    """The founding rules of a cell; raises InvalidGenesis when they contradict themselves.

    ``first_interval`` is the first delivery period that the ledger may cover; a block decided in a round
    above ``last_timely_round`` came too late to trade; ``admission_keys`` sign changes of membership;
    ``application`` holds the market's rules, which the ledger does not read.
    """

    cell_name: bytes
    first_interval: int
    last_timely_round: int
    admission_keys: tuple[bytes, ...]
    members: tuple[FoundingMember, ...]
    application: tuple[Value, ...]

    def __post_init__(self) -> None:
        check_name(self.cell_name, "the cell's name")
        if self.first_interval < 0:
            raise InvalidGenesis("the first interval is before interval 0")
        if self.last_timely_round < 0:
            raise InvalidGenesis("the last timely round is before round 0")
        _check_members(self.members)
        _check_keys(self.admission_keys, self.members)

    @cached_property
    def cell_id(self) -> bytes:
        """The id of the cell: SHA-256 over the genesis."""
        return identifier(MessageType.GENESIS, b"", self.encode())

    def encode(self) -> bytes:
        """The canonical bytes of this genesis; raises InvalidGenesis when there are too many of them."""
        members = tuple((m.name, m.feed_key, m.consensus_key, m.roles) for m in self.members)
        body = encode(
            (
                GENESIS_VERSION,
                self.cell_name,
                self.first_interval,
                self.last_timely_round,
                self.admission_keys,
                members,
                self.application,
            )
        )
        if len(body) > GENESIS_BYTES:
            raise InvalidGenesis(f"the genesis has {len(body)} bytes; at most {GENESIS_BYTES} are allowed")
        return body

    @staticmethod
    def decode(data: bytes) -> "Genesis":
        """The genesis that ``encode`` wrote; raises InvalidGenesis."""
        try:
            return _genesis_from(decode(data, max_bytes=GENESIS_BYTES))
        except Malformed as fault:
            raise InvalidGenesis(f"not a genesis: {fault}") from None


def _genesis_from(fields: Value) -> Genesis:
    match fields:
        case (
            int(version),
            bytes(cell_name),
            int(first_interval),
            int(last_timely_round),
            tuple(admission_keys),
            tuple(members),
            tuple(application),
        ):
            pass
        case _:
            raise Malformed("the fields are not those of a genesis")
    if version != GENESIS_VERSION:
        raise Malformed(f"version {version}, where this program knows {GENESIS_VERSION}")
    keys = tuple(key for key in admission_keys if isinstance(key, bytes))
    if len(keys) != len(admission_keys):
        raise Malformed("an admission key is not a byte string")
    founders = tuple(_member_from(member) for member in members)
    return Genesis(cell_name, first_interval, last_timely_round, keys, founders, application)


def _member_from(fields: Value) -> FoundingMember:
    match fields:
        case (bytes(name), bytes(feed_key), bytes() | None as consensus_key, int(roles)):
            return FoundingMember(name, feed_key, consensus_key, roles)
        case _:
            raise Malformed("the fields of a member are not name, feed key, consensus key and roles")


def _check_members(members: tuple[FoundingMember, ...]) -> None:
    names: set[bytes] = set()
    for position, member in enumerate(members):
        check_name(member.name, f"the name of member {position}")
        name = member.name.decode()
        if member.name in names:
            raise InvalidGenesis(f"two members are named {name!r}")
        names.add(member.name)
        if member.roles <= 0 or member.roles & ~ALL_ROLES:
            raise InvalidGenesis(f"member {name!r} has the roles {member.roles}, which are not known roles")
        if member.roles & Role.VALIDATOR and member.consensus_key is None:
            raise InvalidGenesis(f"member {name!r} is a validator without a consensus key")
        if not member.roles & Role.VALIDATOR and member.consensus_key is not None:
            raise InvalidGenesis(f"member {name!r} has a consensus key but is no validator")
    if not any(member.roles & Role.VALIDATOR for member in members):
        raise InvalidGenesis("no member is a validator, so nothing could ever be agreed")


def _check_keys(admission_keys: tuple[bytes, ...], members: tuple[FoundingMember, ...]) -> None:
    owners: dict[bytes, str] = {}
    for position, key in enumerate(admission_keys):
        _claim(owners, key, f"admission key {position}")
    for member in members:
        _claim(owners, member.feed_key, f"the feed key of member {member.name.decode()!r}")
        if member.consensus_key is not None:
            _claim(owners, member.consensus_key, f"the consensus key of member {member.name.decode()!r}")


def _claim(owners: dict[bytes, str], key: bytes, owner: str) -> None:
    if len(key) != KEY_BYTES:
        raise InvalidGenesis(f"{owner} has {len(key)} bytes, where a key has {KEY_BYTES}")
    if key in owners:
        raise InvalidGenesis(f"{owners[key]} and {owner} are the same key")
    owners[key] = owner


def check_name(name: bytes, what: str) -> None:
    """Return if a name may stand in a table; raises InvalidGenesis naming `what` it is."""
    if not 0 < len(name) <= NAME_BYTES:
        raise InvalidGenesis(f"{what} has {len(name)} bytes, where 1 to {NAME_BYTES} are allowed")
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise InvalidGenesis(f"{what} is not UTF-8") from None
    if not text.isprintable() or text != text.strip():
        raise InvalidGenesis(f"{what} has unprintable characters or blanks at its ends")
