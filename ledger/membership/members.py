"""Who belongs to the cell, who belonged to it, and what is about to change: part of the agreed state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed
from ledger.limits import SYNC_BYTES
from ledger.membership.protocol import Protocol
from ledger.records.changes import (
    Admit,
    Change,
    NumberedChange,
    Readmit,
    Remove,
    Rotate,
    SwitchProtocol,
)
from ledger.records.genesis import Genesis, Role, member_id
from ledger.records.validators import ValidatorSet


@dataclass(frozen=True, slots=True)
class Member:
    """One member. ``id`` never changes; keys may rotate.

    ``incarnation`` is the one that blocks have granted to its feed (0 at first). ``frozen_at`` is the height
    of the block that proved its equivocation, None while it is in good standing. ``left_at`` is the first
    height at which it no longer is a member. ``terms`` are those of its admission, None for a founder, whose
    terms are in the genesis.
    """

    id: bytes
    name: bytes
    feed_key: bytes
    consensus_key: bytes | None
    roles: int
    incarnation: int
    frozen_at: int | None
    left_at: int | None = None
    terms: tuple[Value, ...] | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that a member no longer uses, and the first height at which it does not."""

    key: bytes
    member: bytes
    height: int
    votes: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that blocks have taken and that holds from a height on."""

    numbered: NumberedChange
    height: int


@dataclass(frozen=True, slots=True)
class Membership:
    """The members in force, sorted by id, no id or feed key twice; raises ValueError otherwise.

    ``departed`` are those who were members (sorted by id), ``retired`` the keys that members gave up (sorted),
    ``changes`` the number of the last change taken, ``pending`` those taken that do not hold yet, in order.
    ``protocol`` is the version in force, and what is to come of it.
    """

    members: tuple[Member, ...]
    departed: tuple[Member, ...] = ()
    retired: tuple[Retired, ...] = ()
    changes: int = 0
    pending: tuple[Pending, ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
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

    def former(self, id_: bytes) -> Member | None:
        """Who was a member under this id and is none any more."""
        return next((member for member in self.departed if member.id == id_), None)

    @property
    def everyone(self) -> tuple[Member, ...]:
        """All who are or were members, those in force first."""
        return self.members + self.departed

    def feed_keys(self, *, ever: bool = False) -> Mapping[bytes, bytes]:
        """Member ids by feed key; with `ever`, also by the keys of the past."""
        keys = {retired.key: retired.member for retired in self.retired if ever and not retired.votes}
        return keys | {member.feed_key: member.id for member in (self.everyone if ever else self.members)}

    def consensus_keys(self, *, ever: bool = False) -> Mapping[bytes, bytes]:
        """Member ids by consensus key, in order of id; with `ever`, also by the keys of the past."""
        members = self.everyone if ever else self.members
        keys = {m.consensus_key: m.id for m in members if m.consensus_key is not None}
        return keys | {retired.key: retired.member for retired in self.retired if ever and retired.votes}

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
        return replace(
            self,
            members=tuple(
                replace(member, frozen_at=height)
                if member.id in frozen and member.frozen_at is None
                else member
                for member in self.members
            ),
        )

    def with_incarnation(self, id_: bytes, incarnation: int) -> "Membership":
        """This membership with a higher incarnation granted to one member's feed."""
        member = self._by_id.get(id_)
        if member is None or incarnation <= member.incarnation:
            raise ValueError("only a member's feed is granted an incarnation, and only a higher one")
        return self._with(replace(member, incarnation=incarnation))

    def with_pending(self, numbered: NumberedChange, height: int) -> "Membership":
        """This membership with one more change that holds from a height on; the rules of `admission` say which may."""
        return replace(self, changes=numbered.number, pending=(*self.pending, Pending(numbered, height)))

    def at(self, height: int) -> "Membership":
        """The membership in force at a height, as far as it is known now: what is pending until then holds."""
        membership = self
        for pending in self.pending:
            if pending.height > height:
                break
            membership = replace(membership, pending=membership.pending[1:])
            membership = membership._changed(pending.numbered.change, pending.height)
        protocol = membership.protocol.at(height)
        return membership if protocol is membership.protocol else replace(membership, protocol=protocol)

    def expected(self) -> "Membership":
        """The membership when all that is pending holds."""
        return self.at(max((pending.height for pending in self.pending), default=0))

    def leaves(self) -> tuple[tuple[bytes, bytes], ...]:
        """(member id, encoded record) of all who are or were members, sorted by id."""
        return tuple((m.id, encode(_record(m))) for m in sorted(self.everyone, key=lambda member: member.id))

    def change_leaves(self) -> tuple[tuple[bytes, bytes], ...]:
        """What changed and will change: the last number, retired keys, and changes that do not hold yet."""
        return (
            (b"number", encode(self.changes)),
            *((b"key/" + r.key, encode((r.member, r.height, int(r.votes)))) for r in self.retired),
            *(
                (b"pending/" + p.numbered.number.to_bytes(8, "big"), encode((p.height, p.numbered.encode())))
                for p in self.pending
            ),
            *self.protocol.leaves(),
        )

    @staticmethod
    def from_leaves(
        leaves: Iterable[tuple[bytes, bytes]], change_leaves: Iterable[tuple[bytes, bytes]]
    ) -> "Membership":
        """The membership that has these `leaves` and `change_leaves`. Raises `Malformed`."""
        everyone = sorted((_member_from(*leaf) for leaf in leaves), key=lambda member: member.id)
        changes, retired, pending = 0, [], []
        ordered = sorted(change_leaves)
        protocol = Protocol.from_leaves(leaf for leaf in ordered if Protocol.is_leaf(leaf[0]))
        for key, data in (leaf for leaf in ordered if not Protocol.is_leaf(leaf[0])):
            match key, decode(data, max_bytes=SYNC_BYTES):
                case b"number", int(number):
                    changes = number
                case bytes(), (bytes(member), int(height), int(votes)) if key.startswith(b"key/"):
                    retired.append(Retired(key[len(b"key/") :], member, height, bool(votes)))
                case bytes(), (int(height), bytes(body)) if key.startswith(b"pending/"):
                    pending.append(Pending(NumberedChange.decode(body), height))
                case _:
                    raise Malformed("no record of what changes in a membership")
        try:
            return Membership(
                tuple(member for member in everyone if member.left_at is None),
                tuple(member for member in everyone if member.left_at is not None),
                tuple(retired),
                changes,
                tuple(pending),
                protocol,
            )
        except ValueError as fault:
            raise Malformed(str(fault)) from fault

    def _changed(self, change: Change, height: int) -> "Membership":
        """One change carried out. What was pending can always be: only changes alter who is a member."""
        match change:
            case Admit(name, feed_key, consensus_key, roles, terms):
                id_ = member_id(feed_key)
                return self._with(Member(id_, name, feed_key, consensus_key, roles, 0, None, None, terms))
            case Remove(id_):
                gone = replace(self._by_id[id_], left_at=height)
                departed = tuple(sorted((*self.departed, gone), key=lambda member: member.id))
                members = tuple(member for member in self.members if member.id != id_)
                protocol = self.protocol.without(id_)
                return replace(self, members=members, departed=departed, protocol=protocol)
            case SwitchProtocol():  # never pending: `switching` says when it holds
                return self
            case Rotate(id_, feed_key, consensus_key):
                member = self._by_id[id_]
                if feed_key is not None:
                    member = replace(member, feed_key=feed_key, incarnation=member.incarnation + 1)
            case Readmit(id_, incarnation, consensus_key):
                member = self._by_id[id_]
                member = replace(member, incarnation=max(member.incarnation, incarnation))
        if consensus_key is not None:
            member = replace(member, consensus_key=consensus_key)
        return self._with(member, height)

    def _with(self, member: Member, height: int = 0) -> "Membership":
        """This membership with a member in place of the one with its id; keys that it gives up retire."""
        before = self._by_id.get(member.id)
        others = (other for other in self.members if other.id != member.id)
        retired = self.retired
        if before is not None and before.feed_key != member.feed_key:
            retired = (*retired, Retired(before.feed_key, member.id, height, votes=False))
        voted_with = None if before is None else before.consensus_key
        if voted_with is not None and voted_with != member.consensus_key:
            retired = (*retired, Retired(voted_with, member.id, height, votes=True))
        return replace(
            self,
            members=tuple(sorted((*others, member), key=lambda each: each.id)),
            retired=tuple(sorted(retired, key=lambda each: each.key)),
        )


def _member_from(id_: bytes, data: bytes) -> Member:
    match decode(data, max_bytes=SYNC_BYTES):
        case (
            bytes(name),
            bytes(feed_key),
            (bytes() | None) as consensus_key,
            int(roles),
            int(incarnation),
            (int() | None) as frozen_at,
            (int() | None) as left_at,
            (tuple() | None) as terms,
        ):
            return Member(id_, name, feed_key, consensus_key, roles, incarnation, frozen_at, left_at, terms)
    raise Malformed("no record of a member")


def _record(member: Member) -> tuple[Value, ...]:
    return (
        member.name,
        member.feed_key,
        member.consensus_key,
        member.roles,
        member.incarnation,
        member.frozen_at,
        member.left_at,
        member.terms,
    )
