"""Snapshots: a restored tip is the tip, and a cover or a part with one wrong byte is refused."""

from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.epochs import CertifiedHeader, EpochLink, follow_links
from ledger.chain.state_snapshot import decode_cover, restore, take_snapshot
from ledger.encoding import decode, encode
from ledger.errors import InvalidProof, PeerError
from ledger.limits import SYNC_BYTES


@pytest.fixture
def decided(cell):
    """A toy cell with three blocks, and a member that has spoken since."""
    for round_ in (0, 2, 1):
        for index in range(3):
            cell.author(index)
        cell.decide(round_)
    cell.author(1)
    return cell


def snapshot_of(cell):
    return at_height(cell, cell.tip.height)


def at_height(cell, height, tip=None):
    block, certificate = cell.blocks[height - 1]
    return take_snapshot(tip or cell.tips[height], cell.application, block.header, certificate, ())


def opened(cell, cover, parts):
    """The tip that whoever only knows the genesis gets."""
    found = decode_cover(cover)
    found.check(cell.cell_id, cell.tips[0].validators)
    return restore(found, parts, cell.genesis, cell.application)


def test_a_restored_tip_is_the_tip_and_leads_to_the_same_blocks(decided):
    snapshot = snapshot_of(decided)
    tip = opened(decided, snapshot.cover, snapshot.parts)
    assert tip == decided.tip
    assert at_height(decided, 3, tip) == snapshot
    block, next_tip, _ = decided.propose()
    decided.tips[-1] = tip
    assert decided.propose()[:2] == (block, next_tip)


@pytest.mark.parametrize("height", [1, 2])
def test_every_height_has_a_snapshot_with_the_log_before_it(decided, height):
    snapshot = at_height(decided, height)
    assert opened(decided, snapshot.cover, snapshot.parts) == decided.tips[height]


def test_many_leaves_are_cut_into_parts_that_are_checked_alone(decided, monkeypatch):
    monkeypatch.setattr("ledger.chain.state_snapshot.SNAPSHOT_PART_BYTES", 200)
    snapshot = snapshot_of(decided)
    assert len(snapshot.parts) > 4
    assert opened(decided, snapshot.cover, snapshot.parts) == decided.tip
    for wrong in (snapshot.parts[:-1], (*snapshot.parts, snapshot.parts[-1]), snapshot.parts[::-1]):
        with pytest.raises(PeerError):
            opened(decided, snapshot.cover, wrong)


def test_one_flipped_byte_anywhere_is_refused(decided):
    snapshot = snapshot_of(decided)
    random = Random(1)
    for position in range(len(snapshot.cover)):
        with pytest.raises(PeerError):
            opened(decided, flipped(snapshot.cover, position, 1 << random.randrange(8)), snapshot.parts)
    for number, part in enumerate(snapshot.parts):
        for position in range(len(part)):
            changed = [*snapshot.parts]
            changed[number] = flipped(part, position, 1 << random.randrange(8))
            with pytest.raises(PeerError):
                opened(decided, snapshot.cover, changed)


def test_parts_whose_hashes_the_cover_names_must_still_give_the_roots(decided):
    """A lying peer makes a cover that fits its parts."""
    snapshot = snapshot_of(decided)
    cover = decode_cover(snapshot.cover)
    for number, part in enumerate(snapshot.parts):
        tree, rows = decode(part, max_bytes=SYNC_BYTES)
        (key, value), *others = rows
        for lie in (
            ((key, value + b"\0"), *others),
            tuple(others),
            ((key, value), (key, value), *others),
            (*others, (key, value)),
        ):
            if tuple(lie) == tuple(rows):
                continue
            parts = [*snapshot.parts]
            parts[number] = encode((tree, tuple(lie)))
            hashes = tuple(sha256(each).digest() for each in parts)
            with pytest.raises(PeerError):
                opened(decided, replace(cover, parts=hashes).encode(), parts)


def test_a_cover_of_another_cell_or_without_a_quorum_is_refused(decided, new_cell):
    snapshot = snapshot_of(decided)
    cover = decode_cover(snapshot.cover)
    with pytest.raises(InvalidProof):
        cover.check(new_cell(size=5).cell_id, decided.tip.validators)
    with pytest.raises((InvalidProof, InvalidProof)):
        cover.check(decided.cell_id, new_cell(size=5).tip.validators)
    weak = replace(cover, certificate=decided.certificate(decided.blocks[-1][0], signers=2))
    with pytest.raises(InvalidProof):
        weak.check(decided.cell_id, decided.tips[0].validators)


def test_epochs_lead_from_the_founders_to_later_validators(decided, new_cell):
    """A header that names other validators for the next height, certified by those of its own."""
    others = new_cell(size=5).tip.validators
    founders = decided.tips[0].validators
    block, _ = decided.blocks[-1]
    edge = replace(block, header=replace(block.header, next_validators_hash=others.hash()))
    epoch = EpochLink(CertifiedHeader(edge.header, decided.certificate(edge)), others.keys)
    assert follow_links(founders, (), decided.cell_id).validators == founders
    assert follow_links(founders, (epoch,), decided.cell_id).validators == others
    for wrong in (
        (epoch, epoch),
        (replace(epoch, next_keys=founders.keys),),
        (replace(epoch, last=replace(epoch.last, certificate=decided.certificate(block))),),
        (replace(epoch, last=replace(epoch.last, header=block.header)),),
    ):
        with pytest.raises(InvalidProof):
            follow_links(founders, wrong, decided.cell_id)
    with pytest.raises(InvalidProof):
        follow_links(others, (epoch,), decided.cell_id)


@given(st.binary(max_size=300))
def test_whatever_arrives_as_a_cover_only_the_declared_error_comes_out(data):
    try:
        decode_cover(data)
    except PeerError:
        return


@given(st.randoms(use_true_random=False), st.binary(min_size=1, max_size=40))
def test_a_cover_with_bytes_exchanged_raises_only_the_declared_error(random, data):
    cover = COVER[0]
    start = random.randrange(len(cover))
    try:
        decode_cover(cover[:start] + data + cover[start + len(data) :])
    except PeerError:
        return


COVER = []


@pytest.fixture(autouse=True, scope="module")
def _a_cover(new_cell_class):
    cell = new_cell_class()
    cell.author(0)
    cell.decide()
    COVER.append(snapshot_of(cell).cover)


def flipped(data, position, mask):
    changed = bytearray(data)
    changed[position] ^= mask
    return bytes(changed)
