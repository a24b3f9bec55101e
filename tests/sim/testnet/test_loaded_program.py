"""A daemon that is forked of a loaded program: words, environment, output and exit status are its own."""

import signal
from pathlib import Path

import pytest
from cell_of_processes import loaded

from node.exit_codes import ExitCode
from sim.testnet.loaded_program import LoadedProgram
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes


async def test_a_forked_command_has_its_own_words_directory_output_and_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (
        loaded().start(["-m", "node.cli.root", "node", "run", "--config", name], tmp_path / f"{name}.log")
        for name in ("one.toml", "two.toml")
    )
    assert await until(lambda: None not in (first.poll(), second.poll()), 60.0)
    assert (first.returncode, second.poll()) == (ExitCode.USAGE, ExitCode.USAGE)
    assert "one.toml" in (tmp_path / "one.toml.log").read_text("utf-8")
    assert "two.toml" in (tmp_path / "two.toml.log").read_text("utf-8")


async def test_at_the_end_of_the_program_nothing_that_it_started_is_left(tmp_path: Path) -> None:
    with LoadedProgram() as program:
        paused = program.start(["-m", "node.cli.root", "completion", "bash"], tmp_path / "log")
        paused.send_signal(signal.SIGSTOP)
        assert paused.poll() is None
    assert await until(lambda: not Path(f"/proc/{paused.pid}").exists(), 10.0)
    with pytest.raises(OSError):
        program.start([], tmp_path / "log")
