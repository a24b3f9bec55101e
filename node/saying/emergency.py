"""Shell: the dso's word about an emergency of the cell, left for its node to say."""

from ledger.records.genesis import Role
from market.emergency.book import STANDS_FOR
from market.emergency.payloads import Declaration, encode_declaration
from market.payloads import Kind
from market.units import NS_PER_S
from node.errors import InputRefusedError
from node.speaking import Speaker


def say_emergency(
    said: Speaker, cell_ns: int, *, emergency: bool, in_s: int = 0, for_s: int | None = None
) -> str:
    """Declare an emergency of the cell, or that there is none, from a while after `cell_ns` on; in words what was left.

    Seconds are of cell time and cover whole intervals; `for_s` None: until what members see now has run out. Raises
    `InputRefusedError` or OSError.
    """
    said.require(Role.DSO, "emergencies")
    if in_s < 0 or (for_s is not None and for_s < 1):
        raise InputRefusedError(
            "the time until it begins is at least 0 seconds, and how long it lasts at least 1"
        )
    calendar, soonest = said.rules.calendar, said.tip.last_interval + 1
    first = max(soonest, calendar.index_of(cell_ns + in_s * NS_PER_S))
    lasts = STANDS_FOR + 1 if for_s is None else -(-for_s // said.rules.interval_s)
    last, latest = first + lasts - 1, said.tip.last_interval + said.rules.order_horizon
    if last > latest:
        left_s = max(0, latest - first + 1) * said.rules.interval_s
        raise InputRefusedError(
            f"the cell takes no word beyond interval {latest}: declare {left_s} s at most, and again later"
        )
    said.leave(Kind.DECLARATION, first, encode_declaration(Declaration(emergency, last)))
    what = "An emergency" if emergency else "No emergency"
    return f"{what} from interval {first} to {last}, by the word of {said.member.name.decode()}."
