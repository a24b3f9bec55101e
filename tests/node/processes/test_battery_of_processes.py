"""Real daemons: two members become one virtual battery, one bids for both, they share it out, and part again."""

from pathlib import Path

import pytest
from cell_of_processes import Cell, anchored, ended, found, said, stores

from ledger.audit.audit import verify_directory
from market.cell import EnergyCell
from market.outcomes import BlockOutcomes, SettlementLine
from market.payloads import Kind
from node.cli import virtual_battery
from node.views.ledger_view import blocks
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes


def shares(daemon: Daemon) -> dict[int, int]:
    """What a daemon has reckoned as its own share of what was contracted, by interval."""
    return {int(each["interval"]): int(each["energy_mwh"]) for each in said(daemon, "battery_share")}


def outcomes(daemon: Daemon) -> list[BlockOutcomes]:
    return [each.outcomes for each in blocks(daemon.directory) if isinstance(each.outcomes, BlockOutcomes)]


def lines_of(daemon: Daemon, member: bytes) -> dict[int, SettlementLine]:
    """The first settlement of each interval of a member."""
    return {
        line.interval: line
        for each in outcomes(daemon)
        for settlement in each.settlements
        for line in settlement.lines
        if line.member == member and not line.correction
    }


async def test_two_members_trade_as_one_virtual_battery_and_part_again(tmp_path: Path) -> None:
    cell = found(tmp_path / "cell", 4, interval_real_s=3.0)
    _, aggregator, member, _ = cell.daemons  # homes without a battery are neighbours: the north
    for daemon in (member, aggregator):
        stores(daemon)
    with ended(cell):
        await cell.start()
        virtual_battery.join(aggregator.name, node=member.directory)
        virtual_battery.lead(member.name, node=aggregator.directory)
        together = await traded(cell, member, aggregator)
        await settled(cell, member, aggregator, together)
        virtual_battery.leave(node=member.directory)
        await cell.trades_again(member)
        await cell.stop()
    cell.expect_sound()
    for daemon in cell.daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None


async def traded(cell: Cell, member: Daemon, aggregator: Daemon) -> int:
    """Wait for an interval that the aggregator contracted for both, and whose shares both follow; its index."""
    witness = cell.daemons[0]
    for _ in range(20):
        await cell.blocks(1)
        for each in blocks(witness.directory):
            pending = each.tip.state.pending
            if pending is None or cell.member(member) not in pending.aggregators:
                continue
            followed = [shares(daemon).get(pending.interval) for daemon in (member, aggregator)]
            if None not in followed and pending.contracts.get(cell.member(aggregator)):
                assert sum(followed) == pending.contracts[cell.member(aggregator)]
                assert cell.member(member) not in pending.contracts
                return pending.interval
    raise AssertionError("no interval was traded as one within twenty blocks")


async def settled(cell: Cell, member: Daemon, aggregator: Daemon, interval: int) -> None:
    """Wait until that interval is settled: the member at what its meter shows, the aggregator with the rest."""
    witness = cell.daemons[0]
    await cell.wait(
        lambda: interval in lines_of(witness, cell.member(member)), 40, f"interval {interval} is settled"
    )
    line = lines_of(witness, cell.member(member))[interval]
    rest = lines_of(witness, cell.member(aggregator))[interval]
    assert line.imbalance == line.imbalance_money == 0
    assert line.contracted == line.metered != 0
    (contracted,) = [
        part.position
        for each in outcomes(witness)
        for part in each.clearing.members
        if each.clearing.interval == interval and part.member == cell.member(aggregator)
    ]
    assert line.contracted + rest.contracted == contracted
    assert interval not in anchored(cell.prepared, witness, cell.member(member), Kind.ORDER)
