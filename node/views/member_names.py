"""What members are called, for views: also those that are gone, and strangers by the start of their id."""

from collections.abc import Callable

from ledger.membership.members import Membership


def names_of(membership: Membership) -> Callable[[bytes], str]:
    """The name of a member by its id."""
    names = {member.id: member.name.decode() for member in membership.everyone}
    return lambda member: names.get(member, member.hex()[:8])
