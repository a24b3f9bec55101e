"""What a validator holds of one height, told in few bytes, so that a peer can answer with just what is missing.

Repeating every vote to everybody would cost n messages for each of n votes at each of n validators, and the busier the
cell, the later what is new would arrive. So on every tick a validator repeats only its own words, and shows its
standing to a few peers in turn. Whoever holds more sends the difference.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from ledger.encoding import decode, encode
from ledger.errors import Malformed
from ledger.records.votes import SignedProposal, SignedVote

TAG_BYTES = 8
"""Of the hash of an envelope: to hide one message behind another of the same tag takes 2^64 signatures."""

STANDING_BYTES = 32 * 1024
"""An encoded standing: all that four rounds of 256 validators and their locks can bring, and more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a validator is, and the tags of what it holds and would repeat."""

    height: int
    held: frozenset[bytes]

    @classmethod
    def of(cls, height: int, messages: Iterable[SignedVote | SignedProposal]) -> "Standing":
        """The standing of who holds these messages."""
        return cls(height, frozenset(_tag(signed) for signed in messages))

    def missing(
        self, messages: Iterable[SignedVote | SignedProposal]
    ) -> tuple[SignedVote | SignedProposal, ...]:
        """Those of our messages that the other does not hold."""
        return tuple(signed for signed in messages if _tag(signed) not in self.held)

    def encode(self) -> bytes:
        """The bytes that travel: the tags sorted, one after another."""
        return encode((self.height, b"".join(sorted(self.held))))

    @classmethod
    def decode(cls, data: bytes) -> "Standing":
        """Read what a peer says of itself. Raises Malformed."""
        match decode(data, max_bytes=STANDING_BYTES):
            case (int(height), bytes(tags)) if height >= 1 and len(tags) % TAG_BYTES == 0:
                held = [tags[at : at + TAG_BYTES] for at in range(0, len(tags), TAG_BYTES)]
                if held == sorted(set(held)):
                    return cls(height, frozenset(held))
        raise Malformed("a standing is a height and the sorted tags of messages")


def _tag(signed: SignedVote | SignedProposal) -> bytes:
    return sha256(signed.envelope).digest()[:TAG_BYTES]
