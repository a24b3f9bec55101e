"""The power goes at every moment that matters between log, guard, ledger and network."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, ended, found
from daemon_that_dies import POINTS

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("daemon")]

DIES = str(Path(__file__).parent / "daemon_that_dies.py")


async def die_and_go_on(cell: Cell, points: Sequence[str]) -> None:
    """Let the only daemon of a cell die at one point after the other, then live."""
    (daemon,) = cell.daemons
    for point in points:
        cell.started(daemon, program=(DIES, point))
        assert await daemon.ended() == -9, point
    await cell.restart(daemon)
    await cell.trades_again(daemon)
    assert await cell.stop() == {daemon.name: 0}


async def test_wherever_the_power_goes_nothing_is_signed_twice_and_the_chain_goes_on(tmp_path: Path) -> None:
    first, second = (found(tmp_path / name, 1, interval_real_s=1.0) for name in ("first", "second"))
    with ended(first, second):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(die_and_go_on, first, list(POINTS)[::2])
            nursery.start_soon(die_and_go_on, second, list(POINTS)[1::2])
    first.expect_sound()
    second.expect_sound()
