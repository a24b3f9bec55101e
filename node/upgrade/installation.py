"""Shell: puts a release beside the others: a virtual environment of its own below the data directory.

What the release does not bring it takes from the installation that this program was started from, which an upgrade
never changes: that is where a node falls back to.
"""

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from node.upgrade.errors import ReleaseRefusedError
from node.upgrade.release import Release

UPGRADE_DIRECTORY: Final = "upgrade"
RELEASES: Final = "releases"
TRUSTED: Final = "metadata"
WHOLE: Final = ".whole"
"""In an environment that was installed to the end; one without it was interrupted."""

INSTALL_S: Final = 600.0
"""Real seconds for pip on a small machine."""

_ASK_VERSION = "import importlib.metadata as m; print(m.version('wattswarm'))"


def release_path(data_dir: Path, version: str) -> Path:
    """Where a release is, or would be."""
    return data_dir / UPGRADE_DIRECTORY / RELEASES / version


def command_of(data_dir: Path, version: str | None) -> list[str]:
    """What starts the command line of a release; None: of the installation itself."""
    if version is None:
        return [sys.executable, "-m", "node.cli.root"]
    return [str(release_path(data_dir, version) / "bin" / "wattswarm")]


def is_installed(data_dir: Path, version: str) -> bool:
    """Whether a release is there, whole."""
    return (release_path(data_dir, version) / WHOLE).exists()


def install(data_dir: Path, release: Release, wheels: Sequence[Path]) -> Path:
    """Install a release beside the others. Raises ReleaseRefusedError, and then it is gone again."""
    place = release_path(data_dir, release.version)
    if is_installed(data_dir, release.version):
        return place
    shutil.rmtree(place, ignore_errors=True)
    try:
        venv.create(place, with_pip=False, symlinks=True)
        python = place / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps"]
        _run([*pip, "--quiet", "--disable-pip-version-check", *map(str, wheels)])
        (site,) = place.glob("lib/python*/site-packages")
        (site / "installation.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", "utf-8")
        found = _run([str(python), "-I", "-c", _ASK_VERSION]).strip()
        if found != release.version:
            raise ReleaseRefusedError(
                f"release {release.version} brings wattswarm {found}; ask its publisher"
            )
        (place / WHOLE).touch()
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def forget_others(data_dir: Path, keep: Sequence[str | None]) -> None:
    """Remove releases but these: the one that runs and the one before it, whose control process may run from it."""
    for path in (data_dir / UPGRADE_DIRECTORY / RELEASES).glob("*"):
        if path.name not in keep:
            with suppress(OSError):
                shutil.rmtree(path)


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_S, check=True, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as fault:
        raise ReleaseRefusedError(
            f"installing took longer than {INSTALL_S:.0f} s; the machine is too busy"
        ) from fault
    except subprocess.CalledProcessError as fault:
        said = (fault.stderr or "").strip().splitlines()[-1:]
        raise ReleaseRefusedError(
            f"the release cannot be installed: {said[0] if said else fault}; does this installation have pip?"
        ) from fault
    return done.stdout
