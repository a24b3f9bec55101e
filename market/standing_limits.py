"""Limits of branches that stand in the agreed state: those that may be withdrawn know their entry and its author."""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.encoding import Value, encode
from ledger.errors import Malformed
from ledger.limits import ID_BYTES
from market.payloads import decode_limit, limit_row
from market.rules import BranchLimit, CellRules


@dataclass(frozen=True, slots=True)
class StandingLimit:
    """A limit with the id of its entry and the member that said it, where it may be withdrawn; else without."""

    limit: BranchLimit
    id: bytes | None = None
    author: bytes | None = None


def standing(limit: BranchLimit, id_: bytes, author: bytes) -> StandingLimit:
    """A limit that a block takes."""
    return StandingLimit(limit, id_, author) if limit.withdrawable else StandingLimit(limit)


def limits_in(limits: Iterable[StandingLimit], interval: int) -> tuple[BranchLimit, ...]:
    """Those that hold in an interval, in the order in which blocks took them."""
    return tuple(each.limit for each in limits if each.limit.first <= interval <= each.limit.last)


def limits_leaf(limits: Iterable[StandingLimit]) -> bytes:
    """The leaf of the state that has them all: a row for each, longer by id and author where there are some."""
    return encode(tuple(_row(each) for each in limits))


def limit_of_row(rules: CellRules, row: tuple[Value, ...]) -> StandingLimit:
    """The limit that a row of the leaf has. Raises `PeerError`."""
    match row:
        case (branch, first, last, power, bytes(id_), bytes(author)) if len(id_) == len(author) == ID_BYTES:
            found = StandingLimit(decode_limit((branch, first, last, power, 1)), id_, author)
        case (_, _, _, _):
            found = StandingLimit(decode_limit(row))
        case _:
            raise Malformed("a limit has four fields, or six with an id and an author")
    if found.limit.branch >= len(rules.branches):
        raise Malformed("a limit of a branch that the cell does not have")
    return found


def _row(each: StandingLimit) -> Value:
    if each.id is None or each.author is None:
        return limit_row(each.limit)
    return (*limit_row(each.limit), each.id, each.author)
