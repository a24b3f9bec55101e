"""Real daemons on loopback: a street trades with another over the district, and alone while their gateway is still."""

import json
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cell_of_processes import INTERVAL_S, homes_that_trade

from sim.testnet.federation.run import run_cells
from sim.testnet.federation.show import CellsProgress, show_cells
from sim.testnet.preparation import Parameters
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes

REAL_S = 6.0
"""Real seconds of an interval: a machine under load still gets from gate to gate."""
INTERVALS = 7
STILL_AFTER, STILL_FOR = 2, 2
"""Intervals of the streets before the district's gateway stops answering, and before it does again."""


@dataclass
class Stillness:
    """Stops one of the district's two nodes for a while: without a quorum it decides nothing, proofs do not come."""

    shown: CellsProgress
    begun: int = 0
    over: bool = False
    intervals: list[int] = field(default_factory=list)

    def update(self, names: tuple[str, ...], cells: list[list[Daemon]], first: int) -> None:
        self.shown.update(names, cells, first)
        decided = min(daemon.view.interval for street in cells[1:] for daemon in street)
        gateway = cells[0][0]
        if not self.begun and decided >= first + STILL_AFTER:
            self.begun = decided
            gateway.signal(signal.SIGSTOP)
        elif self.begun and not self.over and decided >= self.begun + STILL_FOR:
            self.over = True
            gateway.signal(signal.SIGCONT)


async def test_streets_trade_through_the_district_and_each_alone_while_it_is_still(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = Parameters(2, INTERVALS, round(INTERVAL_S / REAL_S), "constant", "none", 0)
    stillness = Stillness(CellsProgress(INTERVALS, INTERVAL_S))
    summary = await run_cells(tmp_path / "cells", parameters, homes_that_trade(2), 2, 0, stillness.update)
    assert summary["ok"], json.dumps(summary)
    assert stillness.over
    crossed = [each for each in summary["transfers"] if each["filled_kwh"]]
    by_street = {
        name: [each["filled_kwh"] for each in crossed if each["street"] == name]
        for name in ("street-1", "street-2")
    }
    assert by_street["street-1"]
    assert by_street["street-2"]
    assert min(by_street["street-1"]) > 0, "the sunny street sells"
    assert max(by_street["street-2"]) < 0, "the dark street buys"
    assert all(each["proven"] for each in crossed)
    # The interval that was open when it stopped may have been proven already; the next one cannot be.
    assert stillness.begun + STILL_FOR not in {each["interval"] for each in crossed}
    for cell in summary["cells"][1:]:
        assert str(stillness.begun + STILL_FOR) in cell["prices"], "a street waits for nobody"
    show_cells(summary, INTERVAL_S)
    shown = capsys.readouterr()
    assert "all of it holds" in shown.out
    assert "district" in shown.err
