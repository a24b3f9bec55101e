"""Shell: `wattswarm cell limit|meter`: what the dso says in its own node's feed, left for that node."""

import sys
from pathlib import Path

from cyclopts import App

from ledger.records.genesis import Role
from market.errors import MalformedPayload
from market.payloads import BranchReading, Kind, Reading, encode_limit, encode_meter
from market.rules import BranchLimit, CellRules
from market.units import energy_from_kwh
from node.cli.operator import tip_of
from node.errors import InputRefusedError
from node.instructions import Instruction
from node.spool import Spool


def add_commands(app: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    app.command(limit)
    app.command(meter)


def limit(branch: str, kilowatt: str, /, *, node: Path, first: int, last: int) -> None:
    """Limit the power of a branch in both directions for some intervals; where several limits hold, the lowest does.

    Example: wattswarm cell limit north 12.5 --first 29920400 --last 29920440 --node ./grid-1

    Parameters
    ----------
    branch
        The branch's name.
    kilowatt
        The most that may flow, kW.
    node
        The data directory of the dso's node.
    first
        Index of the first interval: unix time divided by the interval.
    last
        Index of the last one, which is included.
    """
    tip = tip_of(node, Role.DSO, "limits")
    index = _branch(tip.state.rules, branch)
    if first <= tip.last_interval + 1:
        raise InputRefusedError(
            f"--first: {first} is too late; the first possible is {tip.last_interval + 2}"
        )
    try:
        payload = encode_limit(BranchLimit(index, first, last, energy_from_kwh(kilowatt)))
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    Spool(node).leave(Instruction(int(Kind.LIMIT), first, payload))
    sys.stdout.write(
        f"{branch}: at most {kilowatt} kW in intervals {first} to {last}. It waits for the node.\n"
    )


def meter(branch: str, contribution: str, consumption: str, /, *, node: Path, interval: int) -> None:
    """Say what the meter of a branch counted in an interval: it is compared with the readings of the members below.

    Missing readings below the branch are estimated from it, and what does not agree is reported with the members it
    may concern. It counts as long as readings of the interval can be corrected.

    Example: wattswarm cell meter north 0 3.25 --interval 29920400 --node ./grid-1

    Parameters
    ----------
    branch
        The branch's name.
    contribution
        What went from the branch towards its parent, kWh.
    consumption
        What went into the branch, kWh.
    node
        The data directory of the dso's node.
    interval
        Index of the interval: unix time divided by the interval.
    """
    tip = tip_of(node, Role.DSO, "branches")
    index = _branch(tip.state.rules, branch)
    try:
        reading = Reading(energy_from_kwh(contribution), energy_from_kwh(consumption))
        payload = encode_meter(BranchReading(index, reading))
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    Spool(node).leave(Instruction(int(Kind.METER), interval, payload))
    sys.stdout.write(
        f"{branch}, interval {interval}: {contribution} kWh out, {consumption} in. It waits for the node.\n"
    )


def _branch(rules: CellRules, name: str) -> int:
    names = [branch.name for branch in rules.branches]
    if name not in names:
        raise InputRefusedError(f"there is no branch {name!r}; the branches are {', '.join(names)}")
    return names.index(name)
