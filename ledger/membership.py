"""Who belongs to the cell, under which keys and roles: part of the agreed state."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ledger.encoding import decode, encode
from ledger.errors import Malformed
from ledger.genesis import Genesis, Role, member_id
from ledger.limits import SYNC_BYTES
from ledger.validators import ValidatorSet


@dataclass(frozen=True, slots=True)
class Member:
    """One member. ``id`` never changes; keys may rotate.

    ``incarnation`` is the one that blocks have granted to its feed (0 at first). ``frozen_at`` is the height
    of the block that proved its equivocation, None while it is in good standing.
    """

    id: bytes
    name: bytes
    feed_key: bytes
    consensus_key: bytes | None
    roles: int
    incarnation: int
    frozen_at: int | None


@dataclass(frozen=True, slots=True)
class Membership:
    """The members, sorted by id, no id or feed key twice; raises ValueError otherwise."""

    members: tuple[Member, ...]
    _by_id: dict[bytes, Member] = field(init=False, repr=False, compare=False)
    _by_feed_key: dict[bytes, Member] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if any(left.id >= right.id for left, right in zip(self.members, self.members[1:], strict=False)):
            raise ValueError("members are sorted by id and no id is used twice")
        object.__setattr__(self, "_by_id", {member.id: member for member in self.members})
        object.__setattr__(self, "_by_feed_key", {member.feed_key: member for member in self.members})
        if len(self._by_feed_key) != len(self.members):
            raise ValueError("two members have the same feed key")

    @staticmethod
    def founding(genesis: Genesis) -> "Membership":
        """The membership that a genesis founds."""
        founders = (
            Member(member_id(m.feed_key), m.name, m.feed_key, m.consensus_key, m.roles, 0, None)
            for m in genesis.members
        )
        return Membership(tuple(sorted(founders, key=lambda member: member.id)))

    def by_id(self, id_: bytes) -> Member | None:
        """The member with this id."""
        return self._by_id.get(id_)

    def by_feed_key(self, feed_key: bytes) -> Member | None:
        """The member whose current feed key this is."""
        return self._by_feed_key.get(feed_key)

    def by_consensus_key(self, consensus_key: bytes) -> Member | None:
        """The member whose current consensus key this is."""
        return next((m for m in self.members if m.consensus_key == consensus_key), None)

    def validators(self) -> ValidatorSet:
        """The consensus keys of all validators in order of member id.

        A frozen validator stays in the set until the admission keys remove it: dropping it would lower the
        quorum.
        """
        return ValidatorSet(
            tuple(
                member.consensus_key
                for member in self.members
                if member.roles & Role.VALIDATOR and member.consensus_key is not None
            )
        )

    def with_frozen(self, ids: Iterable[bytes], height: int) -> "Membership":
        """This membership with these members frozen at ``height``; who is frozen already stays as it was."""
        frozen = frozenset(ids)
        if not frozen <= self._by_id.keys():
            raise ValueError("only a member can be frozen")
        return Membership(
            tuple(
                replace(member, frozen_at=height)
                if member.id in frozen and member.frozen_at is None
                else member
                for member in self.members
            )
        )

    def with_incarnation(self, id_: bytes, incarnation: int) -> "Membership":
        """This membership with a higher incarnation granted to one member's feed."""
        member = self._by_id.get(id_)
        if member is None or incarnation <= member.incarnation:
            raise ValueError("only a member's feed is granted an incarnation, and only a higher one")
        return Membership(
            tuple(replace(m, incarnation=incarnation) if m.id == id_ else m for m in self.members)
        )

    def leaves(self) -> tuple[tuple[bytes, bytes], ...]:
        """(member id, encoded record) of every member, sorted by id: its part of the state's Merkle tree."""
        return tuple(
            (m.id, encode((m.name, m.feed_key, m.consensus_key, m.roles, m.incarnation, m.frozen_at)))
            for m in self.members
        )

    @staticmethod
    def from_leaves(leaves: Iterable[tuple[bytes, bytes]]) -> "Membership":
        """The membership that has these leaves. Raises `Malformed`."""
        try:
            return Membership(tuple(_member_from(key, value) for key, value in leaves))
        except ValueError as fault:
            raise Malformed(str(fault)) from fault


def _member_from(key: bytes, data: bytes) -> Member:
    match decode(data, max_bytes=SYNC_BYTES):
        case (
            bytes(name),
            bytes(feed_key),
            (bytes() | None) as consensus_key,
            int(roles),
            int(incarnation),
            (int() | None) as frozen_at,
        ):
            return Member(key, name, feed_key, consensus_key, roles, incarnation, frozen_at)
    raise Malformed("no record of a member")
