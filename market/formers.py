"""Who may form the grid of an island, and in what order: a rank of members in the genesis."""

from ledger.limits import ID_BYTES
from market.errors import InvalidRules

MOST_FORMERS = 64
"""Members that may form an island's grid: each place in the rank waits ten seconds longer than the one before."""


def check_formers(formers: tuple[bytes, ...]) -> None:
    """Raise `InvalidRules` unless they are ids of members, each once."""
    if len(formers) > MOST_FORMERS:
        raise InvalidRules("formers", f"must be at most {MOST_FORMERS}")
    if len(set(formers)) != len(formers) or any(len(each) != ID_BYTES for each in formers):
        raise InvalidRules("formers", f"must be ids of {ID_BYTES} bytes, each once")
