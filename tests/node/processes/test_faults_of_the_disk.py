"""A disk that takes nothing more, and how daemons end: devices safe, nothing agreed lost, a documented status."""

import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from cell_of_processes import Cell, ended, found, is_alive, refusal

from ledger.audit.audit import verify_directory
from ledger.files.directory import LEDGER_FILE
from market.cell import EnergyCell
from node.exit_codes import ExitCode
from sim.testnet.layout import DAEMON_LOG

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("daemon")]

BUG = (str(Path(__file__).parent / "daemon_with_a_bug.py"),)


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """A cell of one home, not started."""
    return found(tmp_path / "cell", 1, interval_real_s=1.0)


def unprivileged() -> Sequence[str]:
    """A wrapper under which even root may not write what is read-only."""
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


def height_of(cell: Cell) -> int:
    """The height that the ledger of the only node verifies to."""
    report = verify_directory(cell.daemons[0].directory, EnergyCell())
    assert report.failure is None
    assert report.tip is not None
    return report.tip.height


async def test_on_a_full_disk_it_says_so_frees_its_devices_and_loses_nothing(cell: Cell) -> None:
    (daemon,) = cell.daemons
    with ended(cell):
        cell.started(daemon)
        await cell.blocks(2)
        assert daemon.process is not None
        written = (daemon.directory / f"{LEDGER_FILE}-wal").stat().st_size
        assert (daemon.directory / DAEMON_LOG).stat().st_size < written / 2
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (written, written))
        status, reason = await refusal(daemon)
        assert status == ExitCode.STORAGE
        assert LEDGER_FILE in reason and "disk" in reason
        assert not is_alive(daemon.view.control_pid)
        assert height_of(cell) == daemon.view.height
        await cell.restart(daemon)
        await cell.trades_again(daemon)
        assert await cell.stop() == {daemon.name: 0}
    cell.expect_sound()


async def test_a_read_only_ledger_is_named_before_anything_is_signed(cell: Cell) -> None:
    (daemon,) = cell.daemons
    ledger = daemon.directory / LEDGER_FILE
    with ended(cell):
        cell.started(daemon)
        await cell.blocks(1)
        assert await cell.stop() == {daemon.name: 0}
        ledger.chmod(0o444)
        daemon.start(unprivileged())
        status, reason = await refusal(daemon)
        assert status == ExitCode.STORAGE
        assert str(ledger) in reason and "allow this user to write" in reason
        ledger.chmod(0o644)
        await cell.restart(daemon)
        await cell.blocks(1)
        await cell.stop()
    cell.expect_sound()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_asked_to_stop_it_leaves_with_status_zero_and_takes_control_along(
    cell: Cell, number: signal.Signals
) -> None:
    (daemon,) = cell.daemons
    with ended(cell):
        cell.started(daemon)
        await cell.blocks(1)
        await cell.wait(lambda: is_alive(daemon.view.control_pid), 10, "control is there")
        daemon.signal(number)
        status, reason = await refusal(daemon)
        assert (status, reason) == (ExitCode.OK, "")
        assert not is_alive(daemon.view.control_pid)


async def test_a_bug_of_ours_ends_it_with_its_own_status_a_trace_and_the_device_safe(cell: Cell) -> None:
    (daemon,) = cell.daemons
    with ended(cell):
        cell.started(daemon, program=BUG)
        assert await daemon.ended() == ExitCode.BUG
        daemon.follow()
        assert "a planted bug" in (daemon.view.failure or "")
        assert "Traceback" in (daemon.directory / DAEMON_LOG).read_text("utf-8")
        assert not is_alive(daemon.view.control_pid)
        assert height_of(cell) == 1
        await cell.restart(daemon)
        await cell.trades_again(daemon)
        await cell.stop()
    cell.expect_sound()
