"""A backup comes back whole or not at all, over nothing, and never with what was signed last."""

import gzip
import io
import json
import os
import shutil
import stat
import tarfile
import zlib
from pathlib import Path

import pytest

from ledger.files.directory import GENESIS_FILE, GUARD_FILE, IDENTITY_KEY_FILE, LEDGER_FILE
from ledger.files.sign_guard import SignGuard
from ledger.records.genesis import FoundingMember, Genesis, Role
from ledger.store.store import Store
from node.cli.node import init
from node.cli.operation import restore as restore_command
from node.configuration.config import load_config
from node.errors import InputRefusedError
from node.operation.backup import MANIFEST, NEVER, back_up, restore

GENESIS = Genesis(
    b"Mill Lane", 1, 1, (), (FoundingMember(b"ada", bytes(32), bytes(range(32)), Role.VALIDATOR),), ()
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a node that has run: keys, genesis, ledger, guard, log."""
    directory = tmp_path_factory.mktemp("home") / "ada"
    init(directory, name="ada")
    (directory / GENESIS_FILE).write_bytes(GENESIS.encode())
    (directory / "members.toml").write_text("[peers]\n", "utf-8")
    Store.open(directory / LEDGER_FILE, GENESIS.cell_id, create=True).close()
    SignGuard.open(directory / GUARD_FILE, create=True).close()
    for name in NEVER - {GUARD_FILE}:
        (directory / name).write_bytes(b"what was signed")
    return directory / "node.toml"


@pytest.fixture(scope="module")
def backup(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it."""
    target = tmp_path_factory.mktemp("backup") / "ada.backup"
    done = back_up(load_config(home), target)
    assert done.elsewhere == ()
    assert done.open_keys == ("identity.key", "consensus.key")
    return target


def test_what_was_signed_last_is_in_no_backup(backup: Path) -> None:
    with tarfile.open(backup) as archive:
        names = {Path(name).name for name in archive.getnames()}
    assert not names & NEVER
    assert names == {
        MANIFEST,
        "node.toml",
        "member.toml",
        "members.toml",
        "genesis.cbor",
        "identity.key",
        "consensus.key",
        LEDGER_FILE,
    }
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_it_comes_back_as_it_was_and_private(
    home: Path, backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    restore_command(backup, tmp_path / "new")
    assert "only reads until the cell has readmitted it" in capsys.readouterr().out
    found = {path.name for path in (tmp_path / "new").iterdir()}
    assert not found & NEVER
    for name in found - {LEDGER_FILE}:
        assert (tmp_path / "new" / name).read_bytes() == (home.parent / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    Store.open(tmp_path / "new" / LEDGER_FILE, GENESIS.cell_id).close()
    assert load_config(tmp_path / "new" / "node.toml").node.name == "ada"


def test_without_keys_there_are_none(home: Path, tmp_path: Path) -> None:
    done = back_up(load_config(home), tmp_path / "b", keys=False)
    assert done.manifest.keys == ()
    restore(tmp_path / "b", tmp_path / "new")
    assert not (tmp_path / "new" / IDENTITY_KEY_FILE).exists()
    assert (tmp_path / "new" / LEDGER_FILE).exists()


def test_nothing_is_overwritten(home: Path, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="not overwritten"):
        back_up(load_config(home), backup)
    before = sorted(path.name for path in home.parent.iterdir())
    with pytest.raises(InputRefusedError, match="not empty"):
        restore(backup, home.parent)
    assert sorted(path.name for path in home.parent.iterdir()) == before
    (tmp_path / "empty").mkdir()
    assert restore(backup, tmp_path / "empty").node == "ada"


def test_a_node_that_never_ran_has_nothing_to_back_up(tmp_path: Path) -> None:
    init(tmp_path / "ada", name="ada")
    (tmp_path / "ada" / "members.toml").write_text("[peers]\n", "utf-8")
    with pytest.raises(InputRefusedError, match="needs only its keys kept"):
        back_up(load_config(tmp_path / "ada" / "node.toml"), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def rewritten(backup: Path, target: Path, change: dict[str, bytes]) -> Path:
    """A backup with other files: None of what is not named changes, and the manifest says what it says."""
    with tarfile.open(backup) as old, tarfile.open(target, "w:gz") as new:
        for entry in old:
            content = old.extractfile(entry)
            assert content is not None
            data = change.get(entry.name, content.read())
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))
    return target


def manifest_of(backup: Path) -> dict[str, object]:
    """The table in a backup."""
    with tarfile.open(backup) as archive:
        content = archive.extractfile(MANIFEST)
        assert content is not None
        table: dict[str, object] = json.loads(content.read())
        return table


@pytest.mark.parametrize("name", ["guard", "../node.toml", "/etc/passwd", "data/agreement.wal"])
def test_a_manifest_that_names_what_may_not_come_back_is_refused(
    backup: Path, tmp_path: Path, name: str
) -> None:
    table = manifest_of(backup)
    files = table["files"]
    assert isinstance(files, dict)
    spoilt = {**table, "files": {**files, name: "00"}}
    bad = rewritten(backup, tmp_path / "bad", {MANIFEST: json.dumps(spoilt).encode()})
    with pytest.raises(InputRefusedError, match="no backup may hold"):
        restore(bad, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_without_a_ledger_is_refused(backup: Path, tmp_path: Path) -> None:
    table = manifest_of(backup)
    files = table["files"]
    assert isinstance(files, dict)
    spoilt = {**table, "files": {name: value for name, value in files.items() if name != LEDGER_FILE}}
    bad = rewritten(backup, tmp_path / "bad", {MANIFEST: json.dumps(spoilt).encode()})
    with pytest.raises(InputRefusedError, match="take itself for a new one"):
        restore(bad, tmp_path / "new")


def test_a_file_that_changed_is_named(backup: Path, tmp_path: Path) -> None:
    bad = rewritten(backup, tmp_path / "bad", {"members.toml": b"[peers]\n#"})
    with pytest.raises(InputRefusedError, match=r"members\.toml is damaged"):
        restore(bad, tmp_path / "new")
    assert list(tmp_path.iterdir()) == [bad]


@pytest.mark.parametrize("files", [[LEDGER_FILE], "ledger.sqlite", 7, None])
def test_a_manifest_whose_files_are_no_table_is_refused(backup: Path, tmp_path: Path, files: object) -> None:
    spoilt = {**manifest_of(backup), "files": files}
    bad = rewritten(backup, tmp_path / "bad", {MANIFEST: json.dumps(spoilt).encode()})
    with pytest.raises(InputRefusedError, match="manifest is damaged"):
        restore(bad, tmp_path / "new")


def test_a_bit_that_flipped_anywhere_changes_nothing_or_puts_nothing_back(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # thousands of files that nobody keeps
    whole, bad, new = backup.read_bytes(), tmp_path / "bad", tmp_path / "new"
    manifest = restore(backup, tmp_path / "good")
    for at in range(len(whole)):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            restored = restore(bad, new)
        except InputRefusedError:
            assert not new.exists(), f"byte {at}"
        else:
            assert restored == manifest, f"byte {at}"
            for name in manifest.files:
                assert (new / name).read_bytes() == (tmp_path / "good" / name).read_bytes(), f"byte {at}"
            shutil.rmtree(new)


def test_compression_that_breaks_amid_a_file_is_a_refusal(backup: Path, tmp_path: Path) -> None:
    with tarfile.open(backup) as archive:
        ledger = archive.getmember(LEDGER_FILE)
    amid = ledger.offset_data + ledger.size // 2
    compressor = zlib.compressobj(wbits=31)
    whole = gzip.decompress(backup.read_bytes())
    sound = compressor.compress(whole[:amid]) + compressor.flush(zlib.Z_SYNC_FLUSH)
    (tmp_path / "bad").write_bytes(sound + b"\x07" + bytes(8))  # three ones are no type of a block
    with pytest.raises(InputRefusedError, match=r"cannot be read.*invalid block type"):
        restore(tmp_path / "bad", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]
