"""Shell: `wattswarm cell add|remove|rotate|readmit|status`: who belongs to a running cell."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from ledger.chain.chain import Tip
from ledger.membership.members import Membership
from ledger.records.changes import Change
from market.cell_state import CellState
from market.terminal import table_console
from node.errors import InputRefusedError
from node.founding.founding import MEMBERS_FILE, PASSPHRASE_VARIABLE
from node.founding.member_card import read_card
from node.saying.announcing import Announced, admission_of, announce, readmission_of, removal_of, rotation_of
from node.saying.members import add_addresses, announced_lines
from node.views.membership_view import change_text, read_status, status_json

SHORT = 16


def add_commands(app: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    for command in (add, remove, rotate, readmit, status):
        app.command(command)


def add(card: Path, /, *, cell: Path, node: Path, credit: int = 100) -> None:
    """Admit a member to a running cell, from two blocks after the one that takes the change.

    The change is signed with operator.key of the cell's directory and left with a node, which says it in its feed
    when it runs. The new member makes its card with `wattswarm node init --joins`.

    Example: wattswarm cell add ./home-9/member.toml --cell ./cell --node ./home-1

    Parameters
    ----------
    card
        The member.toml of the new member, which `wattswarm node init` writes; a validator if it has a consensus key.
    cell
        The cell's directory, as `wattswarm cell init` wrote it, with genesis.cbor and operator.key.
    node
        The data directory of a node on this machine that carries the change; any member's will do.
    credit
        How far the member's account may go below zero, in whole currency units.
    """
    owner = read_card(card)
    announced = _announce(cell, node, lambda tip, _: admission_of(owner, tip, credit))
    add_addresses(cell / MEMBERS_FILE, owner)
    _tell(announced, f"Give genesis.cbor and {cell / MEMBERS_FILE} to the new member.")


def remove(member: str, /, *, cell: Path, node: Path) -> None:
    """Remove a member from a running cell: it is no longer heard and no node connects to it.

    Its open positions go to the supplier; its account stays, and the operator may still pay it out.

    Example: wattswarm cell remove home-3 --cell ./cell --node ./home-1

    Parameters
    ----------
    member
        The member's name, or the start of its id.
    cell
        The cell's directory with genesis.cbor and operator.key.
    node
        The data directory of a node on this machine that carries the change.
    """
    _tell(_announce(cell, node, lambda _, expected: removal_of(member, expected)), "")


def rotate(
    member: str,
    card: Path,
    /,
    *,
    cell: Path,
    node: Path,
    feed: bool = True,
    consensus: bool = True,
) -> None:
    """Give a member new keys; it stays who it is, with its account. The old keys are void from then on.

    The owner makes the new keys with `wattswarm node init` in a new directory and hands out its member.toml. When
    the change holds, the owner stops the node, puts identity.key and consensus.key from there in place of its own,
    and starts it again.

    Example: wattswarm cell rotate home-3 ./new-keys/member.toml --cell ./cell --node ./home-1

    Parameters
    ----------
    member
        The member's name, or the start of its id.
    card
        The card with the new keys; of the rest of it nothing counts.
    cell
        The cell's directory with genesis.cbor and operator.key.
    node
        The data directory of a node on this machine that carries the change.
    feed
        Change the feed key, which is also the network identity.
    consensus
        Change the consensus key, of a validator.
    """
    owner = read_card(card)

    def make(_: Tip[CellState], expected: Membership) -> Change:
        return rotation_of(member, owner, expected, feed=feed, consensus=consensus)

    _tell(_announce(cell, node, make), "Change the keys in the node's directory when the change holds.")


def readmit(member: str, card: Path | None = None, /, *, cell: Path, node: Path) -> None:
    """Let a member that lost its memory begin again: the next incarnation of its feed, for a validator with a new key.

    Example: wattswarm cell readmit home-3 ./new-keys/member.toml --cell ./cell --node ./home-1

    Parameters
    ----------
    member
        The member's name, or the start of its id.
    card
        A card with the new consensus key; needed for a validator. Its feed key does not count.
    cell
        The cell's directory with genesis.cbor and operator.key.
    node
        The data directory of a node on this machine that carries the change.
    """
    owner = None if card is None else read_card(card)
    _tell(_announce(cell, node, lambda _, expected: readmission_of(member, owner, expected)), "")


def status(
    directory: Path,
    /,
    *,
    last: int = 32,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show who belongs to a cell, what is about to change, and which validators miss commits, from a ledger.

    A validator is flagged when it is missing from more than half of the last certificates.

    Example: wattswarm cell status ./home-1

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node is read.
    last
        How many of the last blocks to look at for missing signatures.
    as_json
        Print the status as one JSON object.
    """
    if last < 1:
        raise InputRefusedError(f"--last: look at at least one block, not {last}")
    found = read_status(directory, last)
    if as_json:
        sys.stdout.write(json.dumps(status_json(found)) + "\n")
        return
    table = Table()
    for heading in ("member", "id", "roles", "incarnation", "commits signed", "remark"):
        table.add_column(heading)
    view = status_json(found)
    members = view["members"]
    assert isinstance(members, list)
    for row in members:
        signed = "" if row["commits"] is None else f"{row['commits_signed']} of {row['commits']}"
        remarks = [f"frozen at {row['frozen_at']}"] if row["frozen_at"] is not None else []
        remarks += ["misses commits"] if row["misses_commits"] else []
        roles = ", ".join(row["roles"])
        table.add_row(
            row["name"], row["id"][:SHORT], roles, str(row["incarnation"]), signed, "; ".join(remarks)
        )
    console = table_console()
    console.print(f"cell {found.genesis.cell_id.hex()[:SHORT]}, after block {found.height}", highlight=False)
    console.print(table)
    for pending in found.membership.pending:
        text = change_text(pending.numbered.change, found.membership)
        console.print(
            f"change {pending.numbered.number}, from block {pending.height} on: {text}", highlight=False
        )
    for member in found.membership.departed:
        console.print(f"{member.name.decode()} left at block {member.left_at}", highlight=False)


def _announce(cell: Path, node: Path, make: Callable[[Tip[CellState], Membership], Change]) -> Announced:
    return announce(cell, node, os.environ.get(PASSPHRASE_VARIABLE), make)


def _tell(announced: Announced, more: str) -> None:
    lines = announced_lines(announced)
    sys.stdout.write("\n".join([*lines, *([more] if more else [])]) + "\n")
