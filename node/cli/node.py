"""Shell: `wattswarm node`: prepare and run the daemon of one device."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from node.cli.notification import add_notification_commands
from node.cli.operation import add_commands
from node.cli.upgrade import add_upgrade_commands
from node.configuration.config_file import config_text
from node.exit_codes import ExitCode
from node.founding.founding import CARD_FILE, CONFIG_FILE, PASSPHRASE_VARIABLE, init_node

app = App(name="node", help="Initialise and run the daemon of one device, and see its alarms.")
app.command(
    "node.cli.alarms:app", name="alarms", help="Alarms of the cell's devices: list and acknowledge them."
)
app.command("node.cli.token:app", name="token", help="Make and revoke tokens for the page and the API.")

"""Environment variable with the passphrase of encrypted keys; without it keys are plain files of mode 0600."""


@app.command
def init(
    directory: Path,
    /,
    *,
    name: str,
    listen: Annotated[tuple[str, ...], Parameter(negative="")] = ("/ip4/127.0.0.1/tcp/9400",),
    address: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    branch: str | None = None,
    max_injection_w: int = 17_250,
    max_withdrawal_w: int = 17_250,
    validator: bool = True,
    joins: bool = False,
) -> None:
    """Make a node's keys, its configuration and the public card for the founder of the cell.

    Example: wattswarm node init ./home-7 --name home-7 --listen /ip4/192.0.2.7/tcp/9400 --branch north

    Keys are encrypted when WATTSWARM_PASSPHRASE is set. Nothing that exists is overwritten.

    Parameters
    ----------
    directory
        Where to keep everything of this node.
    name
        The member's name, unique in the cell.
    listen
        The multiaddress to listen on; given several times, one of each network the node is on.
    address
        Where others reach this node, if not where it listens; may be given several times.
    branch
        The branch of the feeder the member sits on; the root branch if not given.
    max_injection_w
        Most power the member may feed in, W.
    max_withdrawal_w
        Most power the member may draw, W.
    validator
        Whether the member votes on blocks.
    joins
        Join a cell that was founded before: the node waits until the cell has admitted it.
    """
    fields: dict[str, object] = {
        "name": name,
        "branch": branch,
        "max_injection_w": max_injection_w,
        "max_withdrawal_w": max_withdrawal_w,
        "addresses": address or listen,
    }
    card = init_node(directory, fields, validator=validator, passphrase=os.environ.get(PASSPHRASE_VARIABLE))
    table: dict[str, object] = {
        "node": {"name": name, "genesis": "genesis.cbor", **({"joins": True} if joins else {})},
        "network": {
            "listen": listen[0] if len(listen) == 1 else listen,
            "addresses": address or None,
            "members": "members.toml",
        },
        "site": {"ders": []},
    }
    (directory / CONFIG_FILE).write_text(config_text(table), "utf-8")
    sys.stdout.write(
        f"{card.name}: keys, {CONFIG_FILE} and {CARD_FILE} are in {directory}.\n"
        f"Give {directory / CARD_FILE} to the founder of the cell; put the genesis.cbor and members.toml you get back\n"
        f"into {directory}, then: wattswarm node run --config {directory / CONFIG_FILE}\n"
    )


@app.command
def run(*, config: Path) -> None:
    """Run the daemon until SIGINT or SIGTERM.

    Example: wattswarm node run --config ./home-7/node.toml

    Exit status: 0 asked to stop, 2 wrong configuration, 3 the directory is in use, 4 disk full or read-only,
    5 the own ledger or sign guard cannot be trusted, 6 the address cannot be used, 7 the control process keeps failing,
    70 a bug. With 4, 5, 7 and 70 the device is in its safe state.

    Parameters
    ----------
    config
        The node's configuration file.
    """
    from node.daemon.runtime import run_daemon

    code = run_daemon(config, passphrase=os.environ.get(PASSPHRASE_VARIABLE))
    if code is not ExitCode.OK:
        sys.exit(code)


add_commands(app)
add_upgrade_commands(app)
add_notification_commands(app)
