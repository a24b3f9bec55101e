"""What a light client checks: one header under one certificate, and one path from it to a single fact.

A header is believed when a quorum of the validators it names has signed it. From it, one Merkle path each
leads to a leaf of the state (a balance, a member), to an outcome of its block (a fill), to a member's
anchored head (and with that, down the hash chain, to any entry), and to every earlier header.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.chain.application import Application, Outcomes, State
from ledger.chain.chain import Tip
from ledger.chain.commitments import (
    APPLICATION_PREFIX,
    MEMBER_PREFIX,
    feeds_leaves,
    outcome_leaves,
    state_leaves,
)
from ledger.errors import InvalidCertificate, InvalidProof
from ledger.heads import Head
from ledger.merkle import (
    MapProof,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    map_proof,
    verify_consistency,
    verify_inclusion,
)
from ledger.records.blocks import Header, header_id
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate


@dataclass(frozen=True, slots=True)
class LeafProof:
    """One (key, value) pair and its path to a root."""

    key: bytes
    value: bytes
    path: MapProof


def prove_state(tip: Tip[State], application: Application[State], key: bytes) -> LeafProof:
    """The application's leaf `key` in the state after the tip's block. Raises KeyError when there is none."""
    return _prove(state_leaves(tip.membership, application.leaves(tip.state)), APPLICATION_PREFIX + key)


def prove_record(tip: Tip[State], application: Application[State], member: bytes) -> LeafProof:
    """A member's record in the state after the tip's block. Raises KeyError when there is none."""
    return _prove(state_leaves(tip.membership, application.leaves(tip.state)), MEMBER_PREFIX + member)


def prove_outcome(outcomes: Outcomes, key: bytes) -> LeafProof:
    """One outcome of a block. Raises KeyError when there is none."""
    return _prove(outcome_leaves(outcomes), key)


def prove_head(heads: Mapping[bytes, Head], member: bytes) -> LeafProof:
    """A member's anchored head after a block. Raises KeyError when it has none."""
    return _prove(feeds_leaves(heads), member)


def prove_earlier_header(header_ids: Sequence[bytes], height: int) -> tuple[bytes, ...]:
    """That the header at `height` is in the log of these ids, which are those of the headers 1, 2, ..."""
    return inclusion_proof([leaf_hash(id_) for id_ in header_ids], height - 1)


def prove_consistency(header_ids: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """That the log of the first `old_size` headers is a prefix of the log of these ids."""
    return consistency_proof([leaf_hash(id_) for id_ in header_ids], old_size)


def verify_header(header: Header, certificate: Certificate, cell_id: bytes, validators: ValidatorSet) -> None:
    """Return if a quorum of these validators decided the header; raises `InvalidCertificate` otherwise."""
    if header.validators_hash != validators.hash():
        raise InvalidCertificate("the header names other validators")
    if (certificate.height, certificate.block_id) != (header.height, header_id(header, cell_id)):
        raise InvalidCertificate("the certificate is for another block")
    certificate.check(cell_id, validators)


def verify_state(header: Header, proof: LeafProof) -> None:
    """Return if the state after this header holds the application's leaf; raises `InvalidProof` otherwise."""
    if not proof.key.startswith(APPLICATION_PREFIX):
        raise InvalidProof("the key is not one of the application")
    proof.path.verify(proof.key, proof.value, header.state_root)


def verify_outcome(header: Header, proof: LeafProof) -> None:
    """Return if the pair is an outcome of this header's block; raises `InvalidProof` otherwise."""
    proof.path.verify(proof.key, proof.value, header.clearing_hash)


def verify_head(header: Header, proof: LeafProof) -> None:
    """Return if the pair is a member's anchored head after this header; raises `InvalidProof` otherwise."""
    proof.path.verify(proof.key, proof.value, header.feeds_root)


def verify_earlier_header(
    header: Header, earlier_id: bytes, earlier_height: int, proof: Sequence[bytes]
) -> None:
    """Return if this header's log holds the id at an earlier height; raises `InvalidProof` otherwise."""
    verify_inclusion(earlier_id, earlier_height - 1, header.log_size, proof, header.log_root)


def verify_log_grew(old: Header, new: Header, proof: Sequence[bytes]) -> None:
    """Return if the log of `old` is a prefix of the log of `new`; raises `InvalidProof` otherwise."""
    verify_consistency(old.log_size, old.log_root, new.log_size, new.log_root, proof)


def _prove(leaves: Sequence[tuple[bytes, bytes]], key: bytes) -> LeafProof:
    path = map_proof(leaves, key)
    return LeafProof(key, dict(leaves)[key], path)
