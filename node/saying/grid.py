"""Shell: what the dso limits and calls, left for its node to say. Powers W, up is injecting more."""

from typing import Literal

from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import Kind, encode_limit
from market.rules import BranchLimit
from market.services.payloads import Cause, ServiceRequest, Sharing, encode_request
from market.units import MW_PER_W, NS_PER_S
from node.errors import InputRefusedError
from node.saying.speaking import Speaker, branch_index

CauseName = Literal["frequency", "voltage", "demand-surge", "peak"]
CAUSES = {
    "frequency": Cause.FREQUENCY,
    "voltage": Cause.VOLTAGE,
    "demand-surge": Cause.DEMAND_SURGE,
    "peak": Cause.PEAK,
}


def say_limit(said: Speaker, branch: str, limit_w: float, first: int, last: int) -> str:
    """Limit what a branch carries in the intervals from `first` to `last`, both ways; what was left, in words.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.DSO, "limits")
    soonest = said.tip.last_interval + 1
    if last < first or last < soonest:
        raise InputRefusedError(f"--last: {last} is before {max(first, soonest)}")
    try:
        payload = encode_limit(
            BranchLimit(
                branch_index(said.rules, branch),
                first,
                last,
                round(limit_w * MW_PER_W),
                withdrawable=True,
            )
        )
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    said.leave(Kind.LIMIT, first, payload)
    return f"{branch}: {limit_w:g} W at most from {first} to {last}."


def say_request(
    said: Speaker,
    service: str,
    power_w: float,
    *,
    start_ns: int,
    for_s: int,
    branch: str | None = None,
    reach: int | None = None,
    cause: CauseName = "demand-surge",
    equalise: bool = False,
) -> str:
    """Call power of a requested service from a cell time on; what was left, in words.

    With `equalise` the fullest give first (or the emptiest take), cheap ones before worn ones.

    Raises `InputRefusedError` or OSError.
    """
    said.require(Role.DSO, "requests")
    mine = requested_services(said)
    if service not in mine:
        known = (
            f"there are {', '.join(mine)}" if mine else "name one with `wattswarm cell service --requested`"
        )
        raise InputRefusedError(f"{service}: no requested service of this dso; {known}")
    try:
        asked = ServiceRequest(
            name=service.encode(),
            cause=CAUSES[cause],
            power_mw=round(power_w * MW_PER_W),
            start_ns=start_ns,
            duration_s=for_s,
            branch=None if branch is None else branch_index(said.rules, branch),
            reach=reach,
            sharing=Sharing.EQUALISED if equalise else Sharing.PROPORTIONAL,
        )
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    said.leave(Kind.REQUEST, said.rules.calendar.index_of(start_ns), encode_request(asked))
    where = "the whole cell" if branch is None else branch
    return f"{power_w:g} W of {service} for {for_s} s in {where}."


def requested_services(said: Speaker) -> list[str]:
    """The services that the speaking dso buys and calls, by name."""
    return [
        name.decode()
        for name, known in said.tip.state.services.terms.items()
        if any(step.payer == said.member.id and step.terms.requested for step in known)
    ]


def start_after(now_cell_ns: int, in_s: int) -> int:
    """The cell time so many seconds of it from now."""
    return now_cell_ns + max(0, in_s) * NS_PER_S
