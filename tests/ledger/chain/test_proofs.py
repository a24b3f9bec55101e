"""A light client is convinced of what is true by one path and one certificate, and of nothing else."""

from dataclasses import replace

import pytest

from ledger.chain.proofs import (
    prove_consistency,
    prove_earlier_header,
    prove_head,
    prove_outcome,
    prove_state,
    verify_earlier_header,
    verify_head,
    verify_header,
    verify_log_grew,
    verify_outcome,
    verify_state,
)
from ledger.errors import InvalidCertificate, InvalidProof


@pytest.fixture
def chain(cell):
    """A cell with five blocks, and the outcomes of the last."""
    outcomes = None
    for _ in range(5):
        for index in range(4):
            cell.author(index)
        outcomes = cell.propose()[2]
        cell.decide()
    return cell, outcomes


def test_a_header_is_believed_under_a_certificate_of_the_validators_it_names(chain, new_cell):
    cell, _ = chain
    block, certificate = cell.blocks[-1]
    validators = cell.tip.validators
    verify_header(block.header, certificate, cell.cell_id, validators)
    with pytest.raises(InvalidCertificate, match="another block"):
        verify_header(cell.blocks[0][0].header, certificate, cell.cell_id, validators)
    with pytest.raises(InvalidCertificate, match="other validators"):
        verify_header(block.header, certificate, cell.cell_id, new_cell(size=5).tip.validators)
    with pytest.raises(InvalidCertificate):
        verify_header(block.header, cell.certificate(block, signers=2), cell.cell_id, validators)


def test_state_outcomes_and_heads_are_proved_under_a_header_and_forged_ones_are_not(chain):
    cell, outcomes = chain
    header = cell.blocks[-1][0].header
    entry = cell.feeds[cell.ids[2]][-1]
    for prove, verify in (
        (lambda: prove_state(cell.tip, cell.application, cell.ids[1]), verify_state),
        (lambda: prove_outcome(outcomes, entry.id), verify_outcome),
        (lambda: prove_head(cell.tip.heads, cell.ids[3]), verify_head),
    ):
        proof = prove()
        verify(header, proof)
        with pytest.raises(InvalidProof):
            verify(header, replace(proof, value=proof.value + b"x"))
        with pytest.raises(InvalidProof):
            verify(cell.blocks[-2][0].header, proof)


def test_what_is_not_there_cannot_be_proved(chain):
    cell, outcomes = chain
    with pytest.raises(KeyError):
        prove_state(cell.tip, cell.application, b"nobody")
    with pytest.raises(KeyError):
        prove_outcome(outcomes, b"nothing")


def test_a_members_record_cannot_pass_for_the_applications_state(chain):
    cell, _ = chain
    proof = prove_state(cell.tip, cell.application, cell.ids[1])
    with pytest.raises(InvalidProof):
        verify_state(cell.blocks[-1][0].header, replace(proof, key=b"m" + cell.ids[1]))


def test_every_earlier_header_and_every_earlier_log_is_proved_by_the_last_header(chain):
    cell, _ = chain
    headers = [block.header for block, _ in cell.blocks]
    ids = [block.block_id(cell.cell_id) for block, _ in cell.blocks[:-1]]
    for height in range(1, len(headers)):
        proof = prove_earlier_header(ids, height)
        verify_earlier_header(headers[-1], ids[height - 1], height, proof)
        with pytest.raises(InvalidProof):
            verify_earlier_header(headers[-1], bytes(32), height, proof)
    for old in headers[1:]:
        verify_log_grew(old, headers[-1], prove_consistency(ids, old.log_size))
    with pytest.raises(InvalidProof):
        verify_log_grew(replace(headers[2], log_root=bytes(32)), headers[-1], prove_consistency(ids, 2))
