"""Shell: the dso's word about an emergency of the cell, and the operator's on who is served first in one."""

import time

from ledger.records.genesis import Role
from market.emergency.book import STANDS_FOR
from market.emergency.payloads import Declaration, encode_declaration, encode_priority
from market.emergency.priority import Priority
from market.payloads import Kind
from market.rules import MAX_POWER_MW
from market.units import MW_PER_W, NS_PER_S
from node.errors import InputRefusedError
from node.saying.speaking import Speaker
from node.views.ledger_view import find_member


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


def say_priority(said: Speaker, member: str, *, critical_w: float, essential_w: float) -> str:
    """Grant a member (name, or start of its id) power that is served first in an emergency; in words what was left.

    None of both takes it back. Raises `InputRefusedError` or OSError.
    """
    said.require(Role.OPERATOR, "priorities")
    whose = find_member(said.tip.membership, member)
    name = whose.name.decode()
    if said.tip.state.rules.member(whose.id) is None:
        raise InputRefusedError(f"{name} has no metering point, so there is nothing to serve first")
    for what, power_w in (("critical", critical_w), ("essential", essential_w)):
        if not 0 <= power_w * MW_PER_W <= MAX_POWER_MW:
            raise InputRefusedError(f"--{what}-w: a power is from 0 to {MAX_POWER_MW // MW_PER_W} W")
    granted = Priority(round(critical_w * MW_PER_W), round(essential_w * MW_PER_W))
    said.leave(Kind.PRIORITY, time.time_ns(), encode_priority(whose.id, granted))
    if not (granted.critical_mw or granted.essential_mw):
        return f"Nothing of what {name} buys is served first in an emergency."
    return f"In an emergency {critical_w:g} W of {name} are served first, and {essential_w:g} W next."
