"""What a release says of itself, and whether this node may go on to it. No I/O.

The description is `release.json`, one of the files that the release's keys have signed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packaging.version import InvalidVersion, Version

from node.upgrade.errors import ReleaseRefusedError

DESCRIPTION: Final = "release.json"
WHEELS: Final = 256
"""Files of one release; this program stands on about a hundred others."""

_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]+\.whl")


@dataclass(frozen=True, slots=True)
class Release:
    """A version, the protocols that it speaks, and the wheels that it consists of: its own and those it needs newly."""

    version: str
    protocols: tuple[int, ...]
    wheels: tuple[str, ...]

    def encode(self) -> bytes:
        """The description as it is signed."""
        table = {"version": self.version, "protocols": list(self.protocols), "wheels": list(self.wheels)}
        return json.dumps(table, indent=1, sort_keys=True).encode()

    @staticmethod
    def decode(data: bytes) -> "Release":
        """Read a description. Raises ReleaseRefusedError."""
        try:
            table = json.loads(data)
            version, protocols, wheels = table["version"], table["protocols"], table["wheels"]
            good = (
                str(Version(version)) == version
                and all(isinstance(each, int) for each in protocols)
                and all(isinstance(each, str) and _WHEEL.fullmatch(each) for each in wheels)
                and 0 < len(wheels) <= WHEELS
            )
        except (ValueError, KeyError, TypeError, InvalidVersion):
            good = False
        if not good:
            raise ReleaseRefusedError(f"{DESCRIPTION}: does not describe a release")
        return Release(version, tuple(protocols), tuple(wheels))


def may_follow(release: Release, running: str, spoken: Sequence[int]) -> None:
    """Return if a node that runs `running` may go on to this release, in a cell that speaks these protocols: the one in
    force and one that is agreed. Raises ReleaseRefusedError.
    """
    if Version(release.version) <= Version(running):
        raise ReleaseRefusedError(
            f"release {release.version} is not newer than {running}, which runs; a node never goes back to an older one"
        )
    for version in spoken:
        if version not in release.protocols:
            knows = ", ".join(map(str, release.protocols)) or "none"
            raise ReleaseRefusedError(
                f"release {release.version} speaks protocol {knows}, the cell speaks {version}; ask for another release"
            )
