"""State snapshots: what was agreed after a block, as bytes that a certified header proves.

A snapshot is a cover and parts. The cover has the block's header, its certificate, the validators of its height and the
next, the frontier of the header log, the epochs that lead to those validators, and the hash of every part. The
parts hold the leaves of the two maps that the header commits to: the feeds' heads, and the state. So whoever
trusts the validators needs nothing else: the leaves must give the header's roots, and the tip follows from
them. Nothing here does I/O.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from ledger.chain.application import Application, State
from ledger.chain.chain import Tip
from ledger.chain.commitments import (
    APPLICATION_PREFIX,
    CHANGE_PREFIX,
    MEMBER_PREFIX,
    Pairs,
    feeds_leaves,
    state_leaves,
)
from ledger.chain.epochs import CertifiedHeader, EpochLink, Trust, follow_links, header_from, link_from
from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidProof, Malformed
from ledger.heads import Head
from ledger.limits import ID_BYTES, SNAPSHOT_PART_BYTES, SNAPSHOT_PARTS, SYNC_BYTES
from ledger.membership.members import Membership
from ledger.merkle import Frontier, map_root
from ledger.records.blocks import Header, header_id
from ledger.records.genesis import Genesis
from ledger.records.validators import Epoch, ValidatorSet, validators_from, with_epoch
from ledger.records.votes import Certificate

VERSION: Final = 1
FEEDS: Final = 0
STATE: Final = 1
"""Which map a part's leaves belong to; those of the feeds come first."""


@dataclass(frozen=True, slots=True)
class Cover:
    """The first bytes of a snapshot. `log` is the header log before the block."""

    header: Header
    certificate: Certificate
    deciders: ValidatorSet
    validators: ValidatorSet
    log: Frontier
    epochs: tuple[EpochLink, ...]
    parts: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The canonical bytes."""
        return encode(
            (
                VERSION,
                self.header.body,
                self.certificate.encode(),
                self.deciders.keys,
                self.validators.keys,
                self.log.hashes,
                tuple(epoch.value() for epoch in self.epochs),
                self.parts,
            )
        )

    def check(self, cell_id: bytes, founders: ValidatorSet) -> None:
        """Return if the block was decided by validators that follow from the founding ones.

        Raises `InvalidProof`.
        """
        header = self.header
        trusted = follow_links(founders, self.epochs, cell_id).validators
        if self.epochs and self.epochs[-1].header.height > header.height:
            raise InvalidProof("the epochs go beyond the block")
        decided_at_edge = bool(self.epochs) and self.epochs[-1].header.height == header.height
        Trust(header.height, self.deciders).check(CertifiedHeader(header, self.certificate), cell_id)
        if (self.validators if decided_at_edge else self.deciders) != trusted:
            raise InvalidProof("the validators do not follow from the founding ones")
        if header.next_validators_hash != self.validators.hash():
            raise InvalidProof("the next validators are not those of the header")
        if decided_at_edge and self.epochs[-1].header != header:
            raise InvalidProof("the last epoch ends with another block of this height")
        if not decided_at_edge and self.validators != self.deciders:
            raise InvalidProof("the validators change with this block, and no epoch says so")
        if (self.log.size, self.log.root()) != (header.log_size, header.log_root):
            raise InvalidProof("the log is not the one that the header commits to")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A cover and its parts, encoded: what is stored and sent."""

    height: int
    cover: bytes
    parts: tuple[bytes, ...]


def take_snapshot(
    tip: Tip[State],
    application: Application[State],
    header: Header,
    certificate: Certificate,
    epochs: tuple[EpochLink, ...],
) -> Snapshot:
    """The snapshot of a tip; header and certificate are those of its block. Raises ValueError where it gets too
    large.
    """
    if tip.deciders is None:
        raise ValueError("before the first block there is nothing but the genesis")
    parts = (
        *_cut(FEEDS, feeds_leaves(tip.heads)),
        *_cut(STATE, state_leaves(tip.membership, application.leaves(tip.state))),
    )
    if len(parts) > SNAPSHOT_PARTS or any(len(part) > SYNC_BYTES - 64 for part in parts):
        raise ValueError("the state is too large for a snapshot")
    cover = Cover(
        header,
        certificate,
        tip.deciders,
        tip.validators,
        tip.parent_log,
        epochs,
        tuple(sha256(part).digest() for part in parts),
    )
    return Snapshot(tip.height, cover.encode(), parts)


def decode_cover(data: bytes) -> Cover:
    """A cover from its canonical bytes, unverified. Raises `Malformed`."""
    match decode(data, max_bytes=SYNC_BYTES):
        case (
            int(version),
            bytes(body),
            bytes(certificate),
            tuple(deciders),
            tuple(validators),
            tuple(log),
            tuple(epochs),
            tuple(parts),
        ) if version == VERSION and len(parts) <= SNAPSHOT_PARTS:
            header = header_from(body)
            return Cover(
                header,
                Certificate.decode(certificate),
                validators_from(deciders),
                validators_from(validators),
                _frontier(header.log_size, log),
                tuple(link_from(epoch) for epoch in epochs),
                _hashes(parts),
            )
    raise Malformed("no cover of a snapshot")


def check_part(cover: Cover, index: int, data: bytes) -> None:
    """Return if this is the part that the cover names. Raises `Malformed`."""
    if not 0 <= index < len(cover.parts) or sha256(data).digest() != cover.parts[index]:
        raise Malformed(f"part {index} is not the one that the cover names")


def restore(
    cover: Cover, parts: Iterable[bytes], genesis: Genesis, application: Application[State]
) -> Tip[State]:
    """The tip after a snapshot's block. The cover must have been checked.

    Raises `Malformed` or `InvalidProof` when the parts are not what the header commits to.
    """
    header = cover.header
    feeds, state = _leaves(cover, parts)
    if _root(feeds) != header.feeds_root:
        raise InvalidProof("the heads are not those that the header commits to")
    if _root(state) != header.state_root:
        raise InvalidProof("the state is not the one that the header commits to")
    membership = Membership.from_leaves(_under(MEMBER_PREFIX, state), _under(CHANGE_PREFIX, state))
    restored = application.restore(genesis, _under(APPLICATION_PREFIX, state))
    heads = _heads(feeds)
    if state_leaves(membership, application.leaves(restored)) != state or feeds_leaves(heads) != feeds:
        raise Malformed("the state does not encode to what it was read from")
    block_id = header_id(header, genesis.cell_id)
    next_validators = membership.expected().validators()
    return Tip(
        genesis=genesis,
        height=header.height,
        header_id=block_id,
        last_interval=header.last_interval,
        time_ns=header.time_ns,
        round=header.round,
        membership=membership,
        deciders=cover.deciders,
        validators=cover.validators,
        next_validators=next_validators,
        heads=heads,
        log=cover.log.append(block_id),
        state=restored,
        parent_log=cover.log,
        epochs=_recent_epochs(cover, Membership.founding(genesis).validators(), next_validators),
    )


def _recent_epochs(cover: Cover, founders: ValidatorSet, next_validators: ValidatorSet) -> tuple[Epoch, ...]:
    """The last sets of validators as whoever followed the chain remembers them."""
    recent = with_epoch((), Epoch(1, founders))
    for epoch in cover.epochs:
        recent = with_epoch(recent, Epoch(epoch.header.height + 1, epoch.following))
    return with_epoch(recent, Epoch(cover.header.height + 2, next_validators))


def heads_of_part(part: bytes) -> tuple[Head, ...]:
    """The heads among a part's leaves; none in a part of the state. Raises `Malformed`."""
    tree, rows = _rows(part)
    return tuple(_heads(rows).values()) if tree == FEEDS else ()


def _cut(tree: int, leaves: Pairs) -> Iterator[bytes]:
    """The leaves in parts; each but the last of a map reaches the usual size."""
    rows: list[Value] = []
    size = 0
    for key, value in leaves:
        if rows and size + len(key) + len(value) > SNAPSHOT_PART_BYTES:
            yield encode((tree, tuple(rows)))
            rows, size = [], 0
        rows.append((key, value))
        size += len(key) + len(value) + 8
    if rows:
        yield encode((tree, tuple(rows)))


def _leaves(cover: Cover, parts: Iterable[bytes]) -> tuple[Pairs, Pairs]:
    trees: tuple[Pairs, Pairs] = ([], [])
    count = 0
    for index, part in enumerate(parts):
        check_part(cover, index, part)
        tree, rows = _rows(part)
        trees[tree].extend(rows)
        count += 1
    if count != len(cover.parts):
        raise Malformed(f"{count} parts where the cover names {len(cover.parts)}")
    return trees


def _rows(part: bytes) -> tuple[int, Pairs]:
    match decode(part, max_bytes=SYNC_BYTES):
        case (int(tree), tuple(rows)) if tree in (FEEDS, STATE):
            pairs = [
                (row[0], row[1])
                for row in rows
                if isinstance(row, tuple)
                and len(row) == 2
                and isinstance(row[0], bytes)
                and isinstance(row[1], bytes)
            ]
            if len(pairs) == len(rows):
                return tree, pairs
    raise Malformed("no part of a snapshot")


def _root(leaves: Pairs) -> bytes:
    try:
        return map_root(leaves)
    except ValueError as fault:
        raise Malformed(str(fault)) from fault


def _under(prefix: bytes, leaves: Sequence[tuple[bytes, bytes]]) -> Pairs:
    return [(key[len(prefix) :], value) for key, value in leaves if key.startswith(prefix)]


def _heads(leaves: Pairs) -> Mapping[bytes, Head]:
    heads = {}
    for member, value in leaves:
        match decode(value, max_bytes=SYNC_BYTES):
            case (int(incarnation), int(sequence), bytes(entry_id)):
                heads[member] = Head(member, incarnation, sequence, entry_id)
            case _:
                raise Malformed("a head has an incarnation, a sequence and an id")
    return MappingProxyType(heads)


def _frontier(size: int, hashes: tuple[Value, ...]) -> Frontier:
    try:
        return Frontier(size, _hashes(hashes))
    except ValueError as fault:
        raise Malformed(str(fault)) from fault


def _hashes(values: tuple[Value, ...]) -> tuple[bytes, ...]:
    hashes = tuple(value for value in values if isinstance(value, bytes) and len(value) == ID_BYTES)
    if len(hashes) != len(values):
        raise Malformed("a hash has 32 bytes")
    return hashes
