"""Commands to this member's devices, by its owner, the operator or the dso: enforced here, at the edge. Sans-IO.

A command acts when it is heard, before a block has it: an emergency stop must not wait for an agreement. Who may give
it is in the agreed state; a device or member of somebody else is somebody else's business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from devices.messages.control_messages import DeviceAccess, Mode
from devices.messages.orders import Admit, Enter, Release
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry
from ledger.records.genesis import Role
from market.administration.book import EVERYBODY, AdministrationBook
from market.administration.payloads import (
    Action,
    DeviceCommand,
    Right,
    decode_command,
    device_key,
)
from market.errors import MalformedPayload
from market.outcomes import BlockOutcomes
from market.payloads import Kind
from node.events import Effect, Order, Report

MODES: Final = {
    Action.STOP: Mode.EMERGENCY_STOP,
    Action.STAND_BY: Mode.STANDBY,
    Action.RESUME: Mode.GRID_SUPPORT,
}
MOST_WAITING: Final = 256
"""Commands that were heard and that no block has taken yet."""


@dataclass(slots=True)
class Commands:
    """What holds for the devices of one member. `names` are its devices, `circuits` among them those that trip."""

    member: bytes
    names: tuple[str, ...]
    _waiting: dict[bytes, tuple[bytes, DeviceCommand]] = field(default_factory=dict)
    _mode: Mode | None = None
    _access: tuple[DeviceAccess, ...] = ()

    def heard(
        self, entries: Iterable[SignedEntry], membership: Membership, book: AdministrationBook
    ) -> list[Effect]:
        """Entries that came just now."""
        effects: list[Effect] = []
        for signed in entries:
            author = membership.by_feed_key(signed.entry.author)
            if signed.entry.kind != Kind.DEVICE_COMMAND or author is None or author.frozen_at is not None:
                continue
            try:
                command = decode_command(signed.entry.payload)
            except MalformedPayload:
                continue
            if command.member not in (None, self.member) or len(self._waiting) >= MOST_WAITING:
                continue
            now = self._book(book)
            if not now.may_command(author.id, Role(author.roles), command):
                fields: dict[str, object] = {
                    "action": command.action.name.lower(),
                    "by": author.name.decode(),
                }
                effects.append(Report("command_refused", fields))
                continue
            self._waiting[signed.id] = (author.id, command)
            effects += self._release(command) + self._enter(self._book(book))
        return effects

    def decided(self, book: AdministrationBook, outcomes: BlockOutcomes) -> list[Effect]:
        """A block was decided: what it took or refused waits no longer, and what it changed holds."""
        done = {each.entry_id for each in outcomes.recorded} | {each.entry_id for each in outcomes.rejected}
        self._waiting = {id_: each for id_, each in self._waiting.items() if id_ not in done}
        return self._hold(book)

    def attached(self, book: AdministrationBook) -> list[Effect]:
        """Devices are there: say what holds for them."""
        self._mode, self._access = None, ()
        return self._hold(book)

    def _hold(self, book: AdministrationBook) -> list[Effect]:
        return [*self._enter(self._book(book)), *self._admit(book)]

    def _book(self, book: AdministrationBook) -> AdministrationBook:
        """The agreed book with what was heard since."""
        for author, command in self._waiting.values():
            book = book.with_command(author, command)
        return book

    def _enter(self, book: AdministrationBook) -> list[Effect]:
        standing = book.mode_of(self.member)
        mode = None if standing is None else MODES[standing.action]
        if mode is None or mode is self._mode:
            return []
        self._mode = mode
        return [Order(Enter(mode)), Report("mode", {"mode": mode.value})]

    def _release(self, command: DeviceCommand) -> list[Effect]:
        if command.action is not Action.RELEASE:
            return []
        keys: Mapping[bytes, str] = {device_key(self.member, name): name for name in self.names}
        name = keys.get(command.device or EVERYBODY)
        return [] if name is None else [Order(Release(name))]

    def _admit(self, book: AdministrationBook) -> list[Effect]:
        access = tuple(
            DeviceAccess(name, held.priority, bool(held.rights & Right.DSO))
            for name in self.names
            if (self.member, key := device_key(self.member, name)) in book.access
            and (held := book.access_to(self.member, key))
        )
        if access == self._access:
            return []
        self._access = access
        return [Order(Admit(access))]
