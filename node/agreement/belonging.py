"""Who a node is in its cell, and who else belongs to it: not yet, now, or no longer. Sans-IO."""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.membership.members import Member, Membership
from node.events import Effect, MembersChanged, Report


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in the cell: member id, feed key and, for a validator, consensus key.

    The keys are those that this node holds. The ledger may name others, before a rotation holds and after it.
    """

    member: bytes
    feed_key: bytes
    consensus_key: bytes | None

    def present(self, membership: Membership) -> Member | None:
        """Ourselves in this membership, if it has us under the key that we hold: only then are we heard."""
        member = membership.by_id(self.member)
        return member if member is not None and member.feed_key == self.feed_key else None

    def feed_keys(self, membership: Membership) -> frozenset[bytes]:
        """Every key under which our feed was ever written, as far as this membership knows."""
        known = (key for key, id_ in membership.feed_keys(ever=True).items() if id_ == self.member)
        return frozenset((self.feed_key, *known))


def feed_keys_of(membership: Membership, consensus_keys: Iterable[bytes]) -> list[bytes]:
    """Under which feed keys the members with these consensus keys can be reached."""
    wanted = set(consensus_keys)
    return [member.feed_key for member in membership.members if member.consensus_key in wanted]


def connectable(membership: Membership) -> tuple[tuple[bytes, str], ...]:
    """The feed keys that may connect, with the names of their members, in order of member id."""
    return tuple((member.feed_key, member.name.decode()) for member in membership.members)


def confirmations_needed(membership: Membership, own: bytes) -> int:
    """How many peers must know nothing newer of us than we do before we sign: a quorum with us, or all there are."""
    others = sum(member.id != own for member in membership.members)
    return min(membership.validators().quorum - 1, others)


def members_changed(before: Membership, after: Membership) -> list[Effect]:
    """What follows from another membership for the network."""
    if before.members is after.members or connectable(before) == connectable(after):
        return []
    came = sorted(set(connectable(after)) - set(connectable(before)))
    left = sorted(set(connectable(before)) - set(connectable(after)))
    fields: dict[str, object] = {"came": [name for _, name in came], "left": [name for _, name in left]}
    return [MembersChanged(connectable(after)), Report("members", fields)]
