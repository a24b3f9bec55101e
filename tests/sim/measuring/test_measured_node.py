"""The worlds of the benchmarks: the measured daemon decides every block, and its ledger and the scripted one hold."""

from pathlib import Path

import pytest

from ledger.audit import verify_directory
from ledger.directory import GENESIS_FILE
from market.cell import EnergyCell
from sim.measuring.measured_node import MeasuredNode


@pytest.mark.parametrize("size", [4, 7])
def test_the_measured_node_decides_what_the_scripts_wrote(tmp_path: Path, size: int) -> None:
    node = MeasuredNode(tmp_path, size)
    for _ in range(size):
        node.run_block(2)
    node.close()
    assert node.wall_s > 0
    assert set(node.sent) == {"entries", "votes", "sync", "swarm"}
    (tmp_path / GENESIS_FILE).write_bytes(node.cell.genesis.encode())
    report = verify_directory(tmp_path, EnergyCell())
    assert report.failure is None
    assert report.tip == node.cell.tip
    assert report.tip is not None
    assert report.tip.height == size
    assert report.entries == size * (size - 1) * 3
    assert report.votes == size * (1 + size + node.cell.tip.validators.quorum)
