"""Real daemons on loopback: a street trades with its district over a gateway, and alone while the line is cut."""

import shutil
import socket
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from cell_of_processes import INTERVAL_S, START_S, Cell, ended, homes_that_trade

from ledger.chain.replay import replay
from ledger.records.genesis import member_id
from market.cell import EnergyCell
from market.federation.parent_rule import parent_rule
from market.outcomes import BlockOutcomes
from node.config_file import config_text
from node.founding import CARD_FILE, CONFIG_FILE, CellTerms
from node.ledger_view import opened
from node.member_card import MemberCard, read_card
from sim.testnet.preparation import Parameters, prepare
from sim.testnet.processes import Daemon
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

REAL_S = 8.0
"""Real seconds of an interval: a machine under load still gets from gate to gate."""
PARAMETERS = Parameters(2, 60, round(INTERVAL_S / REAL_S), "constant", "none", 0)


def founded(directory: Path) -> tuple[Cell, Cell]:
    """A district, whose first home is the gateway, and a street with sun below it, whose second home has it."""
    homes = homes_that_trade(2)
    dark = replace(homes, homes=(homes.homes[1], homes.homes[1]))
    sunny = replace(homes, homes=(homes.homes[1], homes.homes[0]))

    def above(terms: CellTerms, cards: list[MemberCard]) -> CellTerms:
        return replace(terms, gate_lead_s=INTERVAL_S * 3 // 4)

    district = prepare(directory / "district", PARAMETERS, dark, above)

    def below(terms: CellTerms, cards: list[MemberCard]) -> CellTerms:
        gateway = member_id(bytes.fromhex(cards[0].feed_key))
        rule = parent_rule(district.genesis, INTERVAL_S * 3 // 4, "home-01", gateway)
        return replace(terms, gate_lead_s=INTERVAL_S // 5, parent=rule)

    street = prepare(directory / "street", PARAMETERS, sunny, below)
    ends = district.nodes[0], street.nodes[0]
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
            ports.append(f"/ip4/127.0.0.1/tcp/{free.getsockname()[1]}")
    for side, here, there, listen, reach in (
        ("parent", ends[0], ends[1], ports[0], ports[1]),
        ("cell", ends[1], ends[0], ports[1], ports[0]),
    ):
        path = here / CONFIG_FILE
        table = tomllib.loads(path.read_text("utf-8"))
        key = read_card(there / CARD_FILE).feed_key
        table["gateway"] = {"side": side, "listen": listen, "peer": key, "addresses": [reach]}
        path.write_text(config_text(table), "utf-8")
    cells = (Cell(each, [Daemon(node) for node in each.nodes]) for each in (district, street))
    one_cell, other_cell = cells
    return one_cell, other_cell


def positions(cell: Cell, place: int) -> dict[int, int]:
    """By interval what a node's member contracted, re-derived from the files of its second node, mWh."""
    member = cell.member(cell.daemons[place])
    found = {}
    with opened(cell.daemons[1].directory) as (genesis, store):
        for block in replay(store, genesis, EnergyCell()):
            assert isinstance(block.outcomes, BlockOutcomes)
            position = block.outcomes.position_of(member)
            if position:
                found[block.tip.last_interval] = position
    return found


async def test_a_street_sells_to_its_district_and_alone_while_the_line_is_cut(tmp_path: Path) -> None:
    district, street = founded(tmp_path)
    with ended(district, street):
        for daemon in (*district.daemons, *street.daemons):
            daemon.start()
        both = [*district.daemons, *street.daemons]

        def ready() -> bool:
            for daemon in both:
                daemon.follow()
            return all(daemon.view.ready for daemon in both)

        assert await until(ready, START_S)
        # One clock for both cells.
        district.prepared.start_clock(time.time_ns(), 4.0)
        shutil.copy(district.prepared.clock_path, street.prepared.clock_path)
        await street.blocks(4, timeout_s=100)
        await district.leave(district.daemons[0])
        at = max(daemon.view.interval for daemon in street.daemons)
        await street.blocks(3, timeout_s=100)
        await street.stop()
        await district.stop()
    above, below = positions(district, 0), positions(street, 0)
    crossed = {interval for interval in below if interval <= at}
    assert crossed
    assert {interval: -position for interval, position in below.items()} == {
        interval: above[interval] for interval in below
    }
    assert max(below) <= at + 1
