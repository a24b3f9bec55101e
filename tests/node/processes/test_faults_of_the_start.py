"""What a daemon refuses at its start: one plain line, the documented exit status, and nothing left running."""

import shutil
import signal
import socket
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, ended, found, is_alive, refusal
from nacl.signing import SigningKey

from ledger.files.directory import CONSENSUS_KEY_FILE, GUARD_FILE
from ledger.files.keys import create_key
from ledger.files.sign_guard import SignGuard
from node.daemon.runtime import run_daemon
from node.exit_codes import ExitCode
from node.founding.founding import CONFIG_FILE
from sim.testnet.processes import Daemon

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("daemon")]


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """A cell of one home that never ran."""
    return found(tmp_path / "cell", 1, interval_real_s=1.0)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    """A cell of one home that has decided a block and was stopped."""
    cell = found(tmp_path_factory.mktemp("history") / "cell", 1, interval_real_s=1.0)
    with ended(cell):
        cell.started(cell.daemons[0])
        trio.run(cell.blocks, 1)
        assert trio.run(cell.stop) == {cell.daemons[0].name: 0}
    return cell


@pytest.fixture
def stopped(history: Cell, tmp_path: Path) -> Cell:
    """A copy of that cell, to be spoilt."""
    return history.copy(tmp_path / "cell")


def edit(daemon: Daemon, old: str, new: str) -> None:
    """Change the daemon's configuration."""
    path = daemon.directory / CONFIG_FILE
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


async def test_every_mistake_of_a_configuration_gets_one_line_with_its_key_and_what_is_allowed(
    cell: Cell, capsys: pytest.CaptureFixture[str]
) -> None:
    (daemon,) = cell.daemons
    edit(daemon, 'listen = "/ip4/', 'listen = "tcp://')
    edit(daemon, "[network]", "[network]\nport = 9400")
    edit(daemon, "[timing]", "[timing]\ngate_margin_real_ms = 5")
    assert run_daemon(daemon.directory / CONFIG_FILE, None) is ExitCode.USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert any("network.listen" in line and "/ip4/192.0.2.7/tcp/9400" in line for line in lines)
    assert any(
        "network.port: unknown key; allowed here: listen, addresses, members, peers" in line for line in lines
    )
    assert any("timing.gate_margin_real_ms" in line and "10" in line and "found 5" in line for line in lines)


async def test_a_second_daemon_on_a_directory_names_the_first_and_leaves_it_alone(cell: Cell) -> None:
    (first,) = cell.daemons
    with ended(cell):
        cell.started(first)
        await cell.blocks(1)
        second = Daemon(first.directory)
        second.start()
        status, reason = await refusal(second)
        assert status == ExitCode.DIRECTORY_IN_USE
        assert first.process is not None
        assert f"process {first.process.pid} " in reason
        await cell.blocks(1)
        assert await cell.stop() == {first.name: 0}


async def test_a_node_without_its_guard_only_reads(stopped: Cell) -> None:
    (daemon,) = stopped.daemons
    with ended(stopped):
        (daemon.directory / GUARD_FILE).unlink()
        stopped.started(daemon)
        reason = await stopped.only_reads(daemon)
        assert await stopped.stop() == {daemon.name: 0}
    assert "guard" in reason and "must not sign" in reason
    assert not (daemon.directory / GUARD_FILE).exists()


async def test_a_node_whose_guard_knows_more_of_its_feed_than_the_ledger_signs_nothing(stopped: Cell) -> None:
    (daemon,) = stopped.daemons
    with ended(stopped):
        guard = SignGuard.open(daemon.directory / GUARD_FILE)
        guard.advance_feed(guard.last.feed_incarnation, guard.last.feed_sequence + 1, bytes(32))
        guard.close()
        stopped.started(daemon)
        await stopped.wait(
            lambda: daemon.view.behind_guard and daemon.view.listening, 60, "the node to say so"
        )
        assert await stopped.stop() == {daemon.name: 0}
    assert not daemon.view.active


async def test_a_consensus_key_that_the_genesis_does_not_name_is_refused(cell: Cell) -> None:
    (daemon,) = cell.daemons
    path = daemon.directory / CONSENSUS_KEY_FILE
    path.unlink()
    assert isinstance(create_key(path), SigningKey)
    with ended(cell):
        cell.started(daemon)
        status, reason = await refusal(daemon)
    assert status == ExitCode.USAGE
    assert str(path) in reason and "consensus key" in reason


async def test_the_genesis_of_another_cell_is_refused(stopped: Cell, tmp_path: Path) -> None:
    (daemon,) = stopped.daemons
    with ended(stopped):
        other = found(tmp_path / "other", 1)
        shutil.copy(other.prepared.directory / "cell" / "genesis.cbor", stopped.prepared.directory / "cell")
        daemon.start()
        status, reason = await refusal(daemon)
    assert status == ExitCode.USAGE
    assert "genesis.cbor" in reason


async def test_an_address_in_use_is_named(cell: Cell) -> None:
    (daemon,) = cell.daemons
    port = int((daemon.directory / CONFIG_FILE).read_text("utf-8").split("/tcp/")[1].split('"')[0])
    with socket.create_server(("127.0.0.1", port)), ended(cell):
        cell.started(daemon)
        status, reason = await refusal(daemon)
    assert not is_alive(daemon.view.control_pid)
    assert status == ExitCode.NETWORK
    assert str(port) in reason


async def test_a_control_process_that_cannot_start_ends_the_daemon_with_its_words(cell: Cell) -> None:
    (daemon,) = cell.daemons
    (daemon.directory / "control.state").write_text("rotten", "utf-8")
    with ended(cell):
        cell.started(daemon)
        status, reason = await refusal(daemon)
    assert status == ExitCode.DEVICES
    assert "control.state" in reason


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_asked_to_stop_while_it_waits_for_the_clock_it_leaves_with_status_zero(
    cell: Cell, number: signal.Signals
) -> None:
    (daemon,) = cell.daemons
    with ended(cell):
        daemon.start()
        await cell.wait(lambda: daemon.view.ready, 60, "ready")
        daemon.signal(number)
        assert await refusal(daemon) == (ExitCode.OK, "")


async def test_an_address_that_is_not_ours_is_named(cell: Cell) -> None:
    (daemon,) = cell.daemons
    edit(daemon, 'listen = "/ip4/127.0.0.1/', 'listen = "/ip4/203.0.113.7/')
    with ended(cell):
        cell.started(daemon)
        status, reason = await refusal(daemon)
    assert status == ExitCode.NETWORK
    assert "203.0.113.7" in reason


async def test_a_daemon_killed_while_it_waits_for_the_clock_starts_again(cell: Cell) -> None:
    (daemon,) = cell.daemons
    with ended(cell):
        daemon.start()
        await cell.wait(lambda: daemon.view.ready, 60, "ready")
        daemon.signal(signal.SIGKILL)
        await daemon.ended()
        cell.started(daemon)
        await cell.blocks(1)
        assert await cell.stop() == {daemon.name: 0}
