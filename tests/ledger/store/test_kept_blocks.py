"""Blocks kept in the write-ahead log: whole or not at all, and invisible to what else reads the log."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.agreement.records import PIECE_BYTES, block_records, read_blocks, read_records
from ledger.files.write_ahead_log import RECORD_BYTES
from ledger.limits import BLOCK_BYTES
from ledger.records.validators import ValidatorSet

blocks = st.lists(st.binary(min_size=1, max_size=50).map(lambda piece: piece * 200), max_size=3)
NOBODY = ValidatorSet((bytes(32),))


@given(blocks, st.integers(0, 20))
def test_a_log_that_was_torn_gives_back_the_blocks_that_are_whole(kept: list[bytes], torn: int) -> None:
    records = [record for block in kept for record in block_records(block)]
    whole, left = [], len(records) - min(torn, len(records))
    for block in kept:
        left -= len(block_records(block))
        if left >= 0:
            whole.append(block)
    assert read_blocks(records[: len(records) - min(torn, len(records))]) == tuple(whole)


@given(blocks)
def test_who_reads_votes_does_not_see_blocks(kept: list[bytes]) -> None:
    records = [record for block in kept for record in block_records(block)]
    assert read_records(records, 1, bytes(32), NOBODY) == ()


def test_the_largest_block_fits_into_records_of_the_log() -> None:
    records = block_records(bytes(BLOCK_BYTES))
    assert max(map(len, records)) <= RECORD_BYTES
    assert len(records) == -(-BLOCK_BYTES // PIECE_BYTES)
    assert read_blocks(records) == (bytes(BLOCK_BYTES),)


def test_a_block_that_is_kept_again_after_a_tear_is_found_once() -> None:
    block = bytes(3 * PIECE_BYTES)
    records = block_records(block)
    assert read_blocks([*records[:2], *records]) == (block,)
