"""Versions of the protocol: those that this program knows, and how a member says which its own program knows.

The version in force is the first field of every header, and what follows from a block may depend on it alone: it is
agreed, so that all nodes change their rules at one height (`ledger.membership.switching`).
"""

from itertools import pairwise
from typing import Final

from ledger.encoding import Value

FIRST: Final = 1
"""The version of block 1 in every cell, and what a member knows that has announced nothing."""

KNOWN: tuple[int, ...] = (FIRST,)
"""What this program knows, ascending. A program knows the version in force and, before a switch, the next."""

SUPPORT_KIND: Final = 3
"""An entry with which a member announces what its program knows: payload (version, ...). The latest counts."""

MOST_NAMED: Final = 8
"""Versions that one member may name."""


def known() -> tuple[int, ...]:
    """The versions that this program knows, as they are now: a test may give a program more."""
    return KNOWN


def support_payload(versions: tuple[int, ...]) -> tuple[Value, ...]:
    """The payload of an entry of `SUPPORT_KIND`."""
    return versions


def read_support(payload: tuple[Value, ...]) -> tuple[int, ...] | None:
    """The versions that an announcement names, None where it is none: ascending, from 1 on, at least one."""
    versions = tuple(each for each in payload if isinstance(each, int) and each >= FIRST)
    ascend = all(left < right for left, right in pairwise(versions))
    if len(versions) != len(payload) or not 0 < len(versions) <= MOST_NAMED or not ascend:
        return None
    return versions
