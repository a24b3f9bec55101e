"""Branch meters against members' meters: estimates that add up to what the branch took, and mismatches.

The dso may meter branches: what went from a branch towards its parent (contribution) and into it (consumption).
Where a member's measured reading is missing, the branch meter says what all missing ones below it come to
together; what the others leave is shared out over them in proportion to their nameplates, from the innermost
metered branch outwards. So whoever stays silent is charged what its branch shows, and not what suits it.

What then still differs by more than the meters' own error is a mismatch: an alarm with the members that it may
concern. Those are the members below whose own innermost metered branch does not match either; where all of
those match, all below.

Energies are mWh, injection positive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from market.payloads import Quality, Reading
from market.rules import CellRules, MemberRule
from market.splitting import split_by_weight
from market.units import MAX_QUANTITY

ERROR_PER_THOUSAND = 20
"""Of what both sides metered: two meters of accuracy class B (EN 50470-3), each within 1 %, err by 2 % together."""
REGISTER_STEP = 1_000
"""mWh by which a meter's register may be behind: most count whole watt-hours."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A branch whose meter and whose members' readings do not agree. `members` are those it may concern."""

    interval: int
    branch: int
    metered: int
    summed: int
    members: tuple[bytes, ...]


def counted(
    rules: CellRules, readings: Mapping[bytes, Reading], meters: Mapping[int, Reading], lost: int = 0
) -> dict[bytes, Reading]:
    """The readings that a settlement counts: `readings` with the estimates among them fitted to the branch meters.

    `lost` is what is expected to be lost before the root's meter.
    """
    fitted = dict(readings)
    if not meters:
        return fitted
    below = _members_below(rules, fitted)
    open_members = {member for member, reading in fitted.items() if reading.quality is Quality.ESTIMATED}
    for branch in sorted(meters, reverse=True):  # children come after their parents
        missing = [rules.member_index[member] for member in below[branch] if member in open_members]
        if not missing:
            continue
        lack = (
            meters[branch].net + (0 if branch else lost) - sum(fitted[member].net for member in below[branch])
        )
        for rule, share in zip(missing, _shares(lack, missing), strict=True):
            fitted[rule.member] = _moved(fitted[rule.member], share)
        open_members.difference_update(rule.member for rule in missing)
    return fitted


def mismatches(
    rules: CellRules,
    interval: int,
    readings: Mapping[bytes, Reading],
    meters: Mapping[int, Reading],
    lost: int = 0,
) -> tuple[Mismatch, ...]:
    """The metered branches that do not agree with the readings that were counted, ascending by branch.

    `lost` is what is expected to be lost before the root's meter.
    """
    if not meters:
        return ()
    below = _members_below(rules, readings)
    found = []
    cleared: set[bytes] = set()
    judged: set[bytes] = set()
    for branch in sorted(meters, reverse=True):
        members, meter = below[branch], meters[branch]
        summed = sum(readings[member].net for member in members) - (0 if branch else lost)
        if abs(meter.net - summed) <= _error(meter, [readings[member] for member in members]):
            cleared.update(member for member in members if member not in judged)
        else:
            concerned = tuple(member for member in members if member not in cleared) or members
            found.append(Mismatch(interval, branch, meter.net, summed, concerned))
        judged.update(members)
    return tuple(reversed(found))


def _members_below(rules: CellRules, members: Iterable[bytes]) -> list[tuple[bytes, ...]]:
    """By branch the members on it and on all branches below it, ascending by id."""
    below: list[list[bytes]] = [[] for _ in rules.branches]
    for member in members:
        branch: int | None = rules.member_index[member].branch
        while branch is not None:
            below[branch].append(member)
            branch = rules.branches[branch].parent
    return [tuple(sorted(ids)) for ids in below]


def _shares(amount: int, missing: list[MemberRule]) -> list[int]:
    """The amount in proportion to the nameplates, equally where nobody has one; odd units go to the lowest ids."""
    weights = [rule.max_injection_mw + rule.max_withdrawal_mw for rule in missing]
    if not any(weights):
        weights = [1] * len(missing)
    return split_by_weight(amount, weights)


def _moved(reading: Reading, energy: int) -> Reading:
    """An estimate with its net energy moved, as one register alone; within what a reading can say."""
    net = min(max(reading.net + energy, -MAX_QUANTITY), MAX_QUANTITY)
    return Reading(max(net, 0), max(-net, 0), Quality.ESTIMATED)


def _error(meter: Reading, readings: list[Reading]) -> int:
    """The most by which these meters may differ and still be right."""
    through = sum(reading.contribution + reading.consumption for reading in (meter, *readings))
    return through * ERROR_PER_THOUSAND // 1_000 + REGISTER_STEP * (len(readings) + 1)
