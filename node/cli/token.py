"""Shell: `wattswarm node token`: who may look at a node's page beyond this machine, and who may act."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from market.terminal import table_console
from node.configuration.config import load_config
from node.web.tokens import Role, TokenBook

app = App(name="token", help="Make and revoke tokens for the page and the API.")

AsJson = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def add(
    name: str, /, *, config: Path, role: Role = Role.VIEWER, days: int = 365, as_json: AsJson = False
) -> None:
    """Make a token. It is shown this once and stored as a hash alone.

    Example: wattswarm node token add kitchen-tablet --config ./home-7/node.toml --role owner

    Parameters
    ----------
    name
        What to call it, so that it can be revoked; it stands beside each action in the log.
    config
        The node's configuration file.
    role
        viewer (look), owner (also change what concerns this node) or operator (also what concerns the cell).
    days
        After how many days it expires.
    as_json
        Print one JSON object.
    """
    secret = TokenBook(load_config(config).directory).add(name, role, days)
    if as_json:
        sys.stdout.write(json.dumps({"name": name, "role": role.value, "token": secret}) + "\n")
    else:
        sys.stdout.write(f"{secret}\n")
        sys.stderr.write(f"{name}: a token of role {role.value} for {days} days; it is not shown again.\n")


@app.command(name="list")
def list_(*, config: Path, as_json: AsJson = False) -> None:
    """List the tokens, without their secrets.

    Example: wattswarm node token list --config ./home-7/node.toml

    Parameters
    ----------
    config
        The node's configuration file.
    as_json
        Print one JSON object per token.
    """
    tokens = TokenBook(load_config(config).directory).tokens()
    if as_json:
        for token in tokens:
            row = {"name": token.name, "role": token.role.value, "expires": _time(token.expires_s)}
            sys.stdout.write(json.dumps(row) + "\n")
        return
    table = Table()
    for heading in ("name", "role", "made", "expires"):
        table.add_column(heading)
    for token in tokens:
        table.add_row(token.name, token.role.value, _time(token.created_s), _time(token.expires_s))
    table_console().print(table)


@app.command
def revoke(name: str, /, *, config: Path) -> None:
    """Forget a token: within a second nobody can use it, and its sessions end.

    Example: wattswarm node token revoke kitchen-tablet --config ./home-7/node.toml

    Parameters
    ----------
    name
        The token's name.
    config
        The node's configuration file.
    """
    gone = TokenBook(load_config(config).directory).revoke(name)
    sys.stdout.write(f"{gone.name}: revoked\n")


def _time(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"
