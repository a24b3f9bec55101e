"""Real daemons on loopback: a street trades with its district over a gateway, and alone while the line is cut."""

import shutil
import socket
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from cell_of_processes import INTERVAL_S, START_S, Cell, ended, homes_that_trade

from ledger.audit.audit import verify_directory
from ledger.chain.replay import replay
from ledger.records.genesis import member_id
from market.cell import EnergyCell
from market.federation.parent_rule import parent_rule
from market.feeder import Feeder, Grid
from market.outcomes import BlockOutcomes
from node.config_file import config_text
from node.founding import CARD_FILE, CONFIG_FILE, CellTerms
from node.ledger_view import opened
from node.member_card import MemberCard, read_card
from sim.testnet.preparation import Parameters, prepare
from sim.testnet.processes import Daemon
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

REAL_S = 6.0
"""Real seconds of an interval: six daemons on two cores still get from gate to gate."""
GRID = Grid(300_000, 50_000)
PARAMETERS = Parameters(2, 60, round(INTERVAL_S / REAL_S), "constant", "none", 0)


def founded(directory: Path) -> tuple[Cell, Cell, Cell]:
    """A district of two gateways, a street below it whose second home has sun, and one whose second home has none."""
    homes = homes_that_trade(2)
    sunny, dark = homes.homes

    def above(terms: CellTerms, cards: list[MemberCard]) -> CellTerms:
        cards[:] = on_one_branch(cards)
        return replace(terms, gate_lead_s=INTERVAL_S * 3 // 4, feeder=Feeder.single(GRID))

    district = prepare(directory / "district", PARAMETERS, replace(homes, homes=(dark, dark)), above)
    streets = []
    for place, home in enumerate((sunny, dark)):

        def below(terms: CellTerms, cards: list[MemberCard], place: int = place) -> CellTerms:
            cards[:] = on_one_branch(cards)
            gateway = member_id(bytes.fromhex(cards[0].feed_key))
            rule = parent_rule(district.genesis, INTERVAL_S * 3 // 4, f"home-0{place + 1}", gateway)
            return replace(terms, gate_lead_s=INTERVAL_S // 5, parent=rule, feeder=Feeder.single(GRID))

        both = replace(homes, homes=(dark, home))
        streets.append(prepare(directory / f"street-{place + 1}", PARAMETERS, both, below))
        link(district.nodes[place], streets[place].nodes[0])
    one, two, three = (Cell(each, [Daemon(node) for node in each.nodes]) for each in (district, *streets))
    return one, two, three


def on_one_branch(cards: list[MemberCard]) -> list[MemberCard]:
    return [card.model_copy(update={"branch": None}) for card in cards]


def link(parent: Path, child: Path) -> None:
    """Configure the line between the two nodes of a gateway."""
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        ends = [f"/ip4/127.0.0.1/tcp/{free.getsockname()[1]}" for free in (one, other)]
    for side, here, there, listen, reach in (
        ("parent", parent, child, *ends),
        ("cell", child, parent, *reversed(ends)),
    ):
        table = tomllib.loads((here / CONFIG_FILE).read_text("utf-8"))
        key = read_card(there / CARD_FILE).feed_key
        table["gateway"] = {"side": side, "listen": listen, "peer": key, "addresses": [reach]}
        (here / CONFIG_FILE).write_text(config_text(table), "utf-8")


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


async def test_a_street_sells_to_another_through_the_district_and_alone_while_the_line_is_cut(
    tmp_path: Path,
) -> None:
    district, sunny, dark = cells = founded(tmp_path)
    daemons = [daemon for cell in cells for daemon in cell.daemons]

    def ready() -> bool:
        for daemon in daemons:
            daemon.follow()
        return all(daemon.view.ready for daemon in daemons)

    with ended(*cells):
        for daemon in daemons:
            daemon.start()
        assert await until(ready, START_S)
        district.prepared.start_clock(time.time_ns(), 4.0)
        for street in (sunny, dark):  # one clock for all
            shutil.copy(district.prepared.clock_path, street.prepared.clock_path)
        await sunny.blocks(4, timeout_s=100)
        await district.leave(district.daemons[0])  # the sunny street's gateway there
        cut = max(daemon.view.interval for daemon in sunny.daemons)
        await sunny.blocks(3, timeout_s=100)
        for cell in cells:
            await cell.stop()
    for daemon in daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None
    for place, street in enumerate((sunny, dark)):
        above, below = positions(district, place), positions(street, 0)
        assert below, f"nothing crossed the gateway of street {place + 1}"
        assert {interval: -position for interval, position in below.items()} == {
            interval: above[interval] for interval in below
        }
        assert max(below) <= cut + 1
    assert min(positions(district, 0).values()) > 0
