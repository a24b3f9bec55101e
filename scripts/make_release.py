"""Make what `wattswarm node upgrade` verifies: keys, the root metadata that nodes pin, and release files.

    python scripts/make_release.py keys KEYS --count 3
    python scripts/make_release.py root KEYS --threshold 2 --days 730 --out release-root.json
    python scripts/make_release.py release KEYS --root release-root.json --version 0.2.0 --days 90 \\
        --out wattswarm-0.2.0.release dist/*.whl

Each key is a file of mode 0600; keep them apart, and offline. To sign with some of them, put these into a directory.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from ledger.records.protocols import known
from node.upgrade.publishing import make_release, make_root
from node.upgrade.release import Release


def main() -> None:
    """Read the arguments and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("keys", "root", "release"):
        command = commands.add_parser(name)
        command.add_argument("keys", type=Path)
        if name == "keys":
            command.add_argument("--count", type=int, default=3)
        else:
            command.add_argument("--days", type=int, required=True)
            command.add_argument("--out", type=Path, required=True)
        if name == "root":
            command.add_argument("--threshold", type=int, required=True)
        if name == "release":
            command.add_argument("--root", type=Path, required=True)
            command.add_argument("--version", required=True)
            command.add_argument("wheels", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "keys":
        _make_keys(given.keys, given.count)
        return
    signers = [
        CryptoSigner(load_pem_private_key(path.read_bytes(), None))
        for path in sorted(given.keys.glob("*.pem"))
    ]
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=given.days)
    if given.command == "root":
        given.out.write_bytes(make_root(signers, given.threshold, expires))
        return
    release = Release(given.version, known(), tuple(path.name for path in given.wheels))
    root = given.root.read_bytes()
    make_release(given.out, root, signers, release, given.wheels, number=int(time.time()), expires=expires)


def _make_keys(directory: Path, count: int) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(1, count + 1):
        path = directory / f"release-{number}.pem"
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(CryptoSigner.generate_ed25519().private_bytes)


if __name__ == "__main__":
    main()
