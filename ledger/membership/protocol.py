"""Which version of the protocol holds, who knows which, and what was proposed: part of the agreed state.

A cell in which nobody ever announced or proposed anything has no leaf of this, so its roots are those of a cell that
knows of no versions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed
from ledger.limits import SYNC_BYTES
from ledger.records.protocols import FIRST, read_support

VERSION_KEY: Final = b"protocol"
SUPPORT_PREFIX: Final = b"support/"


class Reason(IntEnum):
    """Why a proposal was refused."""

    TOO_NEAR = 1
    NOT_NEWER = 2
    TOO_FEW_SUPPORT = 3


@dataclass(frozen=True, slots=True)
class Switch:
    """Change `number` of the cell: `version` from the block at `height` on."""

    number: int
    version: int
    height: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal that block `at` refused; of `validators`, `supporters` knew the version then."""

    switch: Switch
    reason: Reason
    supporters: int
    validators: int
    at: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """`version` is in force. `proposed` is judged two heights before it would hold; `agreed` will hold, whatever comes.

    `supports` has what members announced, sorted by member id, of those who know something else than the first version
    alone. `refused` is the last refusal.
    """

    version: int = FIRST
    proposed: Switch | None = None
    agreed: Switch | None = None
    refused: Refusal | None = None
    supports: tuple[tuple[bytes, tuple[int, ...]], ...] = ()

    @property
    def newest(self) -> int:
        """The version that is in force or agreed."""
        return self.version if self.agreed is None else self.agreed.version

    def known_to(self, member: bytes) -> tuple[int, ...]:
        """The versions that a member says its program knows."""
        return dict(self.supports).get(member, (FIRST,))

    def with_support(self, member: bytes, versions: tuple[int, ...]) -> "Protocol":
        """After an announcement; it replaces the member's earlier one."""
        if self.known_to(member) == versions:
            return self
        supports = dict(self.supports) | {member: versions}
        if versions == (FIRST,):
            del supports[member]
        return replace(self, supports=tuple(sorted(supports.items())))

    def without(self, member: bytes) -> "Protocol":
        """After a member left."""
        return self.with_support(member, (FIRST,))

    def at(self, height: int) -> "Protocol":
        """As it is in force at a height: what is agreed from then on holds."""
        if self.agreed is None or self.agreed.height > height:
            return self
        return replace(self, version=self.agreed.version, agreed=None)

    def leaves(self) -> tuple[tuple[bytes, bytes], ...]:
        """Keys and values of the state; none where nothing ever happened."""
        supports = tuple((SUPPORT_PREFIX + member, encode(versions)) for member, versions in self.supports)
        if replace(self, supports=()) == Protocol():
            return supports
        refused = None
        if self.refused is not None:
            each = self.refused
            refused = (*_fields(each.switch), int(each.reason), each.supporters, each.validators, each.at)
        switches = (_optional(self.proposed), _optional(self.agreed))
        return ((VERSION_KEY, encode((self.version, *switches, refused))), *supports)

    @staticmethod
    def is_leaf(key: bytes) -> bool:
        """Whether a key of what changes is one of `leaves`."""
        return key == VERSION_KEY or key.startswith(SUPPORT_PREFIX)

    @staticmethod
    def from_leaves(leaves: Iterable[tuple[bytes, bytes]]) -> "Protocol":
        """What has these leaves. Raises `Malformed`."""
        protocol = Protocol()
        for key, data in sorted(leaves):
            match key, decode(data, max_bytes=SYNC_BYTES):
                case b"protocol", (int(version), proposed, agreed, refused):
                    protocol = Protocol(version, _switch(proposed), _switch(agreed), _refusal(refused))
                case bytes(), tuple(payload) if key.startswith(SUPPORT_PREFIX):
                    versions = read_support(payload)
                    if versions is None:
                        raise Malformed("no versions that a member knows")
                    protocol = protocol.with_support(key[len(SUPPORT_PREFIX) :], versions)
                case _:
                    raise Malformed("no record of the protocol's version")
        return protocol


def _fields(switch: Switch) -> tuple[Value, ...]:
    return (switch.number, switch.version, switch.height)


def _optional(switch: Switch | None) -> Value:
    return None if switch is None else _fields(switch)


def _switch(value: Value) -> Switch | None:
    match value:
        case None:
            return None
        case (int(number), int(version), int(height)):
            return Switch(number, version, height)
    raise Malformed("no change of the protocol's version")


def _refusal(value: Value) -> Refusal | None:
    match value:
        case None:
            return None
        case (int(number), int(version), int(height), int(reason), int(supporters), int(validators), int(at)):
            try:
                return Refusal(Switch(number, version, height), Reason(reason), supporters, validators, at)
            except ValueError:
                pass
    raise Malformed("no refusal of another version of the protocol")
