"""Shell: the sign guard, a small file beside the database that makes signing two different things impossible.

It holds the last signed place of agreement (height, round, step, and the bytes) and the head of the own feed, and
it is durable before a signature leaves. Two slots are written in turn, each with a generation and a checksum, so
a torn write costs at most the state that was being written, and nothing had been signed with that yet.

A torn newest slot cannot be told from one that rotted after its signature had left. So whenever a slot is
unsound, ``recovered`` is true: the state may be one step behind what was signed. The node must then not sign
before it has caught up the guard from the write-ahead log (which is flushed before the guard, so its newest own
vote is at least the guard's) and has compared its votes and its feed with what its peers hold.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

from ledger.errors import Corrupt, DoubleSign, GuardMissing
from ledger.files.durable_file import DiskFile, DurableFile
from ledger.limits import ID_BYTES, PROPOSAL_BYTES
from ledger.records.votes import Step

SLOT_BYTES: Final = 4096
"""One page: a torn write of one slot cannot touch the other."""

_MAGIC: Final = b"wsguard1"
_FIELDS: Final = Struct(f">8sQQqBH{PROPOSAL_BYTES}sQq?{ID_BYTES}s")
_CHECKSUM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class GuardState:
    """What was signed last: a place of agreement with its body, and the head of the own feed.

    Height 0 and sequence -1 mean that nothing was signed yet.
    """

    height: int = 0
    round: int = 0
    step: Step = Step.PROPOSE
    body: bytes = b""
    feed_incarnation: int = 0
    feed_sequence: int = -1
    feed_head: bytes | None = None

    @property
    def place(self) -> tuple[int, int, Step]:
        """Where in the agreement the last signature stands."""
        return self.height, self.round, self.step


class SignGuard:
    """The guard of one identity; ``last`` is its state, ``recovered`` whether that may be one step behind."""

    def __init__(self, file: DurableFile) -> None:
        """Read the newer sound slot; raises Corrupt when there is none."""
        self._file = file
        content = file.read()
        slots = [_read_slot(content, index) for index in (0, 1)]
        sound = [slot for slot in slots if slot is not None]
        if not sound:
            raise Corrupt("both slots of the sign guard are damaged: what was signed is unknown")
        self._generation, self.last = max(sound, key=lambda slot: slot[0])
        generations = {slot[0] for slot in sound}
        self.recovered = generations != {self._generation, self._generation - 1}

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> "SignGuard":
        """Open the guard at ``path``; without ``create`` a missing one raises GuardMissing. Raises Corrupt.

        Create it with the identity and never again: an identity without its guard may have signed anything.
        """
        if path.exists():
            return cls(DiskFile(path))
        if not create:
            raise GuardMissing(f"{path} is missing, so what this node signed is unknown")
        return cls(DiskFile.create(path, blank_guard()))

    def advance_vote(self, height: int, round_: int, step: Step, body: bytes) -> None:
        """Claim a place of agreement for ``body``, durably; the same body again is allowed, and needs no write.

        Raises DoubleSign for an earlier place or another body, and OSError: in both cases do not sign.
        """
        claimed = (height, round_, step)
        signed = self.last.place
        if claimed == signed and body == self.last.body:
            return
        if claimed <= signed:
            raise DoubleSign(f"height, round, step {claimed} after {signed} was signed")
        self._write(replace(self.last, height=height, round=round_, step=step, body=body))

    def advance_feed(self, incarnation: int, sequence: int, head: bytes) -> None:
        """Claim a place in the own feed for the entry with id ``head``, durably; the same again is allowed.

        Raises DoubleSign for an earlier place or another entry, and OSError: in both cases do not sign.
        """
        claimed = (incarnation, sequence)
        signed = (self.last.feed_incarnation, self.last.feed_sequence)
        if claimed == signed and head == self.last.feed_head:
            return
        if claimed <= signed:
            raise DoubleSign(f"incarnation, sequence {claimed} after {signed} was signed")
        self._write(replace(self.last, feed_incarnation=incarnation, feed_sequence=sequence, feed_head=head))

    def close(self) -> None:
        """Close the file; everything in it is durable."""
        self._file.close()

    def _write(self, state: GuardState) -> None:
        generation = self._generation + 1
        self._file.write(generation % 2 * SLOT_BYTES, _slot(generation, state))
        self._file.flush()
        self._generation, self.last = generation, state


def blank_guard() -> bytes:
    """The content of a guard of an identity that has signed nothing."""
    return _slot(0, GuardState()) + _slot(1, GuardState())


def _slot(generation: int, state: GuardState) -> bytes:
    if len(state.body) > PROPOSAL_BYTES:
        raise ValueError(f"what is signed in agreement has at most {PROPOSAL_BYTES} bytes")
    fields = _FIELDS.pack(
        _MAGIC,
        generation,
        state.height,
        state.round,
        state.step,
        len(state.body),
        state.body,
        state.feed_incarnation,
        state.feed_sequence,
        state.feed_head is not None,
        state.feed_head or b"",
    )
    padded = fields.ljust(SLOT_BYTES - _CHECKSUM_BYTES, b"\0")
    return padded + sha256(padded).digest()


def _read_slot(content: bytes, index: int) -> tuple[int, GuardState] | None:
    """The (generation, state) of a slot, or None when it is not sound."""
    slot = content[index * SLOT_BYTES : (index + 1) * SLOT_BYTES]
    padded, checksum = slot[:-_CHECKSUM_BYTES], slot[-_CHECKSUM_BYTES:]
    if len(slot) != SLOT_BYTES or sha256(padded).digest() != checksum:
        return None
    magic, generation, height, round_, step, size, body, incarnation, sequence, has_head, head = (
        _FIELDS.unpack_from(padded)
    )
    if magic != _MAGIC or generation % 2 != index:
        return None
    state = GuardState(
        height, round_, Step(step), body[:size], incarnation, sequence, head if has_head else None
    )
    return generation, state
