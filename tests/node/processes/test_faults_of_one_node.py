"""One of seven nodes fails, each time differently, and the cell goes on; then the node trades again."""

import os
import random
import signal
from collections.abc import Iterator

import pytest
import trio
from cell_of_processes import Cell, double_votes, ended, is_alive, running

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """Seven daemons that run through all tests of this file; stopped and verified at the end."""
    with running(tmp_path_factory.mktemp("seven"), 7) as cell, ended(cell):
        yield cell
        assert set(trio.run(cell.stop).values()) == {0}
        cell.expect_sound()


async def test_killed_at_any_moment_it_recovers_never_signs_twice_and_trades_again(cell: Cell) -> None:
    chance = random.Random(2)
    await cell.blocks(1)
    victim = chance.choice(cell.daemons)
    looks = iter(range(chance.randrange(30)))
    await cell.wait(lambda: next(looks, None) is None, 30, "a random moment")
    victim.signal(signal.SIGKILL)
    await victim.ended()
    await cell.blocks(2, cell.others(victim))
    control = victim.view.control_pid
    await cell.restart(victim)
    await cell.trades_again(victim)
    assert victim.view.control_pid == control, "the devices had no other master meanwhile"
    await cell.has_read_every_interval(victim)
    assert double_votes(cell.daemons) == []


async def test_stopped_for_three_intervals_it_catches_up_and_trades_again(cell: Cell) -> None:
    victim = cell.daemons[3]
    victim.signal(signal.SIGSTOP)
    await cell.blocks(3, cell.others(victim))
    victim.signal(signal.SIGCONT)
    await cell.trades_again(victim)
    assert victim.running
    assert double_votes(cell.daemons) == []


async def test_its_control_process_is_replaced_when_it_is_killed(cell: Cell) -> None:
    victim = cell.daemons[5]
    await cell.wait(lambda: is_alive(victim.view.control_pid), 30, "control is there")
    control = victim.view.control_pid
    assert control is not None
    os.kill(control, signal.SIGKILL)
    await cell.wait(
        lambda: victim.view.control_pid != control and is_alive(victim.view.control_pid), 30, "a new control"
    )
    await cell.trades_again(victim)
