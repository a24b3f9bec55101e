"""Who signs and who does not: the bitmaps of the certificates that blocks carry of the blocks before them.

A certificate needs a quorum and no more, so an honest validator is missing from some: the slowest ones, in turn.
Whoever is missing from most of them is down, cut off or too slow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ledger.chain.application import State
from ledger.chain.replay import Replayed


@dataclass(frozen=True, slots=True)
class Attendance:
    """In how many of the certificates at which a member could sign it did."""

    signed: int
    of: int

    @property
    def misses(self) -> bool:
        """Whether it is missing from more than half of them."""
        return 2 * self.signed < self.of


def attendance(blocks: Iterable[Replayed[State]]) -> dict[bytes, Attendance]:
    """By member id, for consecutive blocks; the first only says who could sign it, the last is not agreed on yet."""
    found: dict[bytes, Attendance] = {}
    for before, after in pairwise(blocks):
        certificate, validators = after.block.last_certificate, before.tip.deciders
        if certificate is None or validators is None:
            continue
        owners = after.tip.membership.consensus_keys(ever=True)
        for index, key in enumerate(validators.keys):
            known = found.get(owners[key], Attendance(0, 0))
            signed = certificate.signatures[index] is not None
            found[owners[key]] = Attendance(known.signed + signed, known.of + 1)
    return found
