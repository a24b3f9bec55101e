"""Shell: makes what nodes verify: the root metadata with the keys of a release, and the release file they sign.

For whoever publishes releases (`scripts/make_release.py`), on a machine of theirs. The keys sign everything: a release
is one file, made at once, so that separate online keys would protect nothing more.
"""

import io
import tarfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from node.upgrade.bundle import METADATA, TARGETS
from node.upgrade.release import DESCRIPTION, Release

ROLES: Final = ("root", "targets", "snapshot", "timestamp")


def make_root(signers: Sequence[Signer], threshold: int, expires: datetime, number: int = 1) -> bytes:
    """Root metadata: these keys, of which `threshold` must sign, until `expires`. Nodes pin it."""
    root = Root(version=number, expires=expires, consistent_snapshot=False)
    for role in ROLES:
        for signer in signers:
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = threshold
    return _signed(root, signers)


def make_release(
    target: Path,
    root: bytes,
    signers: Sequence[Signer],
    release: Release,
    wheels: Sequence[Path],
    *,
    number: int,
    expires: datetime,
) -> None:
    """Write a release file. `number` must be higher than that of every release before it; `expires` is until when nodes
    take it.
    """
    files = {DESCRIPTION: release.encode(), **{path.name: path.read_bytes() for path in wheels}}
    targets = Targets(version=number, expires=expires)
    targets.targets = {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in files.items()}
    snapshot = Snapshot(version=number, expires=expires)
    snapshot.meta["targets.json"] = MetaFile(version=number)
    timestamp = Timestamp(version=number, expires=expires)
    timestamp.snapshot_meta = MetaFile(version=number)
    pinned = Metadata[Root].from_bytes(root)
    members = {
        f"{METADATA}{pinned.signed.version}.root.json": root,
        f"{METADATA}timestamp.json": _signed(timestamp, signers),
        f"{METADATA}snapshot.json": _signed(snapshot, signers),
        f"{METADATA}targets.json": _signed(targets, signers),
        **{f"{TARGETS}{name}": data for name, data in files.items()},
    }
    with tarfile.open(target, "w:") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


_Content = TypeVar("_Content", Root, Targets, Snapshot, Timestamp)


def _signed(content: _Content, signers: Sequence[Signer]) -> bytes:
    metadata = Metadata(content)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()
