"""Candidates: one block id, one content, one verdict."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.chain import Draft, Tip, genesis_tip
from ledger.errors import MissingEntries
from ledger.feeds.feeds import Feeds
from ledger.heads import Head
from ledger.membership.members import Membership
from ledger.records.blocks import Block
from ledger.records.entries import Entry, author_entry
from ledger.records.votes import Certificate
from ledger.store.store import Store
from ledger.store.store_file import connect
from market.cell import EnergyCell
from market.cell_state import CellState
from market.payloads import Curve, Kind, Step, encode_order
from node.agreement.candidates import Candidates, Invalid, Leads
from node.agreement.gathering import Gathering
from node.constants import BLOCKS_HELD
from node.events import Now
from sim.cells.keys import FIRST_INTERVAL, Keys, founded

KEYS = [Keys.of(index) for index in range(2)]
GENESIS = founded(KEYS)
TIP: Tip[CellState] = genesis_tip(GENESIS, EnergyCell())
MEMORY = Path(":memory:")


def gathering() -> Gathering:
    membership = Membership.founding(GENESIS)
    store = Store(MEMORY, GENESIS.cell_id, connect(MEMORY, GENESIS.cell_id, create=True))
    return Gathering(Feeds(GENESIS.cell_id, membership), membership, store)


def filled(gathered: Gathering) -> Gathering:
    payload = encode_order(Curve((Step(100_000, 5),), ()))
    for keys in KEYS:
        entry = Entry(keys.public, 0, 0, None, int(Kind.ORDER), FIRST_INTERVAL, 1, payload)
        gathered.take([author_entry(keys.feed, GENESIS.cell_id, entry).envelope], Now(1, 1, 1))
    gathered.store.commit()
    return gathered


def candidates(gathered: Gathering) -> Candidates[CellState]:
    return Candidates(GENESIS.cell_id, EnergyCell(), gathered)


def draft(gathered: Gathering, time_ns: int = 10) -> Draft:
    heads = gathered.heads_for(FIRST_INTERVAL, 1_000)
    return Draft(0, time_ns, FIRST_INTERVAL, heads, (), None)


def proposed(time_ns: int = 10) -> Block:
    """A block that some other node built of two orders."""
    gathered = filled(gathering())
    building = candidates(gathered)
    block = building.get(building.build(TIP, draft(gathered, time_ns)))
    assert block is not None
    return block


def test_a_block_of_our_own_is_held_and_judged_by_building_it() -> None:
    gathered = filled(gathering())
    building = candidates(gathered)
    block_id = building.build(TIP, draft(gathered))
    block = building.get(block_id)
    assert block is not None and isinstance(building.judge(TIP, block), Leads)


def test_what_is_missing_is_told_until_it_is_here() -> None:
    gathered = gathering()
    judging = candidates(gathered)
    block = proposed()
    with pytest.raises(MissingEntries) as caught:
        judging.judge(TIP, block)
    assert caught.value.wanted == block.heads
    filled(gathered)
    assert isinstance(judging.judge(TIP, block), Leads)


def test_a_block_with_a_wrong_root_is_invalid_with_a_reason() -> None:
    block = proposed()
    wrong = replace(block, header=replace(block.header, state_root=bytes(32)))
    judging = candidates(filled(gathering()))
    judging.hold(TIP, wrong)
    verdict = judging.judge(TIP, wrong)
    assert isinstance(verdict, Invalid) and "state root" in verdict.reason


def test_it_is_held_once_it_is_whole() -> None:
    block = proposed()
    holding = candidates(gathering())
    assert holding.get(holding.hold(TIP, block)) == block


@pytest.mark.parametrize("exchanged", ["fewer", "other", "twice", "evidence", "certificate"])
def test_whoever_passes_a_block_on_cannot_exchange_its_content(exchanged: str) -> None:
    block = proposed()
    head = block.heads[0]
    content: dict[str, Block] = {
        "fewer": replace(block, heads=block.heads[1:]),
        "other": replace(block, heads=(replace(head, id=bytes(32)), *block.heads[1:])),
        "twice": replace(block, heads=(head, *block.heads)),
        "evidence": replace(block, evidence=(b"made up",)),
        "certificate": replace(block, last_certificate=Certificate(0, 0, bytes(32), (None, None))),
    }
    spoiled = content[exchanged]
    holding = candidates(filled(gathering()))
    block_id = holding.hold(TIP, spoiled)
    assert block_id == block.block_id(GENESIS.cell_id)
    assert holding.get(block_id) is None
    holding.hold(TIP, block)
    holding.hold(TIP, spoiled)
    assert holding.get(block_id) == block
    assert isinstance(holding.judge(TIP, block), Leads)


def test_a_head_that_did_not_move_is_no_content() -> None:
    block = proposed()
    unmoved = Head(block.heads[0].member, 0, 0, block.heads[0].id)
    moved_tip = replace(TIP, heads={unmoved.member: unmoved})
    holding = candidates(gathering())
    assert holding.get(holding.hold(moved_tip, block)) is None


def test_the_blocks_of_a_height_are_bounded() -> None:
    block = proposed()
    holding = candidates(gathering())
    ids = [
        holding.hold(TIP, replace(block, header=replace(block.header, time_ns=time_ns)))
        for time_ns in range(BLOCKS_HELD + 5)
    ]
    assert sum(holding.get(block_id) is not None for block_id in ids) == BLOCKS_HELD


def test_nothing_is_left_for_the_next_height() -> None:
    holding = candidates(gathering())
    block_id = holding.hold(TIP, proposed())
    holding.clear()
    assert holding.get(block_id) is None
