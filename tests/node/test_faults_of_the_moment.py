"""The power goes at every moment that matters between log, guard, ledger and network."""

from pathlib import Path

import pytest
from cell_of_processes import ended, found
from daemon_that_dies import POINTS

pytestmark = pytest.mark.processes

DIES = str(Path(__file__).parent / "processes" / "daemon_that_dies.py")


async def test_wherever_the_power_goes_nothing_is_signed_twice_and_the_chain_goes_on(tmp_path: Path) -> None:
    cell = found(tmp_path / "cell", 1, interval_real_s=1.0)
    (daemon,) = cell.daemons
    with ended(cell):
        for point in POINTS:
            cell.started(daemon, program=(DIES, point))
            assert await daemon.ended() == -9, point
        await cell.restart(daemon)
        await cell.trades_again(daemon)
        assert await cell.stop() == {daemon.name: 0}
    cell.expect_sound()
