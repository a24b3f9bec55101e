"""Evidence of equivocation: two signed messages of which an honest member signs at most one.

Anyone who holds both can prove it to anyone who knows the cell's membership. Two entries conflict when
author, incarnation and sequence are equal; two votes or two proposals when signer, height, round and step
are. The bodies must differ: two signatures of one body prove nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.encoding import decode, encode
from ledger.errors import BadSignature, InvalidEvidence, Malformed, PeerError
from ledger.limits import EVIDENCE_BYTES, PROPOSAL_BYTES, SIGNATURE_BYTES
from ledger.membership.members import Membership
from ledger.records.entries import SignedEntry, open_entry
from ledger.records.votes import SignedProposal, SignedVote, decode_proposal, decode_vote
from ledger.signing import MessageType, seal, unseal, verify

EVIDENCE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two conflicting messages of one ``kind`` (ENTRY, VOTE or PROPOSAL), the lesser body first.

    Holding an ``Evidence`` means nothing before ``check`` has returned. Raises ValueError for another kind,
    or bodies that are equal or out of order, so that two messages make one proof and not two.
    """

    kind: MessageType
    body_a: bytes
    signature_a: bytes
    body_b: bytes
    signature_b: bytes

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"no member can be convicted of a {self.kind.value.decode()}")
        if self.body_a >= self.body_b:
            raise ValueError("the bodies of evidence differ and the lesser comes first")

    @staticmethod
    def of_entries(first: SignedEntry, second: SignedEntry) -> "Evidence":
        """The proof that two entries make; raises ValueError when they do not conflict."""
        if _place_of_entry(first) != _place_of_entry(second):
            raise ValueError("the entries have different places and do not conflict")
        return _ordered(MessageType.ENTRY, first, second)

    @staticmethod
    def of_votes(first: SignedVote, second: SignedVote) -> "Evidence":
        """The proof that two votes make; raises ValueError when they do not conflict."""
        if _place_of_vote(first) != _place_of_vote(second):
            raise ValueError("the votes are of different steps or signers and do not conflict")
        return _ordered(MessageType.VOTE, first, second)

    @staticmethod
    def of_proposals(first: SignedProposal, second: SignedProposal) -> "Evidence":
        """The proof that two proposals make; raises ValueError when they do not conflict."""
        if _place_of_proposal(first) != _place_of_proposal(second):
            raise ValueError("the proposals are of different rounds or signers and do not conflict")
        return _ordered(MessageType.PROPOSAL, first, second)

    def encode(self) -> bytes:
        """The canonical bytes that blocks carry."""
        parts = (self.body_a, self.signature_a, self.body_b, self.signature_b)
        return encode((EVIDENCE_VERSION, self.kind.value, *parts))

    @staticmethod
    def decode(data: bytes) -> "Evidence":
        """The evidence that ``encode`` wrote; raises Malformed. Nothing is proved before ``check``."""
        match decode(data, max_bytes=EVIDENCE_BYTES):
            case (int(version), bytes(kind), bytes(body_a), bytes(sign_a), bytes(body_b), bytes(sign_b)):
                pass
            case _:
                raise Malformed("evidence is a version, a kind and two signed bodies")
        if version != EVIDENCE_VERSION:
            raise Malformed("evidence of another version")
        if len(sign_a) != SIGNATURE_BYTES or len(sign_b) != SIGNATURE_BYTES:
            raise Malformed("a signature in evidence has 64 bytes")
        try:
            return Evidence(MessageType(kind), body_a, sign_a, body_b, sign_b)
        except ValueError as fault:
            raise Malformed(str(fault)) from None

    def check(self, cell_id: bytes, membership: Membership) -> bytes:
        """The id of the member that equivocated; raises InvalidEvidence when this proves nothing.

        Only keys in force convict: whoever gave up a key is not charged with what others sign with it later.
        """
        return self.offender(cell_id, membership.feed_keys(), membership.consensus_keys())

    def offender(
        self, cell_id: bytes, feed_keys: Mapping[bytes, bytes], consensus_keys: Mapping[bytes, bytes]
    ) -> bytes:
        """The id of the member that equivocated, of those with these keys (ids by key); raises InvalidEvidence."""
        try:
            key, place_a = self._open(seal(self.body_a, self.signature_a), cell_id, consensus_keys)
            second, place_b = self._open(seal(self.body_b, self.signature_b), cell_id, consensus_keys)
        except PeerError as fault:
            raise InvalidEvidence(f"one of the messages would not be accepted: {fault}") from None
        if key != second or place_a != place_b:
            raise InvalidEvidence("the messages do not conflict")
        offender = (feed_keys if self.kind is MessageType.ENTRY else consensus_keys).get(key)
        if offender is None:
            raise InvalidEvidence("the signer is no member of the cell")
        return offender

    def _open(
        self, envelope: bytes, cell_id: bytes, consensus_keys: Mapping[bytes, bytes]
    ) -> tuple[bytes, "_Place"]:
        """The verified signer of a message, and its place, which an honest signer fills only once.

        A vote names its signer by a place among the validators of its height, which may have changed since. So
        the signer is whoever's key fits: an honest validator signs one body per step, whatever its place was.
        """
        if self.kind is MessageType.ENTRY:
            entry = open_entry(envelope, cell_id)
            return entry.entry.author, _place_of_entry(entry)
        body, signature = unseal(envelope, PROPOSAL_BYTES)
        content = decode_vote(body) if self.kind is MessageType.VOTE else decode_proposal(body)
        keys = list(consensus_keys)
        likely = keys[content.validator : content.validator + 1] if content.validator >= 0 else []
        for key in (*likely, *keys):
            try:
                verify(key, self.kind, cell_id, body, signature)
            except BadSignature:
                continue
            return key, (content.height, content.round, int(content.step))
        raise BadSignature("no validator signed this")


_KINDS = (MessageType.ENTRY, MessageType.VOTE, MessageType.PROPOSAL)

_Place = tuple[bytes | int, ...]


def _place_of_entry(signed: SignedEntry) -> _Place:
    return signed.entry.author, signed.entry.incarnation, signed.entry.sequence


def _place_of_vote(signed: SignedVote) -> _Place:
    return signed.signer, signed.vote.height, signed.vote.round, int(signed.vote.step)


def _place_of_proposal(signed: SignedProposal) -> _Place:
    return signed.signer, signed.proposal.height, signed.proposal.round


def _ordered(
    kind: MessageType,
    first: SignedEntry | SignedVote | SignedProposal,
    second: SignedEntry | SignedVote | SignedProposal,
) -> Evidence:
    low, high = sorted((first, second), key=lambda signed: signed.body)
    return Evidence(kind, low.body, low.signature, high.body, high.signature)
