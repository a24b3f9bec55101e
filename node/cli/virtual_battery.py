"""Shell: `wattswarm cell battery join|leave|lead|show`: members of a cell that trade as one, and who bids for them."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from market.units import MW_PER_W
from node.errors import InputRefusedError
from node.saying.speaking import Speaker, speaker
from node.saying.virtual_battery import aggregate, delegate
from node.views.ledger_view import tip_of
from node.views.virtual_battery_view import OpenWord, VirtualBattery, VirtualBatteryView, virtual_battery_view

AsJson = Annotated[bool, Parameter(name="--json", negative="")]

app = App(
    name="battery", help="Join members of one branch to a virtual battery that trades as one, or show them."
)


def add_commands(parent: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    parent.command(app)


@app.command
def join(aggregator: str, /, *, node: Path, as_json: AsJson = False) -> None:
    """Have another member, the aggregator, bid for this one from the auction of the next block on.

    It holds once the aggregator names this member with `lead`, and as long as both want it. An aggregator that was
    named before no longer is. The member has no orders of its own then, gets or pays the price of the branch for what
    its meter shows, and keeps its reserve.

    Example: wattswarm cell battery join server-b --node ./server-a

    Parameters
    ----------
    aggregator
        The aggregator's name, or the start of its id; a member on the same branch.
    node
        The data directory of the node of the member that joins.
    as_json
        Print one object with the key said.
    """
    _say(node, lambda said: delegate(said, aggregator), as_json=as_json)


@app.command
def leave(*, node: Path, as_json: AsJson = False) -> None:
    """Have this member bid for itself again from the auction of the next block on.

    Example: wattswarm cell battery leave --node ./server-a

    Parameters
    ----------
    node
        The data directory of the node of the member that leaves.
    as_json
        Print one object with the key said.
    """
    _say(node, lambda said: delegate(said, None), as_json=as_json)


@app.command
def lead(
    *members: str,
    node: Path,
    nobody: Annotated[bool, Parameter(negative="")] = False,
    as_json: AsJson = False,
) -> None:
    """Bid as aggregator for these members and for nobody else: who was named before and is not now is let go.

    It holds for each member that names this one with `join`, from the auction of the next block on. Services are armed
    by the aggregator for all, and the imbalance of all is its own.

    Example: wattswarm cell battery lead server-a server-c --node ./server-b

    Example: wattswarm cell battery lead --nobody --node ./server-b

    Parameters
    ----------
    members
        All of them, 24 at most, by name or by the start of the id; members on the same branch.
    node
        The data directory of the aggregator's node.
    nobody
        Name nobody: each of them bids for itself again.
    as_json
        Print one object with the key said.
    """
    if nobody and members:
        raise InputRefusedError(f"--nobody: contradicts {' '.join(members)}; give one or the other")
    if not nobody and not members:
        raise InputRefusedError("name all members that this one is to bid for, or end it with --nobody")
    _say(node, lambda said: aggregate(said, members), as_json=as_json)


@app.command
def show(directory: Path, /, *, as_json: AsJson = False) -> None:
    """Show the virtual batteries of a cell by its newest block, and who still has to say so of whom.

    Example: wattswarm cell battery show ./server-b

    Parameters
    ----------
    directory
        The data directory of any node of the cell, or of a testnet.
    as_json
        Print one object with the keys interval, virtual_batteries and waiting.
    """
    view = virtual_battery_view(tip_of(directory))
    sys.stdout.write(json.dumps(asdict(view)) + "\n" if as_json else _text(view))


def _say(node: Path, say: Callable[[Speaker], str], *, as_json: bool) -> None:
    text = say(speaker(node))
    sys.stdout.write(json.dumps({"said": text}) + "\n" if as_json else f"{text} It waits for the node.\n")


def _text(view: VirtualBatteryView) -> str:
    lines = [f"From the auction of interval {view.interval} on:"] if view.virtual_batteries else []
    for each in view.virtual_batteries:
        lines += _battery_lines(each)
    if not view.virtual_batteries:
        lines.append(f"From the auction of interval {view.interval} on everybody bids for itself.")
    lines += [_waiting_line(each, _led(view, each.aggregator)) for each in view.waiting]
    return "\n".join(lines) + "\n"


def _battery_lines(battery: VirtualBattery) -> list[str]:
    injects, withdraws = battery.max_injection_mw / MW_PER_W, battery.max_withdrawal_mw / MW_PER_W
    lines = [
        f"{battery.aggregator} bids for {len(battery.members) + 1} members on {battery.branch},"
        f" which together inject {injects:g} W and withdraw {withdraws:g} W at most."
    ]
    for each in battery.members:
        through = "" if each.aggregator == battery.aggregator else f", through {each.aggregator}"
        lines.append(f"  {each.member}: agreed by both{through}")
    return lines


def _led(view: VirtualBatteryView, aggregator: str) -> set[str]:
    """All members that an aggregator has named."""
    agreed = {
        (each.member, each.aggregator) for battery in view.virtual_batteries for each in battery.members
    }
    waiting = {(each.member, each.aggregator) for each in view.waiting if "aggregation" in each.said}
    return {member for member, to in agreed | waiting if to == aggregator}


def _waiting_line(word: OpenWord, led: set[str]) -> str:
    """Whose word has no effect, why, and who has to say what; an aggregator names again whom it has `led` so far."""
    asked = (
        f"{word.member} names {word.aggregator} as its aggregator"
        if "delegation" in word.said
        else f"{word.aggregator} names {word.member}"
    )
    if word.waits_for is None:
        return f"Without effect: {asked}, but {word.why}."
    if word.waits_for == word.member:
        remedy = f"join {word.aggregator}"
    else:
        remedy = f"lead {' '.join(sorted(led | {word.member}))}"
    return f"Waiting: {asked}, but {word.why}; {word.waits_for} says: wattswarm cell battery {remedy}"
