"""Shell: commands to devices and rights on them, left for the node to say; the node of the devices enforces them."""

from ledger.records.genesis import Role
from market.administration.payloads import (
    ALL_RIGHTS,
    DeviceCommand,
    DeviceRights,
    Right,
    device_key,
    encode_command,
    encode_rights,
)
from market.payloads import Kind
from node.errors import InputRefusedError
from node.saying.speaking import Speaker

PRIORITIES = ("critical", "essential", "normal", "deferrable")


def say_rights(
    said: Speaker,
    device: str,
    owner: bytes,
    cell_ns: int,
    *,
    priority: str | None = None,
    operator: bool | None = None,
    dso: bool | None = None,
) -> str:
    """Set the priority of a device and who besides its owner may use it; what was left, in words.

    What is None stays as it is. Raises `InputRefusedError` or OSError.
    """
    key = device_key(owner, device)
    book = said.tip.state.administration
    granted: Right | None = None
    if operator is not None or dso is not None:
        granted = book.access_to(owner, key).rights
        for right, wanted in ((Right.OPERATOR, operator), (Right.DSO, dso)):
            if wanted is not None:
                granted = granted | right if wanted else granted & (ALL_RIGHTS ^ right)
    if priority is None and granted is None:
        raise InputRefusedError("name what is to change: --priority, --operator or --dso")
    place = None if priority is None else PRIORITIES.index(priority)
    change = DeviceRights(owner, key, place, granted)
    if not book.may_set(said.member.id, Role(said.member.roles), change):
        raise InputRefusedError(
            f"{device}: {said.member.name.decode()} may not say this of it; its owner may"
        )
    said.leave(Kind.DEVICE_RIGHTS, cell_ns, encode_rights(change))
    return f"{device}:"


def say_command(said: Speaker, command: DeviceCommand, what: str, cell_ns: int) -> str:
    """Give a command to `what`; what was left, in words. Raises `InputRefusedError` or OSError."""
    if not said.tip.state.administration.may_command(said.member.id, Role(said.member.roles), command):
        name = said.member.name.decode()
        raise InputRefusedError(f"{name} may not give this command; the owner or an operator may")
    # The interval of a command is free: here it makes two equal commands two.
    said.leave(Kind.DEVICE_COMMAND, cell_ns, encode_command(command))
    action = command.action.name.lower().replace("_", " ")
    return f"{action}: {what}."
