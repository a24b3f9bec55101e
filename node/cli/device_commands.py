"""Shell: `wattswarm devices release|stop|standby|resume|rights`: commands to devices and who may use them.

They are left for the node on this machine, whose member says them in its feed; the node of the devices enforces them.
"""

import sys
from pathlib import Path
from typing import Literal

from cyclopts import App

from market.administration.payloads import Action, DeviceCommand, device_key
from node.configuration.config import load_config
from node.errors import InputRefusedError
from node.founding.founding import CONFIG_FILE
from node.saying.devices import say_command, say_rights
from node.saying.speaking import Speaker, cell_time_ns, speaker
from node.views.ledger_view import find_member


def add_commands(app: App) -> None:
    """Give `wattswarm devices` the commands of this module."""
    for command in (release, stop, standby, resume, rights):
        app.command(command)


def release(circuit: str, /, *, node: Path, member: str | None = None) -> None:
    """Connect a circuit again that a fault has disconnected; control refuses while the fault is there.

    Example: wattswarm devices release kitchen --node ./home-1

    Parameters
    ----------
    circuit
        The circuit's name in the configuration of the node that it belongs to.
    node
        The data directory of the node that speaks: the owner's, or an operator's that may use the circuit.
    member
        Whose circuit it is; none: the speaking node's own.
    """
    said = speaker(node)
    owner = _owner(said, member, circuit)
    _command(said, DeviceCommand(Action.RELEASE, owner, device_key(owner, circuit)), circuit)


def stop(*, node: Path, member: str | None = None, everybody: bool = False) -> None:
    """Emergency stop: batteries rest and generation is curtailed to nothing, until `wattswarm devices resume`.

    Example: wattswarm devices stop --everybody --node ./home-1

    Parameters
    ----------
    node
        The data directory of the node that speaks; for others than its own devices it must be an operator's.
    member
        Whose devices; none: the speaking node's own.
    everybody
        All members' devices.
    """
    _change(Action.STOP, node, member, everybody)


def standby(*, node: Path, member: str | None = None, everybody: bool = False) -> None:
    """Let batteries rest; generation goes on within the limits.

    Example: wattswarm devices standby --node ./home-1

    Parameters
    ----------
    node
        The data directory of the node that speaks; for others than its own devices it must be an operator's.
    member
        Whose devices; none: the speaking node's own.
    everybody
        All members' devices.
    """
    _change(Action.STAND_BY, node, member, everybody)


def resume(*, node: Path, member: str | None = None, everybody: bool = False) -> None:
    """End an emergency stop or standby; an operator cannot end what the owner itself has ordered.

    Example: wattswarm devices resume --everybody --node ./home-1

    Parameters
    ----------
    node
        The data directory of the node that speaks; for others than its own devices it must be an operator's.
    member
        Whose devices; none: the speaking node's own.
    everybody
        All members' devices.
    """
    _change(Action.RESUME, node, member, everybody)


def rights(
    device: str,
    /,
    *,
    node: Path,
    member: str | None = None,
    priority: Literal["critical", "essential", "normal", "deferrable"] | None = None,
    operator: bool | None = None,
    dso: bool | None = None,
) -> None:
    """Set the priority of a device and who besides its owner may use it.

    Example: wattswarm devices rights battery --no-dso --node ./home-1

    Parameters
    ----------
    device
        The device's name in the configuration of the node that it belongs to.
    node
        The data directory of the node that speaks.
    member
        Whose device it is; none: the speaking node's own.
    priority
        The tier of its load; operator and dso may set it while they may use the device.
    operator
        Whether the operator may release it and set its priority; only the owner says so.
    dso
        Whether services of the dso may use it; only the owner says so.
    """
    said = speaker(node)
    owner = _owner(said, member, device)
    left = say_rights(said, device, owner, cell_time_ns(node), priority=priority, operator=operator, dso=dso)
    sys.stdout.write(f"{left} it waits for the node.\n")


def _owner(said: Speaker, member: str | None, device: str) -> bytes:
    """Whose device it is; one of the speaking node's own must be in its configuration."""
    if member is not None and (whose := find_member(said.tip.membership, member)).id != said.member.id:
        return whose.id
    names = [str(table.get("name", "")) for table in load_config(said.directory / CONFIG_FILE).site.ders]
    if device not in names:
        known = f"it has {', '.join(names)}" if names else "it has none"
        raise InputRefusedError(f"{device}: no device of this node; {known}")
    return said.member.id


def _change(action: Action, node: Path, member: str | None, everybody: bool) -> None:
    said = speaker(node)
    if everybody and member is not None:
        raise InputRefusedError("--everybody and --member contradict each other")
    if everybody:
        _command(said, DeviceCommand(action, None), "everybody")
        return
    whose = said.member if member is None else find_member(said.tip.membership, member)
    _command(said, DeviceCommand(action, whose.id), whose.name.decode())


def _command(said: Speaker, command: DeviceCommand, what: str) -> None:
    left = say_command(said, command, what, cell_time_ns(said.directory))
    sys.stdout.write(f"{left} It waits for the node.\n")
