"""A key file is private, written once and whole, and says what is wrong with it and what to do."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.pwhash import argon2id

from ledger.encoding import encode
from ledger.errors import KeyFileError
from ledger.files.keys import create_key, load_key

CHEAP = {"operations": int(argon2id.OPSLIMIT_MIN), "memory_bytes": int(argon2id.MEMLIMIT_MIN)}


@pytest.mark.parametrize("passphrase", [None, "correct horse", "", "schlüssel 🔑"])
def test_a_key_is_loaded_as_it_was_created(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "identity.key"
    created = create_key(path, passphrase, **CHEAP)
    assert load_key(path, passphrase).encode() == created.encode()


def test_two_keys_differ(tmp_path: Path) -> None:
    assert create_key(tmp_path / "a").encode() != create_key(tmp_path / "b").encode()


def test_a_key_file_is_readable_by_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_key(tmp_path / "identity.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "identity.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_key_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "identity.key"
    create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_key(path)
    path.chmod(0o600)
    load_key(path)


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    created = create_key(path)
    with pytest.raises(KeyFileError, match="exists already"):
        create_key(path)
    assert load_key(path).encode() == created.encode()
    assert [child.name for child in tmp_path.iterdir()] == ["identity.key"]


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="exists already"):
        create_key(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_crash_before_the_flush_leaves_no_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_flush(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ledger.files.keys.os.fsync", failing_flush)
    with pytest.raises(KeyFileError, match="No space left"):
        create_key(tmp_path / "identity.key")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be written: No such file"):
        create_key(tmp_path / "missing" / "identity.key")


def test_a_missing_file_names_the_command_that_creates_it(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="wattswarm node init"):
        load_key(tmp_path / "identity.key")


def test_a_folder_or_a_pipe_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        load_key(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileError, match="not a regular file"):
        load_key(tmp_path / "pipe")


def test_passphrases_are_asked_for_exactly_where_there_is_one(tmp_path: Path) -> None:
    create_key(tmp_path / "plain")
    create_key(tmp_path / "locked", "right", **CHEAP)
    with pytest.raises(KeyFileError, match="not encrypted"):
        load_key(tmp_path / "plain", "right")
    with pytest.raises(KeyFileError, match="a passphrase is needed"):
        load_key(tmp_path / "locked")
    with pytest.raises(KeyFileError, match="wrong, or the file is damaged"):
        load_key(tmp_path / "locked", "Right")


def test_an_encrypted_file_does_not_contain_the_key(tmp_path: Path) -> None:
    created = create_key(tmp_path / "locked", "right", **CHEAP)
    assert created.encode() not in (tmp_path / "locked").read_bytes()


def test_every_encrypted_file_has_a_salt_of_its_own(tmp_path: Path) -> None:
    salts = []
    for name in ("a", "b"):
        create_key(tmp_path / name, "same", **CHEAP)
        salts.append((tmp_path / name).read_bytes()[36:53])
    assert salts[0] != salts[1]


@pytest.mark.parametrize("passphrase", [None, "right"])
def test_a_flipped_bit_never_gives_another_key_silently(tmp_path: Path, passphrase: str | None) -> None:
    path = tmp_path / "identity.key"
    created = create_key(path, passphrase, **CHEAP)
    data = path.read_bytes()
    for bit in range(0, 8 * len(data), 1 if passphrase is None else 5):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(flipped))
        try:
            loaded = load_key(path, passphrase)
        except KeyFileError:
            continue
        assert loaded.encode() == created.encode()
        assert passphrase is not None, (
            "argon2id rounds its memory down to KiB; nothing else may be flipped unnoticed"
        )


@settings(max_examples=50)
@given(data=st.binary(max_size=300))
def test_arbitrary_files_raise_only_what_is_declared(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("keys") / "identity.key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"no key file|version"):
        load_key(path)


@pytest.mark.parametrize(
    ("salt_bytes", "operations", "memory_bytes"),
    [
        (16, 1 << 40, 8192),
        (16, 1, 1 << 40),
        (16, 0, 8192),
        (16, 1, 1),
        (16, -1, 8192),
        (15, 1, 8192),
        (0, 1, 8192),
    ],
)
def test_a_file_cannot_demand_an_absurd_effort(
    tmp_path: Path, salt_bytes: int, operations: int, memory_bytes: int
) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(encode((1, bytes(32), bytes(salt_bytes), operations, memory_bytes, bytes(72))))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="no usable parameters"):
        load_key(path, "right")


def test_a_later_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(encode((2, bytes(32), bytes(32))))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="version 2"):
        load_key(path)
