"""The validators of one height: who may vote, how many must, and whose turn it is to propose."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from ledger.encoding import Value, encode
from ledger.errors import Malformed
from ledger.limits import KEPT_EPOCHS, KEY_BYTES

TOLERANT_SIZE = 4
"""Below this many validators not a single faulty one is tolerated; tell the operator."""


@dataclass(frozen=True)
class ValidatorSet:
    """Consensus keys in order of member id, all of equal weight; a validator is named by its index."""

    keys: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("a cell without validators can agree on nothing")
        if len(set(self.keys)) != len(self.keys):
            raise ValueError("two validators share a consensus key")

    @property
    def size(self) -> int:
        """k, the number of validators."""
        return len(self.keys)

    @cached_property
    def faults(self) -> int:
        """f = floor((k-1)/3): so many may be Byzantine."""
        return (self.size - 1) // 3

    @cached_property
    def quorum(self) -> int:
        """floor(2k/3)+1: two quorums share an honest validator (the paper's 2f+1 holds only for k = 3f+1)."""
        return 2 * self.size // 3 + 1

    def proposer(self, height: int, round_: int) -> int:
        """The index of the only validator that may propose in this round; needs no state to check."""
        return (height + round_) % self.size

    def index_of(self, key: bytes) -> int | None:
        """The index of a consensus key, or None for one that is no validator's."""
        return self.keys.index(key) if key in self.keys else None

    def hash(self) -> bytes:
        """What headers commit to: SHA-256 over the keys in order, under a name of its own."""
        return sha256(b"wattswarm/v1/validators\0" + encode(self.keys)).digest()


@dataclass(frozen=True, slots=True)
class Epoch:
    """The validators of all heights from one on, until the next epoch begins."""

    first_height: int
    validators: ValidatorSet


def validators_from(value: Value) -> ValidatorSet:
    """A validator set from its keys in a message. Raises `Malformed`."""
    if not isinstance(value, tuple):
        raise Malformed("validators are an array of keys")
    keys = tuple(key for key in value if isinstance(key, bytes) and len(key) == KEY_BYTES)
    if len(keys) != len(value):
        raise Malformed("a consensus key has 32 bytes")
    try:
        return ValidatorSet(keys)
    except ValueError as fault:
        raise Malformed(str(fault)) from fault


def with_epoch(epochs: tuple[Epoch, ...], newest: Epoch) -> tuple[Epoch, ...]:
    """The last epochs with another height's validators, when those are not the same as before."""
    if epochs and epochs[-1].validators == newest.validators:
        return epochs
    return (*epochs, newest)[-KEPT_EPOCHS:]
