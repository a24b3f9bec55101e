"""Shell: `wattswarm node alarms`: the alarms in a node's ledger, and their acknowledgement."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from market.administration.payloads import device_key
from market.terminal import table_console
from market.units import NS_PER_S
from node.alarms.alarm_log import LedgerAlarm
from node.alarms.alarm_view import read_alarms
from node.configuration.config import load_config
from node.errors import ConfigError, InputRefusedError
from node.founding.founding import CONFIG_FILE
from node.saying.acknowledgements import say_seen
from node.saying.speaking import speaker

SHORT = 12

app = App(name="alarms", help="Alarms of the cell's devices: list and acknowledge them.")


@app.command(name="list")
def list_(
    directory: Path,
    /,
    *,
    all: bool = False,  # noqa: A002 - the option's name
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show the alarms that stand or that nobody has acknowledged, from a node's ledger.

    A running node may be read. Devices are named where they are the node's own.

    Example: wattswarm node alarms list ./home-1

    Parameters
    ----------
    directory
        A node's data directory, or a testnet's, of which the first node is read.
    all
        Show those, too, that are over and acknowledged.
    as_json
        Print one JSON array.
    """
    alarms = [alarm for alarm in read_alarms(directory) if all or alarm.open]
    names = _device_names(directory, {alarm.member for alarm in alarms})
    if as_json:
        sys.stdout.write(json.dumps([_row(alarm, names) for alarm in alarms]) + "\n")
        return
    table = Table()
    for heading in ("id", "member", "severity", "alarm", "device", "raised", "cleared", "acknowledged by"):
        table.add_column(heading)
    for alarm in alarms:
        row = _row(alarm, names)
        cleared = "" if alarm.cleared_ns is None else _time(alarm.cleared_ns)
        table.add_row(
            alarm.id.hex()[:SHORT],
            alarm.member_name,
            str(row["severity"]),
            alarm.name,
            str(row["device"] or ""),
            _time(alarm.raised_ns),
            "momentary" if alarm.momentary else cleared,
            alarm.acknowledged_by or "",
        )
    table_console().print(table)


@app.command
def acknowledge(alarm: str, /, *, node: Path) -> None:
    """Say in this node's feed that somebody has seen an alarm: one of its own, or as operator or dso any.

    Example: wattswarm node alarms acknowledge 5f0c2a91be77 --node ./home-1

    Parameters
    ----------
    alarm
        The alarm's id, or its beginning, as `wattswarm node alarms list` shows it.
    node
        The data directory of the node that speaks.
    """
    said = speaker(node)
    found = [each for each in read_alarms(node) if each.id.hex().startswith(alarm)]
    if len(found) != 1 or not alarm:
        what = "no alarm begins" if not found else f"{len(found)} alarms begin"
        raise InputRefusedError(f"{what} with {alarm!r}; see `wattswarm node alarms list {node} --all`")
    sys.stdout.write(f"{say_seen(said, found[0])} It waits for the node.\n")


def _device_names(directory: Path, members: set[bytes]) -> dict[bytes, str]:
    """The names of the node's own devices by key; of a directory without a configuration none."""
    try:
        ders = load_config(directory / CONFIG_FILE).site.ders
    except ConfigError:
        return {}
    names = [str(table.get("name", "")) for table in ders]
    return {device_key(member, name): name for member in members for name in names}


def _row(alarm: LedgerAlarm, names: dict[bytes, str]) -> dict[str, object]:
    device = None if alarm.device is None else names.get(alarm.device, alarm.device.hex()[:SHORT])
    return {
        "id": alarm.id.hex(),
        "member": alarm.member_name,
        "severity": alarm.urgency.name.lower(),
        "alarm": alarm.name,
        "device": device,
        "raised_ns": alarm.raised_ns,
        "momentary": alarm.momentary,
        "cleared_ns": alarm.cleared_ns,
        "acknowledged_ns": alarm.acknowledged_ns,
        "acknowledged_by": alarm.acknowledged_by,
    }


def _time(cell_ns: int) -> str:
    return datetime.fromtimestamp(cell_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
