"""Shell: `wattswarm devices replay`: decides the cycles of a dispatch log again."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from devices.cell_clock import Instant
from devices.process.dispatch_log import replay
from market.units import NS_PER_S
from node.exit_codes import ExitCode


def replay_log(
    log: Path, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> None:
    """Decide every cycle of a dispatch log again: the same inputs must give the same commands.

    Exit status 1 when a cycle comes out otherwise, or when a line is none of a dispatch log.

    Example: wattswarm devices replay ./home-7/dispatch.jsonl

    Parameters
    ----------
    log
        The file that `site.dispatch_log` names.
    as_json
        Print the result as one JSON object.
    """
    seen = replay(log)
    same = seen.different is None
    if as_json:
        sys.stdout.write(json.dumps({"same": same, **asdict(seen)}) + "\n")
    elif seen.first is None or seen.last is None:
        sys.stdout.write(f"{log}: no cycle in it\n")
    else:
        text = f"{log}: {seen.cycles} cycles from {_time(seen.first)} to {_time(seen.last)}"
        text += f", {seen.left_out} left out when it was written" if seen.left_out else ""
        sys.stdout.write(f"{text}\n")
        if seen.different is None:
            sys.stdout.write("every decision comes out as it was recorded\n")
        else:
            line, time = seen.different
            sys.stdout.write(f"line {line}, {_time(time)}: the decision comes out otherwise\n")
    if not same:
        sys.exit(ExitCode.FAILED)


def _time(instant: Instant) -> str:
    """Cell time, UTC."""
    moment = datetime.fromtimestamp(instant.cell_ns / NS_PER_S, UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
