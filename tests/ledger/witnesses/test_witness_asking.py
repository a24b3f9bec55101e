"""What a cell shows its witnesses and takes from them: nothing more, and nothing that it did not ask for."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey
from witnessed_cells import (
    BLANK,
    NOW_NS,
    WITNESS,
    WITNESS_KEY,
    Disk,
    fork,
    grown,
    history_of,
    shown,
    witness_of,
)

from ledger.chain.epochs import EpochLink
from ledger.chain.header_log import HeaderLog
from ledger.errors import BadSignature, InvalidProof, Malformed, PeerError
from ledger.records.blocks import header_id
from ledger.witnesses.asking import Asking
from ledger.witnesses.cosignatures import load_cosignatures, save_cosignatures
from ledger.witnesses.messages import (
    NOTHING,
    AddCheckpoint,
    Checkpoint,
    Cosigned,
    Differs,
    cosign,
    decode_reply,
    open_cosignature,
)


def test_a_second_node_of_the_cell_is_told_where_to_begin(cell) -> None:
    witness = witness_of(grown(cell, 6), Disk(BLANK))
    first, second = Asking(WITNESS, history_of(cell)), Asking(WITNESS, history_of(cell, 4))
    first.heard(witness.answer(first.question(), NOW_NS).encode())
    assert witness.answer(second.question(), NOW_NS) == Differs(5, 6)
    assert second.heard(Differs(5, 6).encode()) is None
    assert second.question() is None  # it is behind: nothing it could show is new
    for block, _ in cell.blocks[4:]:
        second.history.append(block.header)
    cosigned = second.heard(witness.answer(second.question(), NOW_NS + 1).encode())
    assert cosigned is not None and cosigned.checkpoint.size == 5


def test_nothing_is_shown_before_the_second_block(cell) -> None:
    assert Asking(WITNESS, history_of(cell)).question() is None
    assert Asking(WITNESS, history_of(grown(cell, 1))).question() is None


def test_a_cosignature_is_for_one_cell_one_checkpoint_and_one_key(cell) -> None:
    made = cosign(WITNESS_KEY, cell.cell_id, Checkpoint(3, bytes(32)), NOW_NS)
    assert open_cosignature(made.envelope, cell.cell_id, WITNESS) == made
    with pytest.raises(BadSignature):
        open_cosignature(made.envelope, bytes(32), WITNESS)
    with pytest.raises(BadSignature):
        open_cosignature(made.envelope, cell.cell_id, bytes(32))


def test_a_cell_takes_no_cosignature_of_what_it_did_not_show(cell) -> None:
    asking = Asking(WITNESS, history_of(grown(cell, 4)))
    asking.question()
    for checkpoint in (Checkpoint(3, bytes(32)), Checkpoint(2, cell.tips[2].log.root())):
        wrong = cosign(WITNESS_KEY, cell.cell_id, checkpoint, NOW_NS)
        with pytest.raises(InvalidProof, match="another checkpoint"):
            asking.heard(Cosigned(wrong.envelope).encode())
    assert asking.last is None


def test_a_cell_that_holds_another_history_than_its_witness_cosigned_says_so(cell, new_cell) -> None:
    other = fork(grown(cell, 6), new_cell, 4)
    last = cosign(WITNESS_KEY, cell.cell_id, Checkpoint(5, cell.tips[5].log.root()), NOW_NS)
    assert Asking(WITNESS, history_of(cell), last).contradiction is None
    assert Asking(WITNESS, history_of(cell, 3), last).contradiction is None
    contradiction = Asking(WITNESS, history_of(other), last).contradiction
    assert contradiction is not None and "another log of 5 headers" in contradiction


def test_changes_of_validators_are_shown_from_where_the_witness_knows_them_as_far_as_there_is_room(
    cell, monkeypatch
) -> None:
    history = history_of(grown(cell, 9))
    keys = cell.tips[1].validators.keys
    history.links = [EpochLink(history.certified(height), keys) for height in (2, 5, 8)]
    request = history.show(0, 1, None)
    assert [link.last.header.height for link in request.links] == [2, 5, 8]
    assert [link.last.header.height for link in history.show(4, 5, None).links] == [5, 8]
    assert history.show(0, 9, None).links == ()
    monkeypatch.setattr("ledger.witnesses.asking.LINK_BYTES", 800)
    request = history.show(0, 1, None)
    assert ([link.last.header.height for link in request.links], request.certified.header.height) == ([2], 5)
    assert isinstance(request.links[0], EpochLink)


def test_held_cosignatures_are_read_back_and_verified_again(cell, tmp_path: Path) -> None:
    path = tmp_path / "cosignatures"
    assert load_cosignatures(path, cell.cell_id) == {}
    keys = [SigningKey(bytes([index]) * 32) for index in range(3)]
    made = [cosign(key, cell.cell_id, Checkpoint(7, bytes(32)), NOW_NS) for key in keys]
    save_cosignatures(path, made)
    assert load_cosignatures(path, cell.cell_id) == {each.signer: each for each in made}
    assert load_cosignatures(path, bytes(32)) == {}
    path.write_bytes(b"rot")
    assert load_cosignatures(path, cell.cell_id) == {}


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_hostile_bytes_raise_the_declared_error_alone(data: bytes) -> None:
    for read in (AddCheckpoint.decode, decode_reply, lambda each: open_cosignature(each, bytes(32), WITNESS)):
        try:
            read(data)
        except PeerError:
            continue


@pytest.mark.parametrize(
    "spoilt",
    [
        {"cell_id": b"short"},
        {"old_size": -1},
        {"known_from": 0},
        {"consistency": (bytes(32),) * 65},
        {"consistency": (7,)},
        {"last": 3},
    ],
)
def test_a_question_out_of_range_is_malformed(cell, spoilt) -> None:
    grown(cell, 3)
    with pytest.raises(Malformed):
        AddCheckpoint.decode(shown(cell, 3, **spoilt).encode())


def test_the_log_shown_is_the_one_that_headers_commit_to(cell) -> None:
    grown(cell, 5)
    log = HeaderLog()
    for block, _ in cell.blocks:
        assert (log.size, log.root(log.size)) == (block.header.log_size, block.header.log_root)
        log.append(header_id(block.header, cell.cell_id))
    assert NOTHING.root == log.root(0)
