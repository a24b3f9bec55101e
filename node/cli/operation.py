"""Shell: the commands of `wattswarm node` for a node in operation: doctor, backup, restore, versions."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from node.configuration.config import load_config
from node.errors import InputRefusedError
from node.exit_codes import ExitCode
from node.founding.founding import PASSPHRASE_VARIABLE
from node.operation.backup import Manifest, back_up
from node.operation.backup import restore as put_back
from node.operation.doctor import Level, findings_json, worst
from node.operation.examination import examine
from node.operation.telling_versions import VERSIONS_FILE

MARKS = {Level.GOOD: "good   ", Level.WARNING: "warning", Level.PROBLEM: "PROBLEM"}


def add_commands(app: App) -> None:
    """Give `wattswarm node` the commands of this module."""
    for command in (doctor, backup, restore, versions):
        app.command(command)


def doctor(*, config: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Check clock, disk, network, keys and devices of a node, and say what to do.

    Example: wattswarm node doctor --config ./home-7/node.toml

    It changes nothing and may run while the daemon runs. Exit status 1 when something is a problem.

    Parameters
    ----------
    config
        The node's configuration file.
    as_json
        Print one JSON object.
    """
    findings = examine(config, os.environ.get(PASSPHRASE_VARIABLE))
    if as_json:
        sys.stdout.write(json.dumps(findings_json(findings)) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{MARKS[finding.level]}  {finding.check}: {finding.text}\n")
            if finding.remedy:
                sys.stdout.write(f"           do: {finding.remedy}\n")
    if worst(findings) is Level.PROBLEM:
        sys.exit(ExitCode.FAILED)


def backup(
    target: Path, /, *, config: Path, keys: Annotated[bool, Parameter(negative="--no-keys")] = True
) -> None:
    """Copy a node into one file, while it runs or not: configuration, keys, ledger, and never what was signed last.

    Example: wattswarm node backup ./home-7.backup --config ./home-7/node.toml

    Keep the file where you would keep the keys.

    Parameters
    ----------
    target
        The file to write, which must not exist; its mode is 0600.
    config
        The node's configuration file.
    keys
        With the keys; without them they must be kept elsewhere.
    """
    done = back_up(load_config(config), target, keys=keys)
    for path in done.elsewhere:
        sys.stderr.write(f"wattswarm: {path} is not in the backup: it is not below {config.parent}\n")
    for name in done.open_keys:
        sys.stderr.write(f"wattswarm: {name} in the backup is not encrypted; keep the file accordingly\n")
    sys.stdout.write(f"{target}: {_said(done.manifest)}\n")


def restore(source: Path, directory: Path, /) -> None:
    """Put a backup back into a new directory. The node then only reads until its cell has readmitted it.

    Example: wattswarm node restore ./home-7.backup ./home-7

    A backup has forgotten what was signed after it was taken, so the node must not sign: see the guard in
    docs/operating.md. Never start it while the old node runs anywhere.

    Parameters
    ----------
    source
        A file that `wattswarm node backup` wrote.
    directory
        A directory that is new or empty.
    """
    manifest = put_back(source, directory)
    name = manifest.node
    sys.stdout.write(f"{directory}: {_said(manifest)}\n")
    if not manifest.keys:
        sys.stdout.write(f"The keys are not in it: put them into {directory / manifest.data_dir}.\n")
    sys.stdout.write(
        f"Its sign guard is not in it, so it only reads until the cell has readmitted it:\n"
        f"  1. wattswarm node run --config {directory / manifest.configuration}\n"
        f"  2. a new consensus key, if it votes: wattswarm node init {name}-new --name {name}\n"
        f"  3. the founder: wattswarm cell readmit {name} {name}-new/member.toml --cell CELL --node NODE\n"
        f"  4. when `wattswarm cell status {directory / manifest.data_dir}` shows it, put the new consensus.key there"
        " and start it again\n"
    )


def versions(
    directory: Path, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """Show which version each member says that it runs, as a node has heard it.

    Example: wattswarm node versions ./home-7

    Parameters
    ----------
    directory
        The node's data directory.
    as_json
        Print one JSON object.
    """
    try:
        text = (directory / VERSIONS_FILE).read_text("utf-8")
    except FileNotFoundError:
        raise InputRefusedError(f"{directory / VERSIONS_FILE}: no such file; has the node run?") from None
    table = json.loads(text)
    if as_json:
        sys.stdout.write(json.dumps(table) + "\n")
        return
    for name, said in table.items():
        protocols = ", ".join(map(str, said["protocols"]))
        sys.stdout.write(f"{name}  {said['version']}  protocol {protocols}\n")


def _said(manifest: Manifest) -> str:
    return (
        f"{manifest.node} of cell {manifest.cell[:16]} up to block {manifest.height}, {len(manifest.files)} files,"
        f" {'with' if manifest.keys else 'without'} keys"
    )
