"""A light proof stands on its own: state, outcomes and entries under one certificate, and small."""

import itertools
from dataclasses import replace

import pytest

from ledger.chain.epochs import CertifiedHeader
from ledger.chain.proofs import LeafProof, prove_head, prove_outcome, prove_state
from ledger.errors import InvalidProof
from ledger.merkle import map_proof
from ledger.proofs.light_proof import EntryClaim, LightProof, OutcomeClaim, StateClaim


@pytest.fixture
def chain(cell):
    """A cell with five blocks, each with three entries of every member; and the outcomes of each."""
    outcomes = []
    for _ in range(5):
        for index in range(4):
            for _ in range(3):
                cell.author(index)
        outcomes.append(cell.propose()[2])
        cell.decide()
    return cell, outcomes


def proof_of(cell, claim, height=5):
    block, certificate = cell.blocks[height - 1]
    return LightProof(cell.cell_id, (), CertifiedHeader(block.header, certificate), claim)


def claims(cell, outcomes):
    """One claim of every kind: about the state, an outcome of block 4, and an entry two before its head."""
    member, feed = cell.ids[1], cell.feeds[cell.ids[1]]
    return (
        StateClaim(prove_state(cell.tip, cell.application, member)),
        OutcomeClaim(
            cell.blocks[3][0].header,
            prove_outcome(outcomes[3], cell.feeds[member][9].id),
            prove_outcome(outcomes[4], b"summary"),
        ),
        EntryClaim(prove_head(cell.tip.heads, member), (feed[-1].body, feed[-2].body), feed[-3].envelope),
    )


def test_every_kind_of_claim_is_proved_with_the_genesis_alone_and_reads_back(chain):
    cell, outcomes = chain
    for claim in claims(cell, outcomes):
        proof = proof_of(cell, claim)
        read = LightProof.decode(proof.encode())
        assert read == proof
        read.check(cell.genesis)


def test_a_claim_is_not_proved_under_another_header(chain):
    cell, outcomes = chain
    for claim in claims(cell, outcomes):
        with pytest.raises(InvalidProof):
            proof_of(cell, claim, height=3).check(cell.genesis)


def test_the_genesis_of_another_cell_refuses_the_proof(chain, new_cell):
    cell, outcomes = chain
    proof = proof_of(cell, claims(cell, outcomes)[0])
    with pytest.raises(InvalidProof, match="it is about cell"):
        proof.check(new_cell(size=5).genesis)


def test_an_entry_is_proved_by_the_whole_way_from_the_head_only(chain):
    cell, outcomes = chain
    claim = claims(cell, outcomes)[2]
    assert claim.member == cell.ids[1]
    spoilt = {
        "left out": replace(claim, later=claim.later[:1]),
        "in another order": replace(claim, later=claim.later[::-1]),
        "of another member": replace(claim, later=(cell.feeds[cell.ids[2]][-1].body, claim.later[1])),
        "the head itself": replace(claim, later=()),
    }
    for name, wrong in spoilt.items():
        with pytest.raises(InvalidProof, match="do not lead"):
            proof_of(cell, wrong).check(cell.genesis), name


def test_a_way_that_leads_beyond_the_first_entry_is_refused(chain):
    cell, _ = chain
    feed = cell.feeds[cell.ids[1]]
    bodies = tuple(signed.body for signed in reversed(feed))
    claim = EntryClaim(prove_head(cell.tip.heads, cell.ids[1]), bodies, feed[0].envelope)
    with pytest.raises(InvalidProof, match="beyond the first"):
        proof_of(cell, claim).check(cell.genesis)


def test_a_proof_grows_by_one_hash_when_the_state_doubles(chain):
    cell, _ = chain
    sizes = []
    for power in range(4, 13):
        pairs = [(b"a" + index.to_bytes(4, "big"), b"value") for index in range(2**power)]
        leaf = LeafProof(pairs[3][0], b"value", map_proof(pairs, pairs[3][0]))
        sizes.append(len(proof_of(cell, StateClaim(leaf)).encode()))
    growth = [after - before for before, after in itertools.pairwise(sizes)]
    assert max(growth) <= 34 + 4
    assert sizes[-1] < 1_500
