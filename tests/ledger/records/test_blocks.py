"""The byte form of blocks: strict, and committed to by the block id."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.chain import extend
from ledger.encoding import decode, encode
from ledger.errors import InvalidBlock, LedgerError, Malformed, PeerError
from ledger.limits import BLOCK_BYTES
from ledger.membership.evidence import Evidence
from ledger.records.blocks import decode_block, decode_header


@pytest.fixture
def full_block(cell):
    """A cell and a block on its tip that has heads, evidence and a last certificate."""
    cell.author(0)
    cell.decide()
    cell.author(0)
    cell.author(1)
    evidence = Evidence.of_entries(cell.sign(2, payload=(1,)), cell.sign(2, payload=(2,))).encode()
    return cell, cell.propose(evidence=(evidence,))[0]


def test_a_block_is_read_back_as_it_was_written(full_block):
    cell, block = full_block
    assert decode_block(block.encode()) == block
    assert decode_block(block.encode()).block_id(cell.cell_id) == block.block_id(cell.cell_id)
    assert decode_header(block.header.body) == block.header


def test_any_changed_byte_of_a_block_is_found(full_block):
    """Either the bytes are no block, or the block has another id, or it may not follow the tip."""
    cell, block = full_block
    data = block.encode()
    for position in range(len(data)):
        for mask in (0x01, 0x80):
            changed = bytearray(data)
            changed[position] ^= mask
            try:
                other = decode_block(bytes(changed))
                if other.block_id(cell.cell_id) != block.block_id(cell.cell_id):
                    continue
                extend(cell.tip, cell.application, other, cell)
            except LedgerError:
                continue
            pytest.fail(f"byte {position} may change to {changed[position]:#x} unnoticed")


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_with_the_declared_errors(data):
    for read in (decode_block, decode_header):
        with pytest.raises(PeerError):
            read(data)


def test_a_block_beyond_the_cap_is_refused(full_block):
    with pytest.raises(Malformed):
        decode_block(bytes(BLOCK_BYTES + 1))


def _with_part(block, index, part):
    parts = list(decode(block.encode(), max_bytes=BLOCK_BYTES))
    parts[index] = part
    return encode(tuple(parts))


def test_heads_out_of_order_or_twice_are_refused(full_block):
    _, block = full_block
    heads = tuple((head.member, head.incarnation, head.sequence, head.id) for head in block.heads)
    for wrong in (
        heads[::-1],
        (heads[0], heads[0]),
        ((bytes(31), 0, 0, bytes(32)),),
        ((bytes(32), -1, 0, bytes(32)),),
    ):
        with pytest.raises(InvalidBlock):
            decode_block(_with_part(block, 1, wrong))


def test_evidence_and_certificate_other_than_committed_are_refused(full_block):
    _, block = full_block
    for data in (_with_part(block, 2, ()), _with_part(block, 2, (b"x",)), _with_part(block, 3, None)):
        with pytest.raises(InvalidBlock, match="commits"):
            decode_block(data)


def test_an_unknown_version_is_refused(full_block):
    _, block = full_block
    values = list(decode(block.header.body, max_bytes=BLOCK_BYTES))
    values[0] = 2
    with pytest.raises(InvalidBlock, match="version"):
        decode_header(encode(tuple(values)))
