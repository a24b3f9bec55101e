"""The roots by which a header commits to feeds, state and outcomes.

Each is the root of a sorted map (RFC 6962), so a light client can prove one pair with one path. The state's
keys carry a letter that keeps the application's leaves apart from the ledger's own.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ledger.chain.application import Outcomes
from ledger.encoding import encode
from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.merkle import map_root

APPLICATION_PREFIX: Final = b"a"
CHANGE_PREFIX: Final = b"c"
MEMBER_PREFIX: Final = b"m"

Pairs = list[tuple[bytes, bytes]]


def feeds_leaves(heads: Mapping[bytes, Head]) -> Pairs:
    """Every member's anchored head, by member id."""
    return [
        (member, encode((head.incarnation, head.sequence, head.id))) for member, head in sorted(heads.items())
    ]


def state_leaves(membership: Membership, application_leaves: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """The application's state and the membership as one sorted map."""
    leaves = [(APPLICATION_PREFIX + key, value) for key, value in application_leaves]
    leaves.extend((MEMBER_PREFIX + key, value) for key, value in membership.leaves())
    leaves.extend((CHANGE_PREFIX + key, value) for key, value in membership.change_leaves())
    return sorted(leaves)


def outcome_leaves(outcomes: Outcomes) -> Pairs:
    """What followed from a block, as a sorted map."""
    return sorted(outcomes.leaves())


def feeds_root(heads: Mapping[bytes, Head]) -> bytes:
    """What a header commits to as `feeds_root`: all members' heads after the block, moved or not."""
    return map_root(feeds_leaves(heads))


def state_root(membership: Membership, application_leaves: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What a header commits to as `state_root`."""
    return map_root(state_leaves(membership, application_leaves))


def clearing_hash(outcomes: Outcomes) -> bytes:
    """What a header commits to as `clearing_hash`."""
    return map_root(outcome_leaves(outcomes))
