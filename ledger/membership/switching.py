"""When a cell goes on to another version of the protocol: at one agreed height, and only where enough can follow.

A proposal is a numbered change: an admission key signs version V from height H on. It is judged by the block at H - 2,
after which the validators of H are known for certain: V holds from H on if more than two thirds of them have announced
that their programs know it. Otherwise the proposal is refused, and the state says so. Whoever does not know V learns it
from the block at H - 2, and has one height left to stop.
"""

from dataclasses import replace

from ledger.membership.members import Membership
from ledger.membership.protocol import Reason, Refusal, Switch
from ledger.records.changes import NumberedChange, SwitchProtocol
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from ledger.records.protocols import SUPPORT_KIND, read_support


def support(membership: Membership, version: int) -> tuple[int, int]:
    """How many validators of a membership know a version, and how many there are. Who is frozen supports nothing."""
    validators = [member for member in membership.members if member.roles & Role.VALIDATOR]
    supporters = sum(
        member.frozen_at is None and version in membership.protocol.known_to(member.id)
        for member in validators
    )
    return supporters, len(validators)


def is_enough(supporters: int, validators: int) -> bool:
    """More than two thirds: then those who know the version decide blocks without the others."""
    return 3 * supporters > 2 * validators


def take_support(membership: Membership, author: bytes, signed: SignedEntry) -> Membership:
    """After an entry that may be a member's announcement."""
    versions = read_support(signed.entry.payload) if signed.entry.kind == SUPPORT_KIND else None
    if versions is None or membership.by_id(author) is None:
        return membership
    return replace(membership, protocol=membership.protocol.with_support(author, versions))


def propose(
    membership: Membership, numbered: NumberedChange, change: SwitchProtocol, height: int, earliest: int
) -> Membership:
    """After a proposal in the block at `height`, which takes its number in any case: it is open, or it is refused.

    `earliest` is the first height for which it comes in time. An open proposal takes the place of the one before it.
    """
    switch = Switch(numbered.number, change.version, change.height)
    membership = replace(membership, changes=numbered.number)
    if change.height < earliest:
        return _refused(membership, switch, Reason.TOO_NEAR, height)
    if change.version <= membership.protocol.newest:
        return _refused(membership, switch, Reason.NOT_NEWER, height)
    return replace(membership, protocol=replace(membership.protocol, proposed=switch))


def judge(membership: Membership, height: int, decided_for: int) -> Membership:
    """After the block at `height`, which makes the validators of `decided_for` known: what is for then is settled."""
    switch = membership.protocol.proposed
    if switch is None or switch.height > decided_for:
        return membership
    membership = replace(membership, protocol=replace(membership.protocol, proposed=None))
    if not is_enough(*support(membership.at(decided_for), switch.version)):
        return _refused(membership, switch, Reason.TOO_FEW_SUPPORT, height)
    return replace(membership, protocol=replace(membership.protocol, agreed=switch))


def _refused(membership: Membership, switch: Switch, reason: Reason, height: int) -> Membership:
    refusal = Refusal(switch, reason, *support(membership.at(switch.height), switch.version), height)
    return replace(membership, protocol=replace(membership.protocol, refused=refusal))
