"""A member's physical part of a branch limit that the dso has set: what its connection may carry in an interval.

Energies are mWh, power mW, both at least 0. For each limited branch above a member: everybody may carry what the
clearing contracted; what the limit then leaves is shared in proportion to nameplate. So what members at and below the
branch may withdraw together, less what they have contracted to inject, is the limit exactly (or less, where it
rounds), and likewise the other way.
"""

from collections.abc import Mapping

from market.outcomes import ClearingOutcome
from market.rules import CellRules
from market.services.shares import eligible_branches, split
from market.units import S_PER_HOUR, energy_of_power


def connection_limits(
    rules: CellRules, clearing: ClearingOutcome, contracts: Mapping[bytes, int], member: bytes
) -> tuple[int, int] | None:
    """The most a member may withdraw and inject (mW) under the limits of a clearing's interval; None without any.

    `contracts` are the positions that stand: none where the clearing was decided too late.
    """
    rule = rules.member(member)
    if rule is None or not rule.meters(clearing.interval):
        return None
    found = [
        _part(rules, clearing.interval, contracts, member, limit.branch, limit.limit_mw)
        for limit in clearing.limits
        if rule.branch in eligible_branches(rules, limit.branch, None)
    ]
    if not found:
        return None
    return min(down for down, _ in found), min(up for _, up in found)


def _part(
    rules: CellRules,
    interval: int,
    contracts: Mapping[bytes, int],
    member: bytes,
    branch: int,
    limit_mw: int,
) -> tuple[int, int]:
    below = eligible_branches(rules, branch, None)
    points = [each for each in rules.members if each.branch in below and each.meters(interval)]
    limit = energy_of_power(limit_mw, rules.interval_s)
    net = sum(contracts.get(each.member, 0) for each in points)
    own = contracts.get(member, 0)
    withdrawn = split(max(0, limit + net), {each.member: rules.max_withdrawal(each) for each in points})
    injected = split(max(0, limit - net), {each.member: rules.max_injection(each) for each in points})
    down = max(0, -own) + withdrawn.get(member, 0)
    up = max(0, own) + injected.get(member, 0)
    return down * S_PER_HOUR // rules.interval_s, up * S_PER_HOUR // rules.interval_s
