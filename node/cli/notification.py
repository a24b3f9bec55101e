"""Shell: `wattswarm node notify|warnings|acknowledge`: try the channels, see what is open, take a matter on."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from node.configuration.config import load_config
from node.errors import InputRefusedError
from node.exit_codes import ExitCode


def add_notification_commands(app: App) -> None:
    """Give `wattswarm node` the commands of this module."""
    for command in (notify, warnings, acknowledge):
        app.command(command)


def notify(*, config: Path, test: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Check the notification channels of a configuration; with --test send a message over each.

    Example: wattswarm node notify --test --config ./home-7/node.toml

    Exit status 1 when a message could not be handed over.

    Parameters
    ----------
    config
        The node's configuration file.
    test
        Send a test message; without it only the addresses are checked.
    """
    from node.notification.messages import probe_message
    from node.notification.sending import sender_of
    from node.notification.watching import time_zone

    loaded = load_config(config)
    time_zone(loaded)
    if not loaded.notify.channels:
        raise InputRefusedError(
            f"{config}: has no [[notify.channels]]; docs/operation.md shows how to write one"
        )
    sender, failed = sender_of(loaded), False
    for channel in loaded.notify.channels:
        said = "looks right; send a message with --test"
        if test:
            done = sender.send_now(channel.name, probe_message(loaded.node.name))
            said = "handed over" if done else "FAILED; check address, password and network"
            failed = failed or not done
        sys.stdout.write(f"{channel.name}: {said}\n")
    if failed:
        sys.exit(ExitCode.FAILED)


def warnings(
    *, config: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """Show what a running node warns of.

    Example: wattswarm node warnings --config ./home-7/node.toml

    Parameters
    ----------
    config
        The node's configuration file.
    as_json
        Print one JSON object.
    """
    table = _open_warnings(load_config(config).directory)
    if as_json:
        sys.stdout.write(json.dumps(table) + "\n")
        return
    for each in table["open"]:
        mark = ", acknowledged" if each["acknowledged"] else ""
        sys.stdout.write(f"{each['reference']}  {each['severity']}: {each['text']}{mark}\n")
    if not table["open"]:
        sys.stdout.write("nothing is open\n")


def acknowledge(reference: str, /, *, config: Path) -> None:
    """Take a warning on: it is neither repeated nor escalated while it lasts.

    Example: wattswarm node acknowledge 1f3a9c02 --config ./home-7/node.toml

    Parameters
    ----------
    reference
        As the message or `wattswarm node warnings` has it.
    config
        The node's configuration file.
    """
    from node.notification.watching import leave_acknowledged

    directory = load_config(config).directory
    known = [each["reference"] for each in _open_warnings(directory)["open"]]
    if reference not in known:
        raise InputRefusedError(
            f"{reference}: no such warning is open; there are: {', '.join(known) or 'none'}"
        )
    leave_acknowledged(directory, reference)
    sys.stdout.write(f"{reference}: the node takes note within seconds\n")


def _open_warnings(directory: Path) -> dict[str, list[dict[str, Any]]]:
    from node.notification.watching import WARNINGS_FILE

    try:
        table: dict[str, list[dict[str, Any]]] = json.loads((directory / WARNINGS_FILE).read_text("utf-8"))
    except FileNotFoundError:
        raise InputRefusedError(f"{directory / WARNINGS_FILE}: no such file; has the node run?") from None
    return table
