"""Shell: `wattswarm cell emergency declare|end|priority|show`: the dso's word about an outage, the operator's on who is
served first in one, and what the cell agrees on.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from node.saying.emergency import say_emergency, say_priority
from node.saying.speaking import cell_time_ns, speaker
from node.views.emergency_view import EmergencyView, emergency_view

AsJson = Annotated[bool, Parameter(name="--json", negative="")]

app = App(name="emergency", help="Declare an emergency of the cell, end it, or show what the cell agrees on.")


def add_commands(parent: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    parent.command(app)


@app.command
def declare(*, node: Path, for_s: int = 3600, in_s: int = 0, as_json: AsJson = False) -> None:
    """Declare an emergency as dso: nothing passes the grid connection, batteries do not charge, loads wait that can.

    It ends by itself, or by `end`. It releases nobody's reserve.

    Example: wattswarm cell emergency declare --for-s 7200 --node ./grid-1

    Parameters
    ----------
    node
        The data directory of the dso's node.
    for_s
        How long, in seconds of cell time; whole intervals are covered.
    in_s
        Seconds of cell time from now until it begins; not before the next interval that is open.
    as_json
        Print one object with the key said.
    """
    _say(node, emergency=True, for_s=for_s, in_s=in_s, as_json=as_json)


@app.command
def end(*, node: Path, for_s: int | None = None, as_json: AsJson = False) -> None:
    """Say as dso that there is no emergency, from the next open interval on, whatever members see.

    Example: wattswarm cell emergency end --node ./grid-1

    Parameters
    ----------
    node
        The data directory of the dso's node.
    for_s
        For how long, in seconds of cell time; until what members see now has run out if not given.
    as_json
        Print one object with the key said.
    """
    _say(node, emergency=False, for_s=for_s, in_s=0, as_json=as_json)


@app.command
def priority(
    member: str, /, *, node: Path, critical_w: float = 0.0, essential_w: float = 0.0, as_json: AsJson = False
) -> None:
    """Grant a member, as operator, power that is served first in an emergency; without any power, take it back.

    While the public grid is there it means nothing, and nobody pays for it.

    Example: wattswarm cell emergency priority clinic --critical-w 8000 --essential-w 4000 --node ./operator-1

    Parameters
    ----------
    member
        Its name, or the start of its id; it has a metering point.
    node
        The data directory of the operator's node.
    critical_w
        W that are served before all others.
    essential_w
        W besides that are served next.
    as_json
        Print one object with the key said.
    """
    text = say_priority(speaker(node), member, critical_w=critical_w, essential_w=essential_w)
    sys.stdout.write(json.dumps({"said": text}) + "\n" if as_json else f"{text} It waits for the node.\n")


@app.command
def show(*, node: Path, as_json: AsJson = False) -> None:
    """Show whether the cell is in an emergency by its newest block, by whose word, and what members see.

    Example: wattswarm cell emergency show --node ./home-1

    Parameters
    ----------
    node
        The data directory of any node of the cell.
    as_json
        Print one object with the keys interval, by, since, needed, sightings, declarations and priorities.
    """
    view = emergency_view(speaker(node).tip)
    sys.stdout.write(json.dumps(asdict(view)) + "\n" if as_json else _text(view))


def _say(node: Path, *, emergency: bool, for_s: int | None, in_s: int, as_json: bool) -> None:
    text = say_emergency(speaker(node), cell_time_ns(node), emergency=emergency, in_s=in_s, for_s=for_s)
    sys.stdout.write(json.dumps({"said": text}) + "\n" if as_json else f"{text} It waits for the node.\n")


def _text(view: EmergencyView) -> str:
    state = "no emergency" if view.by is None else f"emergency by {view.by}, since interval {view.since}"
    lines = [f"Interval {view.interval}: {state}."]
    lines += [
        f"{each.dso} declares {'an emergency' if each.emergency else 'none'} from interval {each.first} to {each.last}."
        for each in view.declarations
    ]
    lines += [
        f"{each.member} sees {each.seen}, said in interval {each.said_in}"
        + ("." if each.counts else "; does not decide.")
        for each in view.sightings
    ]
    lines += [
        f"{each.member} is served first: {each.critical_w:g} W critical, {each.essential_w:g} W essential."
        for each in view.priorities
    ]
    lines.append(f"{view.needed} of those that decide have to see the grid gone.")
    return "\n".join(lines) + "\n"
