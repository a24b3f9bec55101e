"""One of seven nodes fails, each time differently, and the cell goes on; then the node trades again."""

import random
import signal
from collections.abc import Iterator

import pytest
from cell_of_processes import Cell, double_votes, ended, running

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """Seven daemons that run through all tests of this file; stopped and verified at the end."""
    with running(tmp_path_factory.mktemp("seven"), 7) as cell, ended(cell):
        yield cell


async def test_killed_at_any_moment_it_recovers_never_signs_twice_and_trades_again(cell: Cell) -> None:
    chance = random.Random(2)
    await cell.blocks(1)
    victim = chance.choice(cell.daemons)
    looks = iter(range(chance.randrange(30)))
    await cell.wait(lambda: next(looks, None) is None, 30, "a random moment")
    victim.signal(signal.SIGKILL)
    await victim.ended()
    await cell.blocks(2, cell.others(victim))
    await cell.restart(victim)
    await cell.trades_again(victim)
    assert double_votes(cell.daemons) == []


async def test_stopped_for_three_intervals_it_catches_up_and_trades_again(cell: Cell) -> None:
    victim = cell.daemons[3]
    victim.signal(signal.SIGSTOP)
    await cell.blocks(3, cell.others(victim))
    victim.signal(signal.SIGCONT)
    await cell.trades_again(victim)
    assert victim.running
    assert double_votes(cell.daemons) == []
