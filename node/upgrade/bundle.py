"""Shell: opens a release file and hands out what its keys have signed, by the rules of The Update Framework.

A release file is a tar archive of a TUF repository: `metadata/` and `targets/`. Signatures, thresholds, expiry,
versions and hashes are judged by python-tuf's client, the framework's reference implementation, from the root metadata
that the configuration pins; what it trusts it keeps in the data directory, so that an older repository is refused
later. Nothing is taken from the archive but what that client asks for.
"""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.ngclient import FetcherInterface, TargetFile, Updater, UpdaterConfig

from node.upgrade.errors import ReleaseRefusedError
from node.upgrade.release import DESCRIPTION, Release

METADATA: Final = "metadata/"
TARGETS: Final = "targets/"
PART_BYTES: Final = 1 << 20
RELEASE_BYTES: Final = 2 << 30
"""All dependencies together have a few hundred megabytes."""


class _ArchiveFetcher(FetcherInterface):
    """Fetches from an open archive instead of a network; the names are the URLs."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            entry = self._archive.getmember(url)
        except KeyError:
            raise DownloadHTTPError(f"{url}: not in the file", 404) from None
        content = self._archive.extractfile(entry) if entry.isreg() else None
        if content is None or entry.size > RELEASE_BYTES:
            raise DownloadHTTPError(f"{url}: not an ordinary file", 404)
        while part := content.read(PART_BYTES):
            yield part


@contextmanager
def verified(path: Path, root: bytes, trusted: Path) -> Iterator["Verified"]:
    """A release file whose signatures hold. `root` is the pinned root metadata, `trusted` the directory of what was
    trusted before. Raises ReleaseRefusedError naming the rule that is broken.
    """
    trusted.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix=".release-", dir=trusted.parent) as temporary,
        _refusals(path),
        tarfile.open(path, "r:") as archive,
    ):
        config = UpdaterConfig(prefix_targets_with_hash=False)
        fetcher = _ArchiveFetcher(archive)
        updater = Updater(str(trusted), METADATA, temporary, TARGETS, fetcher, config, bootstrap=root)
        updater.refresh()
        yield Verified(updater)


class Verified:
    """The files of a release, each compared with its signed hash when it is asked for."""

    def __init__(self, updater: Updater) -> None:
        self._updater = updater

    def release(self) -> Release:
        """What the release says of itself. Raises ReleaseRefusedError."""
        return Release.decode(self._file(DESCRIPTION).read_bytes())

    def wheels(self, release: Release) -> list[Path]:
        """Its wheels, in a directory that is gone with the context. Raises ReleaseRefusedError."""
        return [self._file(name) for name in release.wheels]

    def _file(self, name: str) -> Path:
        info: TargetFile | None = self._updater.get_targetinfo(name)
        if info is None:
            raise ReleaseRefusedError(
                f"the release does not list {name}; get the file again from its publisher"
            )
        return Path(self._updater.download_target(info))


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Every rule of the framework that can break, in words with what to do."""
    try:
        yield
    except ReleaseRefusedError as fault:
        raise ReleaseRefusedError(f"{path}: {fault}") from fault
    except UnsignedMetadataError as fault:
        raise ReleaseRefusedError(
            f"{path}: not signed by enough of the pinned keys ({fault}); do not use it, ask its publisher"
        ) from fault
    except ExpiredMetadataError as fault:
        raise ReleaseRefusedError(
            f"{path}: the signatures have expired ({fault}); get a newer file, and check this machine's date"
        ) from fault
    except BadVersionNumberError as fault:
        raise ReleaseRefusedError(
            f"{path}: older than a release that was seen before ({fault}); a node never goes back"
        ) from fault
    except LengthOrHashMismatchError as fault:
        raise ReleaseRefusedError(f"{path}: damaged ({fault}); get the file again") from fault
    except (RepositoryError, DownloadError, tarfile.TarError, EOFError, ValueError) as fault:
        raise ReleaseRefusedError(f"{path}: is no release file ({fault}); get the file again") from fault
    except FileNotFoundError as fault:
        if path.exists():
            raise
        raise ReleaseRefusedError(f"{path}: no such file") from fault
