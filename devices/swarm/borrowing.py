"""Borrowing inside a virtual battery: who is short of power is served from the others' surplus. mW, whole numbers.

Everybody serves its own load first, and lends only what is then left; so no loan ever takes a lender's own load away.
"""

from dataclasses import dataclass

import numpy as np

from devices.swarm.apportion import apportion
from devices.swarm.view import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit can give and what its own load needs now, both at least 0 (ValueError)."""

    id: str
    available_mw: int
    needed_mw: int

    def __post_init__(self) -> None:
        if self.available_mw < 0 or self.needed_mw < 0:
            raise ValueError(f"{self.id}: power to give and power needed are at least 0")


@dataclass(frozen=True, slots=True)
class Loan:
    """Power that flows from one unit's surplus to another's load."""

    lender: str
    borrower: str
    power_mw: int


@dataclass(frozen=True, slots=True)
class Borrowing:
    """What each serves of its own load, the loans, and what stays unserved, by id where it is not 0."""

    own_mw: dict[str, int]
    loans: tuple[Loan, ...]
    short_mw: dict[str, int]


def available_mw(power_mw: int, stored: int, reserve: int, duration_s: int) -> int:
    """What a unit can give for so long without touching its reserve (energies in mWh at the terminals)."""
    return max(0, min(power_mw, (stored - reserve) * SECONDS_PER_HOUR // duration_s))


def borrow(units: tuple[Unit, ...]) -> Borrowing:
    """Serve own loads, then lend: lenders in proportion to surplus, borrowers in proportion to what they lack.

    Exact: what is lent is all that is lacking, or all the surplus there is. The same units give the same loans in
    whatever order they come (ids are unique: ValueError).
    """
    ordered = sorted(units, key=lambda unit: unit.id)
    if len({unit.id for unit in ordered}) < len(ordered):
        raise ValueError("a unit is twice among them")
    own_mw = {unit.id: min(unit.available_mw, unit.needed_mw) for unit in ordered}
    surplus = np.array([unit.available_mw - own_mw[unit.id] for unit in ordered], dtype=np.int64)
    lack = np.array([unit.needed_mw - own_mw[unit.id] for unit in ordered], dtype=np.int64)
    lent_mw = min(int(surplus.sum()), int(lack.sum()))
    lent = apportion(lent_mw, surplus).tolist()
    got = apportion(lent_mw, lack).tolist()
    return Borrowing(
        own_mw=own_mw,
        loans=_match([unit.id for unit in ordered], lent, got),
        short_mw={
            unit.id: int(need) - had for unit, need, had in zip(ordered, lack, got, strict=True) if need > had
        },
    )


def _match(ids: list[str], lent: list[int], got: list[int]) -> tuple[Loan, ...]:
    """Pair what is lent with what is got, both in order of id; at most one loan fewer than there are units."""
    loans = []
    lender = 0
    for borrower, wanted_mw in zip(ids, got, strict=True):
        while wanted_mw > 0:
            if lent[lender] == 0:
                lender += 1
                continue
            power_mw = min(wanted_mw, lent[lender])
            loans.append(Loan(ids[lender], borrower, power_mw))
            lent[lender] -= power_mw
            wanted_mw -= power_mw
    return tuple(loans)
