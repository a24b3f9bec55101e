"""Real daemons go on to another version of the protocol; the one whose program lacks it stops, and is upgraded."""

import json
from pathlib import Path

import pytest
from cell_of_processes import START_S, ended, found

from ledger.audit.audit import verify_directory
from ledger.membership.protocol import Protocol
from ledger.records import protocols
from market.cell import EnergyCell
from node.cli import cell_protocol
from node.views.protocol_view import read_versions
from sim.testnet.layout import CELL_DIRECTORY
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

NEW = (str(Path(__file__).parent / "daemon_that_knows.py"), "1,2")


async def test_a_cell_switches_and_who_lacks_the_version_stops_until_it_is_upgraded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = found(tmp_path / "cell", 4, interval_real_s=2.0)
    *ahead, behind = cell.daemons
    place = ahead[0].directory

    def protocol() -> Protocol:
        return read_versions(place).membership.protocol

    with ended(cell):
        for daemon in ahead:
            cell.started(daemon, NEW)
        cell.started(behind)
        await cell.blocks(1)
        assert await until(lambda: len(protocol().supports) == 3, START_S), "they say what they know"
        height = cell.height + 6
        cell_protocol.protocol(version=2, height=height, cell=tmp_path / "cell" / CELL_DIRECTORY, node=place)
        assert "Now 3 of 4 validators know it." in capsys.readouterr().out

        reason = await cell.only_reads(behind)
        assert "speaks protocol 2" in reason
        assert "upgrade it" in reason
        assert behind.running
        assert behind.view.height == height - 1
        await cell.blocks(3, ahead)
        assert behind.view.height == height - 1
        monkeypatch.setattr(protocols, "KNOWN", (1, 2))
        cell_protocol.versions(place, as_json=True)
        shown = json.loads(capsys.readouterr().out)
        assert (shown["version"], shown["agreed"], shown["refused"]) == (2, None, None)
        assert [member["knows"] for member in shown["members"]].count([1, 2]) == 3
        cell_protocol.versions(place)
        assert "protocol 2" in capsys.readouterr().out

        await cell.leave(behind)
        starts = behind.view.starts
        behind.start(program=NEW)
        await cell.wait(lambda: behind.view.starts > starts and behind.view.active, START_S, "it is back")
        await cell.blocks(2)
        await cell.stop()
    for daemon in cell.daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None
