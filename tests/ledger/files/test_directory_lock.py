"""One daemon per directory."""

import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ledger.files.directory import LOCK_FILE
from ledger.files.directory_lock import DirectoryLock
from ledger.files.errors import DirectoryInUse, StorageUnavailable


def test_a_second_opener_is_refused_and_told_who_was_first(tmp_path):
    with (
        DirectoryLock(tmp_path, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        pytest.raises(DirectoryInUse) as caught,
    ):
        DirectoryLock(tmp_path)
    assert f"process {os.getpid()} on " in str(caught.value)
    assert "since 2026-01-02 03:04:05 UTC" in str(caught.value)


def test_the_lock_ends_with_its_release_and_with_its_process(tmp_path):
    DirectoryLock(tmp_path).release()
    program = (
        "import os, pathlib; from ledger.files.directory_lock import DirectoryLock;"
        f" lock = DirectoryLock(pathlib.Path({str(tmp_path)!r})); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    with DirectoryLock(tmp_path):
        assert f"process {os.getpid()} " in (tmp_path / LOCK_FILE).read_text()


def test_a_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StorageUnavailable, match="none"):
        DirectoryLock(tmp_path / "none")
