"""Shell: the commands of `wattswarm node` for a node in operation: doctor."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from node.exit_codes import ExitCode
from node.operation.doctor import Level, findings_json, worst
from node.operation.examination import examine

PASSPHRASE_VARIABLE = "WATTSWARM_PASSPHRASE"
MARKS = {Level.GOOD: "good   ", Level.WARNING: "warning", Level.PROBLEM: "PROBLEM"}


def add_commands(app: App) -> None:
    """Give `wattswarm node` the commands of this module."""
    app.command(doctor)


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
