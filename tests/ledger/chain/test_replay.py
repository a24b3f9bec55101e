"""Replay: a stored chain leads to the same tip, or the first block that does not follow is named."""

from dataclasses import replace

import pytest

from ledger.chain.replay import CorruptBlock, follow, load_chain, replay
from ledger.errors import Corrupt, InvalidBlock
from ledger.records.rows import BlockRow
from ledger.store.reopening import reopen


class Archive:
    """A toy cell's chain as rows in memory."""

    def __init__(self, cell):
        self.cell = cell
        self.rows = {
            block.header.height: BlockRow(
                block.header.height, block.block_id(cell.cell_id), block.encode(), certificate.encode()
            )
            for block, certificate in cell.blocks
        }

    def height(self):
        return max(self.rows, default=0)

    def block(self, height):
        return self.rows.get(height)

    def base(self):
        return 0

    def snapshots(self):
        return []

    def snapshot_part(self, height, part):
        return None

    def entries(self, member, incarnation, after, through):
        return self.cell.entries(member, incarnation, after, through)


@pytest.fixture
def archive(cell):
    for round_ in (0, 2, 1):
        for index in range(4):
            cell.author(index)
        cell.decide(round_)
    return Archive(cell)


def test_replay_gives_every_tip_of_the_chain(cell, archive):
    assert [replayed.tip for replayed in replay(archive, cell.genesis, cell.application)] == cell.tips[1:]
    assert load_chain(archive, cell.genesis, cell.application) == cell.tip


def test_without_blocks_the_tip_is_that_of_the_genesis(cell):
    assert load_chain(Archive(cell), cell.genesis, cell.application) == cell.tips[0]


@pytest.mark.parametrize("part", ["id", "block", "certificate"])
def test_a_rotten_row_is_named_by_its_height(cell, archive, part):
    row = archive.rows[2]
    value = getattr(row, part)
    archive.rows[2] = replace(row, **{part: value[:-1] + bytes([value[-1] ^ 1])})
    with pytest.raises(CorruptBlock) as caught:
        load_chain(archive, cell.genesis, cell.application)
    assert caught.value.height == 2


def test_a_missing_row_and_missing_entries_are_named(cell, archive):
    last = archive.rows.pop(2)
    with pytest.raises(CorruptBlock, match="block 2: expected a row"):
        load_chain(archive, cell.genesis, cell.application)
    archive.rows[2] = last
    del cell.feeds[cell.ids[1]][2]
    with pytest.raises(CorruptBlock, match=f"block 3.*{cell.ids[1].hex()}"):
        load_chain(archive, cell.genesis, cell.application)


def test_a_block_that_skips_a_height_is_not_followed(cell, archive):
    block, certificate = cell.blocks[2]
    with pytest.raises(InvalidBlock, match="does not follow"):
        follow(cell.tips[1], cell.application, block, certificate, cell)


def test_a_ledger_whose_feed_does_not_continue_is_not_reopened(cell, write_directory, tmp_path):
    cell.author(0)
    cell.decide()
    cell.author(0)
    cell.author(0)
    store = write_directory(cell, tmp_path)
    store._connection.execute("DELETE FROM entries WHERE sequence = 2")
    tip, feeds = reopen(store, cell.genesis, cell.application)
    assert (tip, feeds.head(cell.ids[0]).sequence) == (cell.tip, 1)
    store._connection.execute("UPDATE entries SET sequence = 2 WHERE sequence = 1")
    with pytest.raises(Corrupt, match="lacks an entry between 0 and 2"):
        reopen(store, cell.genesis, cell.application)
    other = cell.sign(0).envelope
    store._connection.execute("UPDATE entries SET sequence = 1, envelope = ? WHERE sequence = 2", (other,))
    with pytest.raises(Corrupt, match="does not continue"):
        reopen(store, cell.genesis, cell.application)
    store.close()
