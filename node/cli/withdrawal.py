"""Shell: `wattswarm cell requests|limits|withdraw`: what a dso's node has said, and taking it back."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from market.units import MW_PER_W, NS_PER_S
from node.saying.speaking import cell_time_ns, speaker
from node.saying.withdrawals import limit_text, own_words, request_text, say_withdrawal


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
    found = own_words(speaker(node), now_ns).requests
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
        sys.stdout.write(f"{request_text(each)}, {state}\n")
    if not found:
        sys.stdout.write("There are none.\n")


def limits(*, node: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the limits of this node's dso that are ahead and may be withdrawn, with the ids that `withdraw` takes.

    Example: wattswarm cell limits --node ./home-1

    Parameters
    ----------
    node
        The data directory of the dso's node.
    as_json
        Print one object with the key limits: a list of id, branch, limit_w, first, last, agreed and withdrawn.
    """
    said = speaker(node)
    found = own_words(said, cell_time_ns(node)).limits
    if as_json:
        rows = [
            {
                "id": each.id.hex(),
                "branch": said.rules.branches[each.limit.branch].name,
                "limit_w": each.limit.limit_mw / MW_PER_W,
                "first": each.limit.first,
                "last": each.limit.last,
                "agreed": each.agreed,
                "withdrawn": each.withdrawn,
            }
            for each in found
        ]
        sys.stdout.write(json.dumps({"limits": rows}) + "\n")
        return
    for each in found:
        state = "withdrawn" if each.withdrawn else "agreed" if each.agreed else "waits for a block"
        sys.stdout.write(f"{limit_text(said, each)}, {state}\n")
    if not found:
        sys.stdout.write("There are none.\n")


def withdraw(
    what: str, /, *, node: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """Take back a request or a limit that this node's dso has said.

    Of a request members stop as soon as they hear it, and are paid for what they gave until then. A limit ends with the
    first interval whose gate is still open; of several the next lowest counts then.

    Example: wattswarm cell withdraw 5f0c2a91be77 --node ./home-1

    Parameters
    ----------
    what
        The id of the request or limit, or how it begins; `wattswarm cell requests` and `wattswarm cell limits` list
        them.
    node
        The data directory of the dso's node.
    as_json
        Print one object with the key text: what was left for the node to say.
    """
    said = speaker(node)
    text = say_withdrawal(said, what, own_words(said, cell_time_ns(node)))
    sys.stdout.write(json.dumps({"text": text}) + "\n" if as_json else f"{text} It waits for the node.\n")
