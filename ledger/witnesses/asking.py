"""What a cell shows its witnesses: its history as log and changes of validators, and the next question to each.

No I/O: certified headers and the keys of sets of validators are looked up through functions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.epochs import CertifiedHeader, EpochLink, changes_validators
from ledger.chain.header_log import HeaderLog
from ledger.encoding import encode
from ledger.errors import InvalidProof
from ledger.records.blocks import Header, header_id
from ledger.witnesses.messages import (
    WITNESS_REQUEST_BYTES,
    AddCheckpoint,
    Checkpoint,
    Cosignature,
    Differs,
    decode_reply,
    open_cosignature,
)

LINK_BYTES: Final = WITNESS_REQUEST_BYTES // 2
"""Changes of validators in one request; where there are more, an earlier header is shown first."""


@dataclass(slots=True)
class CellHistory:
    """A cell's headers as its witnesses need them.

    `certified` gives the header of a height with its certificate, and `keys` the consensus keys of the set
    of validators with a hash. A pruned ledger's `log` begins later, with the `links` up to there.
    """

    cell_id: bytes
    certified: Callable[[int], CertifiedHeader]
    keys: Callable[[bytes], tuple[bytes, ...]]
    log: HeaderLog = field(default_factory=HeaderLog)
    links: list[EpochLink] = field(default_factory=list)

    @property
    def height(self) -> int:
        """The height of the last header that was taken."""
        return self.log.size

    def append(self, header: Header) -> None:
        """Take the next header. Raises ValueError when it is another."""
        if header.height != self.height + 1:
            raise ValueError(f"header {header.height} does not follow {self.height}")
        self.log.append(header_id(header, self.cell_id))
        known = self.links[-1].header.height if self.links else 0
        if changes_validators(header) and header.height > known:
            self.links.append(
                EpochLink(self.certified(header.height), self.keys(header.next_validators_hash))
            )

    def show(self, old_size: int, known_from: int, last: Cosignature | None) -> AddCheckpoint | None:
        """The newest header with what leads to it from there.

        None while there is nothing newer to show, or what the witness knows is before the log begins.
        """
        height, links = self._reachable(
            each for each in self.links if known_from <= each.header.height < self.height
        )
        if height - 1 < max(old_size, 1, self.log.begins) or 0 < old_size < self.log.begins:
            return None
        return AddCheckpoint(
            self.cell_id,
            old_size,
            known_from,
            links,
            self.certified(height),
            self.log.consistency(old_size, height - 1) if old_size else (),
            None if last is None else last.envelope,
        )

    def _reachable(self, changes: Iterable[EpochLink]) -> tuple[int, tuple[EpochLink, ...]]:
        """The newest height that a request reaches with as many changes as have room, at least one."""
        links: list[EpochLink] = []
        room = LINK_BYTES
        for link in changes:
            room -= len(encode(link.value()))
            if links and room < 0:
                return link.header.height, tuple(links)
            links.append(link)
        return self.height, tuple(links)


@dataclass(slots=True)
class Asking:
    """The questions of one node to one witness; `last` is the newest cosignature of it that is held."""

    witness: bytes
    history: CellHistory
    last: Cosignature | None = None
    _from: tuple[int, int] = field(init=False)
    _asked: Checkpoint | None = None

    def __post_init__(self) -> None:
        size = 0 if self.last is None else self.last.checkpoint.size
        self._from = (size, size + 1)

    @property
    def contradiction(self) -> str | None:
        """How the last cosignature contradicts the own log: two histories of this cell exist. None if it fits."""
        log = self.history.log
        if self.last is None or not log.begins <= self.last.checkpoint.size <= log.size:
            return None
        size, root = self.last.checkpoint.size, self.last.checkpoint.root
        if self.history.log.root(size) == root:
            return None
        return f"witness {self.witness.hex()} cosigned another log of {size} headers than the one held here"

    @property
    def behind(self) -> bool:
        """Whether the witness remembers a log that ends before ours begins: a node that keeps more has to ask it."""
        return 0 < self._from[0] < self.history.log.begins

    def question(self) -> bytes | None:
        """What to ask now, None while this witness has cosigned all there is."""
        if self.last is not None and self.last.checkpoint.size >= self.history.height - 1:
            return None
        shown = self.history.show(*self._from, self.last)
        if shown is None:
            return None
        header = shown.certified.header
        self._asked = Checkpoint(header.log_size, header.log_root)
        return shown.encode()

    def heard(self, reply: bytes) -> Cosignature | None:
        """Take the reply to the last question: a cosignature, or None when it is to be asked differently.

        Raises `PeerError` when it is no answer to it.
        """
        answer = decode_reply(reply)
        if isinstance(answer, Differs):
            self._from = (answer.size, answer.known_from)
            return None
        cosignature = open_cosignature(answer.envelope, self.history.cell_id, self.witness)
        if cosignature.checkpoint != self._asked:
            raise InvalidProof("the witness cosigned another checkpoint than the one it was shown")
        size = cosignature.checkpoint.size
        self.last, self._from = cosignature, (size, size + 1)
        return cosignature
