"""Who supplied whom: the contracted energy of each interval, spread from all who gave to all who took.

Energies are mWh. Electricity on a feeder is mixed, and the auction has one price and no pairs. So what each seller and
the supplier gave in an interval is taken to have gone to every buyer and to the supplier in proportion to what these
took, as collective self-consumption is commonly shared. What one gave adds up to the last mWh.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from market.orders import Side
from market.reporting.report import Report

SUPPLIER = None
"""Stands for the supplier behind the grid connection where a member's id could be."""


@dataclass(frozen=True, slots=True)
class EnergyFlow:
    """Energy from a member (or the supplier, None) to another over all intervals whose auction stands, > 0."""

    source: bytes | None
    target: bytes | None
    energy: int


def energy_flows(report: Report) -> tuple[EnergyFlow, ...]:
    """All flows, the largest first."""
    sums: dict[tuple[bytes | None, bytes | None], int] = {}
    for interval in report.standing:
        given: dict[bytes | None, int] = {SUPPLIER: interval.grid_import}
        taken: dict[bytes | None, int] = {SUPPLIER: interval.grid_export}
        for order in interval.orders:
            side = given if order.side is Side.SELL else taken
            side[order.member] = side.get(order.member, 0) + order.filled
        targets = [(member, energy) for member, energy in taken.items() if energy]
        for source, energy in given.items():
            for target, part in zip(
                (member for member, _ in targets), split(energy, [each for _, each in targets]), strict=True
            ):
                sums[source, target] = sums.get((source, target), 0) + part
    flows = [EnergyFlow(*ends, energy) for ends, energy in sums.items() if energy]
    return tuple(sorted(flows, key=lambda flow: (-flow.energy, flow.source or b"", flow.target or b"")))


def split(whole: int, weights: Sequence[int]) -> list[int]:
    """Whole units in proportion to the weights (> 0), which they sum to: each end of a running sum is rounded down."""
    total = sum(weights)
    parts, before, done = [], 0, 0
    for weight in weights:
        before += weight
        end = whole * before // total
        parts.append(end - done)
        done = end
    return parts


def name_of(report: Report, member: bytes | None) -> str:
    """A member's name, or the supplier."""
    return "supplier" if member is None else report.name_of(member)
