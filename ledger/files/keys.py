"""Shell: the identity key in a file of its own, readable by its owner alone, optionally under a passphrase.

The file holds ``[version, public key, seed]`` or, with a passphrase, ``[version, public key, salt, operations,
memory bytes, box]`` in the ledger's encoding; the box is the seed in a secretbox under argon2id(passphrase). The
public key tells whether the seed is undamaged: a flipped bit must not become another identity. A file is created
once and never overwritten: whoever loses a feed key loses the member.
"""

import os
import stat
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.signing import SigningKey
from nacl.utils import random

from ledger.encoding import decode, encode
from ledger.errors import KeyFileError, Malformed
from ledger.files.durable_file import flush_directory
from ledger.limits import KEY_BYTES

KEY_FILE_VERSION = 1

KEY_FILE_BYTES = 256
"""A key file is under 150 bytes; more is not a key file."""

OPERATIONS = int(argon2id.OPSLIMIT_MODERATE)
MEMORY_BYTES = int(argon2id.MEMLIMIT_MODERATE)
"""Argon2id's moderate cost: 256 MiB and about a second on a small computer, once at every start."""

OPERATIONS_LIMIT = 64
MEMORY_LIMIT_BYTES = 1 << 30
"""A file that asks for more than this is damaged or a trap, and is refused before any work."""


def create_key(
    path: Path,
    passphrase: str | None = None,
    *,
    operations: int = OPERATIONS,
    memory_bytes: int = MEMORY_BYTES,
) -> SigningKey:
    """Make a new key and write it to ``path`` with mode 0600, flushed, all or nothing.

    Raises KeyFileError when the file exists already or cannot be written.
    """
    key = SigningKey.generate()
    _write_new(path, _key_file(key, passphrase, operations, memory_bytes))
    return key


def load_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """The key in a file; raises KeyFileError, which says what is wrong and what to do about it."""
    data = _read_private(path)
    try:
        fields = decode(data, max_bytes=KEY_FILE_BYTES)
    except Malformed as fault:
        raise KeyFileError(f"{path} is no key file ({fault}); restore it from your backup") from None
    match fields:
        case (int(version), *_) if version != KEY_FILE_VERSION:
            raise KeyFileError(f"{path} has version {version}; this program knows {KEY_FILE_VERSION}")
        case (int(), bytes(public_key), bytes(seed)):
            if passphrase is not None:
                raise KeyFileError(f"{path} is not encrypted; load it without a passphrase")
        case (int(), bytes(public_key), bytes(salt), int(operations), int(memory_bytes), bytes(box)):
            if passphrase is None:
                raise KeyFileError(f"{path} is encrypted; a passphrase is needed")
            seed = _open_box(path, passphrase, salt, operations, memory_bytes, box)
        case _:
            raise KeyFileError(f"{path} is no key file; restore it from your backup")
    if len(seed) != KEY_BYTES or SigningKey(seed).verify_key.encode() != public_key:
        raise KeyFileError(f"{path} is damaged: its two halves do not match; restore it from your backup")
    return SigningKey(seed)


def _key_file(key: SigningKey, passphrase: str | None, operations: int, memory_bytes: int) -> bytes:
    seed, public_key = key.encode(), key.verify_key.encode()
    if passphrase is None:
        return encode((KEY_FILE_VERSION, public_key, seed))
    salt = random(argon2id.SALTBYTES)
    box = bytes(SecretBox(_stretched(passphrase, salt, operations, memory_bytes)).encrypt(seed))
    return encode((KEY_FILE_VERSION, public_key, salt, operations, memory_bytes, box))


def _open_box(
    path: Path, passphrase: str, salt: bytes, operations: int, memory_bytes: int, box: bytes
) -> bytes:
    if not (
        len(salt) == argon2id.SALTBYTES
        and argon2id.OPSLIMIT_MIN <= operations <= OPERATIONS_LIMIT
        and argon2id.MEMLIMIT_MIN <= memory_bytes <= MEMORY_LIMIT_BYTES
    ):
        raise KeyFileError(f"{path} holds no usable parameters; restore it from your backup")
    try:
        return SecretBox(_stretched(passphrase, salt, operations, memory_bytes)).decrypt(box)
    except CryptoError:
        raise KeyFileError(f"the passphrase for {path} is wrong, or the file is damaged") from None


def _stretched(passphrase: str, salt: bytes, operations: int, memory_bytes: int) -> bytes:
    key: bytes = argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, operations, memory_bytes)
    return key


def _write_new(path: Path, data: bytes) -> None:
    """Write a whole file beside ``path``, flush it, and link it to its name, which fails if that is taken."""
    draft = path.with_name(f".{path.name}.{random(8).hex()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            draft.unlink()
        flush_directory(path.parent)
    except FileExistsError:
        raise KeyFileError(f"{path} exists already and is not overwritten; move it away first") from None
    except OSError as fault:
        raise KeyFileError(f"{path} cannot be written: {fault.strerror}") from fault


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileError(f"{path} is not a regular file")
            if mode & 0o077:
                raise KeyFileError(
                    f"{path} is open to others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}"
                )
            return file.read(KEY_FILE_BYTES + 1)
    except FileNotFoundError:
        raise KeyFileError(f"{path} does not exist; create it with: wattswarm node init") from None
    except OSError as fault:
        raise KeyFileError(f"{path} cannot be read: {fault.strerror}") from fault
