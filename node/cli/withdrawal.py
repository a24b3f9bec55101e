"""Shell: `wattswarm cell requests|withdraw`: the requests that a dso's node has said, and taking one back."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import Kind
from market.services.payloads import (
    ServiceRequest,
    decode_request,
    decode_withdrawal,
    encode_withdrawal,
)
from market.units import MW_PER_W, NS_PER_S
from node.errors import InputRefusedError
from node.ledger_view import opened
from node.speaking import Speaker, cell_time_ns, speaker
from node.spool import Spool

LOOKED_BACK = 4_096
"""Own entries that are read: more than a dso says in a day, which is the longest that a request lasts."""
SHORTEST = 12
"""Hexadecimal digits of an id that are shown."""


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A request in the node's own feed, whether or not a block has it; `withdrawn`: so is its withdrawal."""

    id: bytes
    interval: int
    request: ServiceRequest
    withdrawn: bool


def requests(*, node: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the requests of this node's dso that have not ended, with the ids that `withdraw` takes.

    Example: wattswarm cell requests --node ./home-1

    Parameters
    ----------
    node
        The data directory of the dso's node.
    as_json
        Print one object with the key requests: a list of id, service, power_w, start_ns, end_ns and withdrawn.
    """
    now_ns = cell_time_ns(node)
    found = own_requests(speaker(node), now_ns)
    if as_json:
        rows = [
            {
                "id": each.id.hex(),
                "service": each.request.name.decode(),
                "power_w": each.request.power_mw / MW_PER_W,
                "start_ns": each.request.start_ns,
                "end_ns": each.request.end_ns,
                "withdrawn": each.withdrawn,
            }
            for each in found
        ]
        sys.stdout.write(json.dumps({"requests": rows}) + "\n")
        return
    for each in found:
        left_s = max(0, each.request.end_ns - now_ns) // NS_PER_S
        state = "withdrawn" if each.withdrawn else f"{left_s} s left"
        power_w = each.request.power_mw / MW_PER_W
        sys.stdout.write(
            f"{each.id.hex()[:SHORTEST]}  {power_w:g} W of {each.request.name.decode()}, {state}\n"
        )
    if not found:
        sys.stdout.write("There are none.\n")


def withdraw(request: str, /, *, node: Path) -> None:
    """Take back a request: members stop as soon as they hear it, and are paid for what they gave until then.

    Example: wattswarm cell withdraw 5f0c2a91be77 --node ./home-1

    Parameters
    ----------
    request
        The request's id, or how it begins; `wattswarm cell requests` lists them.
    node
        The data directory of the dso's node.
    """
    said = speaker(node)
    said.require(Role.DSO, "requests")
    standing = [each for each in own_requests(said, cell_time_ns(node)) if not each.withdrawn]
    found = [each for each in standing if each.id.hex().startswith(request.lower())]
    if len(found) != 1:
        known = ", ".join(each.id.hex()[:SHORTEST] for each in standing)
        remedy = f"there are {known}" if known else "there is none that has not ended"
        many = "several requests begin" if found else "no request begins"
        raise InputRefusedError(f"{request}: {many} so; {remedy}")
    (each,) = found
    said.leave(Kind.WITHDRAWAL, each.interval, encode_withdrawal(each.id))
    sys.stdout.write(
        f"{each.id.hex()[:SHORTEST]}: {each.request.power_mw / MW_PER_W:g} W of {each.request.name.decode()} ends."
        " It waits for the node.\n"
    )


def own_requests(said: Speaker, now_ns: int) -> list[OwnRequest]:
    """The speaker's own requests that end after a moment of cell time, oldest first. Raises `InputRefusedError`."""
    member = said.member
    with opened(said.directory) as (_, store):
        last = store.last_sequence(member.id, member.incarnation)
        entries = list(store.entries(member.id, member.incarnation, max(-1, last - LOOKED_BACK), last))
    waiting = [asked.payload for _, asked in Spool(said.directory).waiting() if asked.kind == Kind.WITHDRAWAL]
    payloads = [each.entry.payload for each in entries if each.entry.kind == Kind.WITHDRAWAL]
    taken_back = {decode_withdrawal(payload) for payload in (*payloads, *waiting)}
    found = []
    for signed in entries:
        request = _request(signed)
        if request is not None and request.end_ns > now_ns:
            withdrawn = signed.id in taken_back
            found.append(OwnRequest(signed.id, signed.entry.interval, request, withdrawn))
    return found


def _request(signed: SignedEntry) -> ServiceRequest | None:
    if signed.entry.kind != Kind.REQUEST:
        return None
    try:
        return decode_request(signed.entry.payload)
    except MalformedPayload:
        return None
