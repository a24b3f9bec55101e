"""Real daemons: a dso buys a service, calls it, members share the call and are paid; alarms and an emergency stop."""

from pathlib import Path

import pytest
from cell_of_processes import Cell, ended, found, said, stores

from ledger.audit.audit import verify_directory
from market.cell import EnergyCell
from market.outcomes import BlockOutcomes
from market.services.payments import ServiceLine
from node.alarms.alarm_view import read_alarms
from node.cli import alarms, device_commands, dso
from node.views.ledger_view import blocks
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

HOUR_S = 3600
FLEX = {"service": "village-flex", "up_w": 1000.0, "down_w": 500.0, "sustain_s": 600.0}


def service_lines(daemon: Daemon) -> list[ServiceLine]:
    found_lines = []
    for each in blocks(daemon.directory):
        assert isinstance(each.outcomes, BlockOutcomes)
        found_lines += each.outcomes.services
    return found_lines


async def test_a_called_service_is_shared_paid_and_stopped(tmp_path: Path) -> None:
    cell = found(tmp_path / "cell", 4, interval_real_s=3.0)
    operator, neighbour = cell.daemons[:2]
    for daemon in (operator, neighbour):
        stores(daemon, requested_services=[FLEX])  # part of its battery for the dso's requests
    node = operator.directory
    with ended(cell):
        await cell.start()
        dso.service(
            "village-flex",
            node=node,
            from_interval=cell.daemons[0].view.interval + 4,
            requested=True,
            up_w=1500,
            up_price="0.02",
            up_energy_price="0.50",
        )
        await is_armed(cell, operator)
        dso.request("village-flex", 1200, node=node, for_s=3 * HOUR_S)
        both = (operator, neighbour)
        await cell.wait(
            lambda: all(any(line["power_mw"] == 600_000 for line in said(each, "share")) for each in both),
            40,
            "each of the two gives half of what is called",
        )
        await paid(cell, operator)
        device_commands.stop(node=node, everybody=True)
        await cell.wait(
            lambda: all(
                any(line["mode"] == "emergency-stop" for line in said(each, "mode")) for each in cell.daemons
            ),
            40,
            "everybody has stopped",
        )
        await stopped_control_says_so(cell, neighbour)
        await cell.stop()
    cell.expect_sound()
    for daemon in cell.daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None
    assert all(line.payer == cell.member(operator) for line in service_lines(operator))


async def is_armed(cell: Cell, operator: Daemon) -> None:
    """Wait until two members have armed in the agreed state and the next interval is theirs."""

    def armed() -> bool:
        replayed = blocks(operator.directory)
        tip = replayed[-1].tip
        return len(tip.state.services.armed_at(b"village-flex", tip.last_interval - 1)) == 2

    for _ in range(20):
        await cell.blocks(1)
        if armed():
            return
    raise AssertionError("two members have not armed within twenty intervals")


async def paid(cell: Cell, operator: Daemon) -> None:
    """Wait until an interval with the request is settled with energy activated and availability paid."""

    def activated() -> bool:
        lines = service_lines(operator)
        return any(line.activated > 0 and line.capacity_money > 0 and line.required for line in lines)

    for _ in range(20):
        await cell.blocks(1)
        if activated():
            return
    raise AssertionError("no activation was paid within twenty intervals")


async def stopped_control_says_so(cell: Cell, neighbour: Daemon) -> None:
    """A circuit that does not exist cannot be released: the alarm is in every ledger, and is acknowledged."""
    device_commands.release("house", node=neighbour.directory)
    witness = cell.daemons[2]

    def told() -> bool:
        return any(alarm.name == "lease-refused" for alarm in read_alarms(witness.directory))

    await cell.wait(told, 40, "the alarm has reached another node")
    (alarm, *_) = [each for each in read_alarms(witness.directory) if each.name == "lease-refused"]
    assert alarm.member == cell.member(neighbour) and alarm.momentary and alarm.open
    alarms.acknowledge(alarm.id.hex()[:16], node=cell.daemons[0].directory)

    def seen() -> bool:
        found_alarms = {each.id: each for each in read_alarms(witness.directory)}
        return found_alarms[alarm.id].acknowledged_by == cell.daemons[0].name

    await cell.wait(seen, 40, "the acknowledgement has reached another node")
