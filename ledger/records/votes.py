"""Proposals, votes and certificates: the signed words of agreement and their byte forms.

A vote names a block by its id and never carries it. A ``valid_round`` of -1 stands for "none". An opened vote
or proposal is one whose signature has been verified against the validators of its height; nothing else enters
the agreement. A certificate keeps only signatures: the precommit bodies that they cover are rebuilt from
height, round, block id and index, so a vote can be in it only once and only for that block.
"""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from nacl.signing import SigningKey

from ledger.encoding import Value, decode, encode
from ledger.errors import BadSignature, InvalidCertificate, InvalidVote, Malformed
from ledger.limits import BLOCK_BYTES, ID_BYTES, PROPOSAL_BYTES, SIGNATURE_BYTES, VOTE_BYTES
from ledger.records.validators import ValidatorSet
from ledger.signing import MessageType, seal, sign, unseal, verify

VOTE_VERSION = 1

NO_ROUND = -1
"""The round of a lock, a valid value or a justification that does not exist."""


class Step(IntEnum):
    """The three steps of a round, in order; a validator signs at most once in each."""

    PROPOSE = 0
    PREVOTE = 1
    PRECOMMIT = 2


@dataclass(frozen=True, slots=True)
class Vote:
    """A prevote or precommit of one validator, for a block or (``block_id`` None) for none.

    A prevote carries the valid round of the proposal it answers, which makes a vote against one's own lock
    provable; every other vote has ``valid_round`` -1. ``validator`` is an index into the height's validators.
    """

    height: int
    round: int
    step: Step
    block_id: bytes | None
    valid_round: int
    validator: int

    def encode(self) -> bytes:
        """The body that is signed."""
        return encode(
            (
                VOTE_VERSION,
                self.height,
                self.round,
                int(self.step),
                self.block_id,
                self.valid_round,
                self.validator,
            )
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposer's word for a block; fresh, or with the round of its earlier quorum."""

    height: int
    round: int
    valid_round: int
    block_id: bytes
    validator: int

    @property
    def step(self) -> Step:
        """Always ``Step.PROPOSE``: proposals and votes share the order of what a validator signs."""
        return Step.PROPOSE

    def encode(self) -> bytes:
        """The body that is signed."""
        return encode(
            (VOTE_VERSION, self.height, self.round, self.valid_round, self.block_id, self.validator),
        )


@dataclass(frozen=True, slots=True)
class SignedVote:
    """A vote whose signature holds under ``signer``, the consensus key at its index."""

    vote: Vote
    signer: bytes
    body: bytes
    signature: bytes
    envelope: bytes

    @property
    def content(self) -> Vote:
        """What was signed; votes and proposals share the name."""
        return self.vote


@dataclass(frozen=True, slots=True)
class SignedProposal:
    """A proposal whose signature holds under ``signer``, the round's proposer."""

    proposal: Proposal
    signer: bytes
    body: bytes
    signature: bytes
    envelope: bytes

    @property
    def content(self) -> Proposal:
        """What was signed; votes and proposals share the name."""
        return self.proposal


def sign_vote(key: SigningKey, cell_id: bytes, vote: Vote) -> SignedVote:
    """Sign a vote. Only after the write-ahead log and the sign guard have been flushed with it."""
    body = vote.encode()
    signature = sign(key, MessageType.VOTE, cell_id, body)
    return SignedVote(vote, key.verify_key.encode(), body, signature, seal(body, signature))


def sign_proposal(key: SigningKey, cell_id: bytes, proposal: Proposal) -> SignedProposal:
    """Sign a proposal. Only after the write-ahead log and the sign guard have been flushed with it."""
    body = proposal.encode()
    signature = sign(key, MessageType.PROPOSAL, cell_id, body)
    return SignedProposal(proposal, key.verify_key.encode(), body, signature, seal(body, signature))


def open_vote(envelope: bytes, cell_id: bytes, validators: ValidatorSet) -> SignedVote:
    """Accept a vote's envelope; raises Malformed, InvalidVote (no such validator, senseless) or BadSignature.

    ``validators`` are those of the vote's height. The signer is named in the body, so the body is decoded
    before its signature is checked, by the hardened decoder, which accepts canonical bytes only.
    """
    body, signature = unseal(envelope, VOTE_BYTES)
    vote = decode_vote(body)
    signer = _key_at(validators, vote.validator)
    verify(signer, MessageType.VOTE, cell_id, body, signature)
    return SignedVote(vote, signer, body, signature, envelope)


def open_proposal(envelope: bytes, cell_id: bytes, validators: ValidatorSet) -> SignedProposal:
    """Accept a proposal's envelope; raises Malformed, InvalidVote (not its turn) or BadSignature."""
    body, signature = unseal(envelope, PROPOSAL_BYTES)
    proposal = decode_proposal(body)
    signer = _key_at(validators, proposal.validator)
    if proposal.validator != validators.proposer(proposal.height, proposal.round):
        raise InvalidVote("a proposal by a validator whose turn it is not")
    verify(signer, MessageType.PROPOSAL, cell_id, body, signature)
    return SignedProposal(proposal, signer, body, signature, envelope)


def decode_vote(body: bytes) -> Vote:
    """The vote that a body says, whoever signed it; raises Malformed or InvalidVote."""
    match decode(body, max_bytes=VOTE_BYTES):
        case (
            int(version),
            int(height),
            int(round_),
            int(step),
            bytes() | None as block_id,
            int(valid_round),
            int(index),
        ):
            _check_common(version, height, round_, block_id, valid_round)
        case _:
            raise Malformed("a vote has seven fields")
    if step not in (Step.PREVOTE, Step.PRECOMMIT):
        raise Malformed("a vote is a prevote or a precommit")
    if valid_round != NO_ROUND and (step == Step.PRECOMMIT or block_id is None):
        raise InvalidVote("only a prevote for a block can have a valid round")
    return Vote(height, round_, Step(step), block_id, valid_round, index)


def decode_proposal(body: bytes) -> Proposal:
    """The proposal that a body says, whoever signed it; raises Malformed or InvalidVote."""
    match decode(body, max_bytes=PROPOSAL_BYTES):
        case (int(version), int(height), int(round_), int(valid_round), bytes(block_id), int(index)):
            _check_common(version, height, round_, block_id, valid_round)
        case _:
            raise Malformed("a proposal has six fields")
    return Proposal(height, round_, valid_round, block_id, index)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Proof that a block was decided: a quorum of precommits for it in one round, by index of validator."""

    height: int
    round: int
    block_id: bytes
    signatures: tuple[bytes | None, ...]

    def encode(self) -> bytes:
        """The byte form that blocks, stores and peers carry."""
        return encode((VOTE_VERSION, self.height, self.round, self.block_id, self.signatures))

    @classmethod
    def decode(cls, data: bytes) -> "Certificate":
        """Read a certificate; raises Malformed. Nothing is verified: call ``check``."""
        match decode(data, max_bytes=BLOCK_BYTES):
            case (int(version), int(height), int(round_), bytes(block_id), tuple(signatures)):
                try:
                    _check_common(version, height, round_, block_id, NO_ROUND)
                except InvalidVote as fault:
                    raise Malformed(str(fault)) from fault
                return cls(height, round_, block_id, tuple(_signature_from(item) for item in signatures))
        raise Malformed("a certificate has five fields")

    @property
    def signers(self) -> frozenset[int]:
        """The validators whose signatures it carries."""
        return frozenset(index for index, signature in enumerate(self.signatures) if signature is not None)

    def check(self, cell_id: bytes, validators: ValidatorSet) -> None:
        """Return if a quorum of ``validators``, those of its height, signed; else raise InvalidCertificate.

        Every signature that is present must hold, so that a certificate has no part that nobody vouches for.
        """
        if len(self.signatures) != validators.size:
            raise InvalidCertificate(f"{len(self.signatures)} places for {validators.size} validators")
        present = [(index, item) for index, item in enumerate(self.signatures) if item is not None]
        if len(present) < validators.quorum:
            raise InvalidCertificate(f"{len(present)} signatures where {validators.quorum} are needed")
        for index, signature in present:
            body = Vote(self.height, self.round, Step.PRECOMMIT, self.block_id, NO_ROUND, index).encode()
            try:
                verify(validators.keys[index], MessageType.VOTE, cell_id, body, signature)
            except BadSignature:
                raise InvalidCertificate(f"the signature of validator {index} does not hold") from None

    def hash(self) -> bytes:
        """What the next header commits to: SHA-256 of the encoding, under a name of its own."""
        return sha256(b"wattswarm/v1/certificate\0" + self.encode()).digest()


def _key_at(validators: ValidatorSet, index: int) -> bytes:
    if not 0 <= index < validators.size:
        raise InvalidVote(f"there is no validator {index}")
    return validators.keys[index]


def _check_common(version: int, height: int, round_: int, block_id: bytes | None, valid_round: int) -> None:
    if version != VOTE_VERSION:
        raise Malformed(f"version {version} is not known")
    if height < 1 or round_ < 0:
        raise InvalidVote("heights start at 1 and rounds at 0")
    if block_id is not None and len(block_id) != ID_BYTES:
        raise Malformed("a block id has 32 bytes")
    if not NO_ROUND <= valid_round < round_:
        raise InvalidVote("a valid round is an earlier round, or -1")


def _signature_from(item: Value) -> bytes | None:
    if item is None:
        return None
    if not isinstance(item, bytes) or len(item) != SIGNATURE_BYTES:
        raise Malformed("a signature is 64 bytes, or null where there is none")
    return item
