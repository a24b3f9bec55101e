"""Shell: `wattswarm cell versions|protocol`: which version of the protocol a cell speaks, and a switch to another."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from ledger.membership.members import Membership
from ledger.membership.protocol import Switch
from ledger.membership.switching import is_enough, support
from ledger.records.genesis import Role
from market.terminal import table_console
from node.founding.founding import PASSPHRASE_VARIABLE
from node.saying.versions import REASONS, say_switch
from node.views.protocol_view import CellVersions, read_versions, versions_json


def add_commands(app: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    for command in (versions, protocol):
        app.command(command)


def versions(
    directory: Path, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """Show the protocol's version that a cell speaks, what is to come, and which versions each member's program knows.

    All of it is agreed; which release each member runs is another matter (`wattswarm node versions`).

    Example: wattswarm cell versions ./home-1

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node is read.
    as_json
        Print one JSON object.
    """
    found = read_versions(directory)
    if as_json:
        sys.stdout.write(json.dumps(versions_json(found)) + "\n")
        return
    table = Table()
    for heading in ("member", "validator", "knows protocol"):
        table.add_column(heading)
    for member in found.membership.members:
        knows = ", ".join(map(str, found.membership.protocol.known_to(member.id)))
        table.add_row(member.name.decode(), "yes" if member.roles & Role.VALIDATOR else "", knows)
    console = table_console()
    for line in _lines(found):
        console.print(line, highlight=False)
    console.print(table)


def protocol(*, version: int, height: int, cell: Path, node: Path) -> None:
    """Propose that the cell goes on to another version of the protocol from the block at a height on.

    The block two heights before judges it: more than two thirds of the validators of that height must have announced
    that their programs know the version, else it is refused, and `wattswarm cell versions` shows why. Nodes announce by
    themselves. A node whose program lacks the version stops before that height, and goes on when it was upgraded.
    Leave people time; a later proposal takes the place of an open one.

    Example: wattswarm cell protocol --version 2 --height 4800 --cell ./cell --node ./home-1

    Parameters
    ----------
    version
        The version to go on to.
    height
        The first block under it.
    cell
        The cell's directory with genesis.cbor and operator.key.
    node
        The data directory of a node on this machine that carries the change.
    """
    lines = say_switch(cell, node, os.environ.get(PASSPHRASE_VARIABLE), version, height)
    sys.stdout.write("\n".join(lines) + "\n")


def _lines(found: CellVersions) -> list[str]:
    """What holds, what is to come and what was refused, in words."""
    state = found.membership.protocol
    lines = [f"cell {found.genesis.cell_id.hex()[:16]}, after block {found.height}: protocol {state.version}"]
    if state.proposed is not None:
        lines.append(f"proposed: {_text(state.proposed)}; {_known_by(found.membership, state.proposed)}")
    if state.agreed is not None:
        lines.append(f"agreed: {_text(state.agreed)}")
    if state.refused is not None:
        refused = state.refused
        lines.append(
            f"refused by block {refused.at}: {_text(refused.switch)}: {REASONS[refused.reason]}"
            f" ({refused.supporters} of {refused.validators})"
        )
    return lines


def _text(switch: Switch) -> str:
    return f"protocol {switch.version} from block {switch.height} on (change {switch.number})"


def _known_by(membership: Membership, switch: Switch) -> str:
    supporters, validators = support(membership, switch.version)
    enough = "enough" if is_enough(supporters, validators) else "not enough yet"
    return f"{supporters} of {validators} validators know it, {enough}"
