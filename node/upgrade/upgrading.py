"""Shell: one upgrade from a release file to its outcome: verify, install beside, ask the supervisor, wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from ledger.files.directory import LEDGER_FILE
from ledger.records.protocols import FIRST
from node.configuration.config import Config
from node.errors import InputRefusedError
from node.operation.examination import is_locked
from node.upgrade.bundle import verified
from node.upgrade.errors import ReleaseRefusedError
from node.upgrade.installation import TRUSTED, install
from node.upgrade.release import Release, may_follow
from node.upgrade.supervision import END_S, START_S
from node.upgrade.supervisor_files import UpgradeFiles
from node.views.protocol_view import read_versions

POLL_S: Final = 0.25
PATIENCE_S: Final = END_S + 2 * START_S + 60.0
"""Real seconds, besides the trial, in which a supervisor comes to an end one way or the other."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an upgrade ended: whether the release was kept, which one runs now (None: the installation's own), why."""

    version: str
    kept: bool
    runs: str | None
    reason: str


def upgrade(config: Config, file: Path, told: Callable[[str], None]) -> Outcome:
    """Verify, install and try a release; `told` hears of every step. Raises `ReleaseRefusedError` or
    `InputRefusedError` when nothing was changed.
    """
    files = UpgradeFiles(config.directory)
    root = pinned_root(config)
    if not is_locked(files.lock_path):
        raise InputRefusedError(
            f"{config.directory}: no supervisor runs this node; start it with: wattswarm node supervise"
        )
    memory = files.memory()
    running = memory.current or version("wattswarm")
    with verified(file, root, files.directory / TRUSTED) as bundle:
        release: Release = bundle.release()
        may_follow(release, running, spoken(config.directory))
        told(f"release {release.version}: signed, newer than {running}")
        place = install(config.directory, release, bundle.wheels(release))
    told(f"installed in {place}")
    files.request(release.version)
    told("the supervisor tries it; the control process holds the devices meanwhile")
    return _outcome(files, release.version, config.upgrade.trial_real_s + PATIENCE_S)


def spoken(directory: Path) -> tuple[int, ...]:
    """The protocols that the cell speaks now and is about to: all that a release must know."""
    if not (directory / LEDGER_FILE).exists():
        return (FIRST,)
    protocol = read_versions(directory).membership.protocol
    return tuple(sorted({protocol.version, protocol.newest}))


def pinned_root(config: Config) -> bytes:
    """The root metadata that the configuration pins. Raises InputRefusedError."""
    if config.upgrade.root is None:
        raise InputRefusedError(
            "upgrade.root: is missing; name the root metadata of those whose releases this node takes"
        )
    path = Path(config.file).parent / config.upgrade.root
    try:
        return path.read_bytes()
    except OSError as fault:
        raise InputRefusedError(f"upgrade.root: {path}: {fault.strerror}") from fault


def _outcome(files: UpgradeFiles, wanted: str, patience_s: float) -> Outcome:
    end_s = time.monotonic() + patience_s
    begun = False
    while time.monotonic() < end_s:
        memory = files.memory()
        begun = begun or memory.trial == wanted
        outcome = memory.outcome
        if memory.trial is None and outcome is not None and outcome[0] == wanted and (begun or outcome[1]):
            return Outcome(wanted, outcome[1], memory.current, outcome[2])
        if not is_locked(files.lock_path):
            return Outcome(wanted, False, memory.current, "the supervisor ended")
        time.sleep(POLL_S)
    raise ReleaseRefusedError(
        f"the supervisor does not say how it went within {patience_s:.0f} s; see its log"
    )
