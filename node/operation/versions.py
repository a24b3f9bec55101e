"""Which version and which protocols each member says that it runs: heard by gossip, never agreed. No I/O.

A message is `[cell time, version, [protocol, ...]]` (docs/wire-format.md), a claim by whoever signed the gossip.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.encoding import decode, encode
from ledger.errors import Malformed

VERSION_MESSAGE_BYTES: Final = 96
PROTOCOLS: Final = 8
"""That one member may name; a program speaks the present one and the next."""

_VERSION = re.compile(r"[0-9A-Za-z.+!-]{1,32}")


@dataclass(frozen=True, slots=True)
class RunningVersion:
    """What one member runs, as it says itself at a moment of cell time."""

    cell_ns: int
    version: str
    protocols: tuple[int, ...]

    def encode(self) -> bytes:
        """The bytes of the message."""
        return encode((self.cell_ns, self.version.encode("ascii"), self.protocols))

    @staticmethod
    def decode(data: bytes) -> "RunningVersion":
        """Read a message. Raises `Malformed`."""
        match decode(data, max_bytes=VERSION_MESSAGE_BYTES):
            case (int(cell_ns), bytes(version), tuple(protocols)) if (
                cell_ns >= 0 and len(protocols) <= PROTOCOLS
            ):
                text = version.decode("ascii", "replace")
                numbers = tuple(each for each in protocols if isinstance(each, int) and each >= 0)
                if _VERSION.fullmatch(text) and len(numbers) == len(protocols):
                    return RunningVersion(cell_ns, text, numbers)
        raise Malformed("not a member's version")


@dataclass(slots=True)
class MemberVersions:
    """The latest of each member, by feed key."""

    heard: dict[bytes, RunningVersion] = field(default_factory=dict)

    def hear(self, author: bytes, data: bytes) -> bool:
        """A member's message; True if it says something new. Raises `Malformed`."""
        said = RunningVersion.decode(data)
        before = self.heard.get(author)
        if before is not None and said.cell_ns <= before.cell_ns:
            return False
        self.heard[author] = said
        return before is None or (before.version, before.protocols) != (said.version, said.protocols)

    def named(self, members: Iterable[tuple[bytes, str]]) -> Mapping[str, RunningVersion]:
        """By name, of these members (feed key and name); the others are forgotten."""
        names = dict(members)
        for key in self.heard.keys() - names.keys():
            del self.heard[key]
        return {names[key]: said for key, said in self.heard.items()}


def versions_json(
    own_name: str, own: RunningVersion, others: Mapping[str, RunningVersion]
) -> dict[str, object]:
    """Everybody's, as one JSON object, by name."""
    everyone = {own_name: own, **others}
    return {
        name: {"version": said.version, "protocols": list(said.protocols)}
        for name, said in sorted(everyone.items())
    }
