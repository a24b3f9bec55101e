"""The agreed state of administration: rights on devices, and the commands in force. Immutable.

Who may say what:

| what                    | owner        | operator                         | dso                       |
| ----------------------- | ------------ | -------------------------------- | ------------------------- |
| rights on a device      | yes          | no                               | no                        |
| priority of a device    | yes          | while it has the right on it     | while it has the right    |
| release of a circuit    | yes          | while it has the right on it     | no                        |
| emergency stop          | yes          | yes, whatever the rights         | no                        |
| stand by                | yes          | yes                              | no                        |
| resume                  | yes          | unless the owner itself stopped  | no                        |
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.encoding import Value, encode
from ledger.errors import Malformed
from ledger.limits import ID_BYTES
from ledger.records.genesis import Role
from market.administration.payloads import (
    ALL_RIGHTS,
    DEVICE_KEY_BYTES,
    MOST_TIERS,
    Action,
    DeviceCommand,
    DeviceRights,
    Right,
)

LEAF_KEY: Final = b"administration/"
MOST_DEVICES: Final = 64
"""Devices of one member of which something may be said: what one connection has at most."""
EVERYBODY: Final = b""
"""The key of a command to all."""


@dataclass(frozen=True, slots=True)
class Access:
    """What holds for a device: the tier of its load (None: as configured) and who besides its owner may use it."""

    priority: int | None = None
    rights: Right = ALL_RIGHTS


@dataclass(frozen=True, slots=True)
class StandingCommand:
    """The last command about a member's modes, and whether its owner gave it."""

    action: Action
    by_owner: bool


@dataclass(frozen=True, slots=True)
class AdministrationBook:
    """`access` by (member, device key), ascending; `modes` by member, and under `EVERYBODY` for who has none."""

    access: Mapping[tuple[bytes, bytes], Access] = field(default_factory=dict)
    modes: Mapping[bytes, StandingCommand] = field(default_factory=dict)

    def access_to(self, member: bytes, device: bytes) -> Access:
        """What holds for a device."""
        return self.access.get((member, device), Access())

    def mode_of(self, member: bytes) -> StandingCommand | None:
        """The command in force for a member, None if there never was one."""
        return self.modes.get(member, self.modes.get(EVERYBODY))

    def may_set(self, author: bytes, roles: Role, said: DeviceRights) -> bool:
        """Whether somebody may say this of a device."""
        if author == said.member:
            return True
        return said.rights is None and self._has_right(roles, said.member, said.device, with_dso=True)

    def may_command(self, author: bytes, roles: Role, command: DeviceCommand) -> bool:
        """Whether somebody may give this command."""
        if command.member is not None and author == command.member:
            return True
        if not roles & Role.OPERATOR:
            return False
        if command.action is Action.RELEASE:
            assert command.member is not None and command.device is not None
            return self._has_right(roles, command.member, command.device, with_dso=False)
        if command.action is Action.RESUME and command.member is not None:
            standing = self.modes.get(command.member)
            return standing is None or not standing.by_owner
        return True

    def with_rights(self, said: DeviceRights) -> "AdministrationBook | None":
        """The book with what was said of a device; None where a member has no room for more devices."""
        key = (said.member, said.device)
        if key not in self.access and sum(member == said.member for member, _ in self.access) >= MOST_DEVICES:
            return None
        before = self.access_to(*key)
        after = Access(
            before.priority if said.priority is None else said.priority,
            before.rights if said.rights is None else said.rights,
        )
        return replace(self, access=dict(sorted({**self.access, key: after}.items())))

    def with_command(self, author: bytes, command: DeviceCommand) -> "AdministrationBook":
        """The book after a command; one to everybody replaces all that the owners did not give themselves."""
        if command.action is Action.RELEASE:
            return self
        standing = StandingCommand(command.action, author == command.member)
        if command.member is not None:
            return replace(self, modes=dict(sorted({**self.modes, command.member: standing}.items())))
        kept = {
            member: each
            for member, each in self.modes.items()
            if each.by_owner and (each.action is not Action.RESUME)
        }
        return replace(self, modes=dict(sorted({**kept, EVERYBODY: standing}.items())))

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """The leaves of the state that are about administration; none where nothing was ever said."""
        for (member, device), access in self.access.items():
            yield LEAF_KEY + b"access/" + member + device, encode((access.priority, int(access.rights)))
        for member, standing in self.modes.items():
            yield LEAF_KEY + b"mode/" + member, encode((int(standing.action), int(standing.by_owner)))

    def _has_right(self, roles: Role, member: bytes, device: bytes, *, with_dso: bool) -> bool:
        rights = self.access_to(member, device).rights
        as_operator = bool(roles & Role.OPERATOR and rights & Right.OPERATOR)
        return as_operator or (with_dso and bool(roles & Role.DSO and rights & Right.DSO))


def administration_of_leaves(leaves: Mapping[bytes, Value]) -> AdministrationBook:
    """The book that has these leaves, keys without `LEAF_KEY`. Raises `Malformed`."""
    access: dict[tuple[bytes, bytes], Access] = {}
    modes: dict[bytes, StandingCommand] = {}
    for key, value in leaves.items():
        what, _, rest = key.partition(b"/")
        match what, value:
            case b"access", ((int() | None) as priority, int(rights)) if (
                len(rest) == ID_BYTES + DEVICE_KEY_BYTES
                and 0 <= rights <= int(ALL_RIGHTS)
                and (priority is None or 0 <= priority < MOST_TIERS)
            ):
                access[rest[:ID_BYTES], rest[ID_BYTES:]] = Access(priority, Right(rights))
            case b"mode", (int(action), 0 | 1 as by_owner) if action in set(Action) and len(rest) in (
                0,
                ID_BYTES,
            ):
                modes[rest] = StandingCommand(Action(action), bool(by_owner))
            case _:
                raise Malformed("a leaf of administration that says nothing")
    return AdministrationBook(dict(sorted(access.items())), dict(sorted(modes.items())))
