"""Releases beside each other: what is whole, what is removed, and what cannot be installed."""

from pathlib import Path

import pytest

from node.upgrade.errors import ReleaseRefusedError
from node.upgrade.installation import WHOLE, command_of, forget_others, install, is_installed, release_path
from node.upgrade.release import Release
from node.upgrade.supervision import Memory
from node.upgrade.supervisor_files import UpgradeFiles


def test_a_wheel_that_is_none_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    wheel = tmp_path / "wattswarm-0.2.0-py3-none-any.whl"
    wheel.write_bytes(b"no wheel")
    with pytest.raises(ReleaseRefusedError, match="cannot be installed"):
        install(tmp_path, Release("0.2.0", (1,), (wheel.name,)), [wheel])
    assert not release_path(tmp_path, "0.2.0").exists()


def test_a_release_that_was_interrupted_is_not_there(tmp_path: Path) -> None:
    release_path(tmp_path, "0.2.0").mkdir(parents=True)
    assert not is_installed(tmp_path, "0.2.0")
    (release_path(tmp_path, "0.2.0") / WHOLE).touch()
    assert is_installed(tmp_path, "0.2.0")
    assert command_of(tmp_path, "0.2.0") == [str(release_path(tmp_path, "0.2.0") / "bin" / "wattswarm")]
    assert command_of(tmp_path, None)[1:] == ["-m", "node.cli.root"]


def test_the_release_that_runs_and_the_one_before_it_stay(tmp_path: Path) -> None:
    for version in ("0.2.0", "0.3.0", "0.4.0"):
        release_path(tmp_path, version).mkdir(parents=True)
    forget_others(tmp_path, ("0.4.0", "0.3.0"))
    assert {path.name for path in release_path(tmp_path, "x").parent.iterdir()} == {"0.3.0", "0.4.0"}


def test_what_the_supervisor_remembers_reads_back(tmp_path: Path) -> None:
    files = UpgradeFiles(tmp_path)
    with files.locked():
        assert files.memory() == Memory()
        memory = Memory("0.2.0", None, "0.3.0", ("0.1.9", False, "it ended with status 70"))
        files.remember(memory)
        assert files.memory() == memory
        files.request("0.4.0")
        assert (files.take_request(), files.take_request()) == ("0.4.0", None)
