"""Shell: `wattswarm node supervise|upgrade`: run a node so that it can be upgraded, and upgrade it."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from node.configuration.config import load_config
from node.exit_codes import ExitCode


def add_upgrade_commands(app: App) -> None:
    """Give `wattswarm node` the commands of this module."""
    for command in (supervise, upgrade):
        app.command(command)


def supervise(*, config: Path) -> None:
    """Run the daemon of the release that is current, and upgrade it when `node upgrade` asks for it.

    Example: wattswarm node supervise --config ./home-7/node.toml

    It ends with the daemon, with its exit status, and stops it on SIGINT and SIGTERM.

    Parameters
    ----------
    config
        The node's configuration file.
    """
    from node.logs import open_log
    from node.upgrade.supervisor import Supervisor

    loaded = load_config(config)
    sys.exit(Supervisor(loaded, open_log(loaded.node.name)).run())


def upgrade(
    file: Path, /, *, config: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """Upgrade a running node to a release, if its signatures hold; give it up by itself if it is no good.

    Example: wattswarm node upgrade wattswarm-0.2.0.release --config ./home-7/node.toml

    The release is installed beside the one that runs, started on trial, and kept when it stays healthy; otherwise the
    one before it is started again. The control process holds the devices all the time. Exit status 0 when the release
    is kept, 1 when it was refused or given up.

    Parameters
    ----------
    file
        A release file.
    config
        The node's configuration file, whose upgrade.root pins the keys.
    as_json
        Print one JSON object.
    """
    from node.upgrade.upgrading import upgrade as run_upgrade

    outcome = run_upgrade(load_config(config), file, _quiet if as_json else _say)
    if as_json:
        table = {
            "version": outcome.version,
            "kept": outcome.kept,
            "runs": outcome.runs,
            "reason": outcome.reason,
        }
        sys.stdout.write(json.dumps(table) + "\n")
    elif outcome.kept:
        _say(f"release {outcome.version} runs")
    else:
        runs = "the installation's own release" if outcome.runs is None else f"release {outcome.runs}"
        _say(f"release {outcome.version} was given up: {outcome.reason}; {runs} runs")
    if not outcome.kept:
        sys.exit(ExitCode.FAILED)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _quiet(_: str) -> None:
    """With --json only the outcome is printed."""
