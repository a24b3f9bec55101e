"""Shell: the files of a control process in its data directory: configuration, profile, lock and saved state."""

import fcntl
import json
import os
import queue
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from devices.configuration.control_config import ControlConfig, parse_config
from devices.control.control_state import FRESH, SavedState
from devices.errors import AlreadyControlledError, ConfigurationError, MessageError, ProfileError, StateError
from devices.grid_profile import GridProfile, read_grid_profile
from devices.json_codec import from_json, to_json
from devices.profiles import Profile, read_profile

LOCK_NAME = "control.lock"
STATE_NAME = "control.state"


def load_config(path: Path) -> ControlConfig:
    """Read a configuration file, JSON or (by its suffix) TOML. Raises ConfigurationError."""
    try:
        text = path.read_text(encoding="utf-8")
        source = _read_toml(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigurationError((f"{path}: {error}",)) from error
    return parse_config(source)


def _read_toml(text: str) -> object:
    # Imported here, because it costs a tenth of the start and a daemon writes JSON.
    import tomllib

    return tomllib.loads(text)


def load_profile(config: ControlConfig) -> Profile | None:
    """Read the profile that the configuration names. Raises ProfileError."""
    if config.profile is None:
        return None
    try:
        with Path(config.profile).open(encoding="utf-8", newline="") as lines:
            return read_profile(lines, config.profile)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{config.profile}: {error}") from error


def load_grid_profile(config: ControlConfig) -> GridProfile | None:
    """Read the grid profile that the configuration names. Raises ProfileError."""
    if config.grid_profile is None:
        return None
    try:
        with Path(config.grid_profile).open(encoding="utf-8", newline="") as lines:
            return read_grid_profile(lines, config.grid_profile)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{config.grid_profile}: {error}") from error


def lock_directory(directory: Path) -> IO[str]:
    """Claim a data directory for this process as long as the returned file is open.

    Raises AlreadyControlledError naming the process that has it.
    """
    lock = (directory / LOCK_NAME).open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read(32).strip() or "unknown"
        lock.close()
        raise AlreadyControlledError(f"{directory}: already controlled by the process {holder}") from error
    name_holder(lock)
    return lock


def name_holder(lock: IO[str]) -> None:
    """Write into the lock of a directory that this process holds it."""
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()


def load_state(directory: Path) -> SavedState:
    """The state saved last, or a fresh one where none was. Raises StateError for one that does not read back."""
    path = directory / STATE_NAME
    try:
        return from_json(SavedState, path.read_bytes())
    except FileNotFoundError:
        return FRESH
    except (OSError, MessageError) as error:
        raise StateError(f"{path}: {error}; move it away to start afresh") from error


class LatestWriter:
    """Writes what it is given to one file, in a thread of its own: a slow disk must not stop the control loop.

    What waits is replaced by what is newer; each is on the disk in full or not at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: queue.Queue[object | None] = queue.Queue(maxsize=1)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self.problem = ""
        """Why the last write failed; empty when it did not."""

    def save(self, value: object) -> None:
        """Write this dataclass soon. Never waits."""
        self._replace(value)

    def close(self, value: object) -> None:
        """Write this last and wait until it is on the disk."""
        self._replace(value)
        self._waiting.put(None)
        self._thread.join()

    def _replace(self, value: object) -> None:
        with suppress(queue.Empty):
            self._waiting.get_nowait()
        self._waiting.put_nowait(value)

    def _work(self) -> None:
        while (value := self._waiting.get()) is not None:
            try:
                self._write(to_json(value))
                self.problem = ""
            except OSError as error:
                self.problem = str(error)

    def _write(self, data: bytes) -> None:
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
