"""A witness cosigns what continues what it cosigned, certified, and nothing else; whoever asks, however it is asked."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
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
    remembered,
    shown,
    witness_of,
)

from ledger.chain.epochs import CertifiedHeader, Trust
from ledger.errors import Corrupt, DoubleSign, InvalidProof, PeerError
from ledger.witnesses.asking import Asking
from ledger.witnesses.book import Witness, WitnessBook
from ledger.witnesses.messages import (
    AddCheckpoint,
    Checkpoint,
    Cosigned,
    Differs,
    cosign,
    open_cosignature,
)
from ledger.witnesses.witness import ForkShown, MayCosign, Remembered, consider

EXAMPLES = int(os.environ.get("WATTSWARM_SOAK", "0")) or 100


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    WitnessBook.open(tmp_path / "witness").close()
    assert (tmp_path / "witness").read_bytes() == BLANK
    return Disk(BLANK)


def test_a_cell_is_followed_from_its_first_checkpoint_to_the_newest(cell, disk) -> None:
    witness = witness_of(cell, disk)
    asking = Asking(WITNESS, history_of(grown(cell, 3)))
    for more in (0, 1, 5):
        for block, _ in grown(cell, more).blocks[asking.history.height :]:
            asking.history.append(block.header)
        question = asking.question()
        assert question is not None
        cosigned = asking.heard(witness.answer(question, NOW_NS).encode())
        assert cosigned is not None
        assert cosigned.checkpoint == Checkpoint(
            cell.tip.height - 1, asking.history.log.root(cell.tip.height - 1)
        )
        assert (cosigned.time_ns, asking.question()) == (NOW_NS, None)


def test_a_smaller_log_is_never_cosigned(cell, disk) -> None:
    known = remembered(grown(cell, 6), 6)
    with pytest.raises(InvalidProof, match="block 4 is before block 6"):
        consider(known, shown(cell, 4, old_size=5, known_from=6))
    with pytest.raises(DoubleSign):
        book = WitnessBook(disk)
        book.advance(cell.cell_id, known)
        book.advance(cell.cell_id, remembered(cell, 5))


def test_another_log_of_the_same_size_is_a_fork_and_is_named_so(cell, new_cell) -> None:
    other = fork(grown(cell, 6), new_cell, 4)
    known = remembered(cell, 6)
    with pytest.raises(ForkShown, match="two logs of 5 headers are certified"):
        consider(known, shown(other, 6, old_size=5, known_from=6))


def test_a_larger_log_that_does_not_continue_the_cosigned_one_is_refused(cell, new_cell) -> None:
    other = fork(grown(cell, 6), new_cell, 4)
    request = shown(other, 7, old=5)
    with pytest.raises(InvalidProof, match="lead to both roots"):
        consider(remembered(cell, 6), request)
    with pytest.raises(InvalidProof):
        consider(remembered(cell, 6), replace(request, consistency=()))


def test_a_header_that_the_validators_did_not_decide_is_refused(cell) -> None:
    grown(cell, 4)
    block, _ = cell.blocks[3]
    few = CertifiedHeader(block.header, cell.certificate(block, signers=2))
    with pytest.raises(InvalidProof, match="2 signatures where 3 are needed"):
        consider(Remembered.of(cell.genesis), shown(cell, 4, certified=few))


def test_the_first_checkpoint_takes_no_consistency_proof(cell) -> None:
    with pytest.raises(InvalidProof, match="needs no consistency proof"):
        consider(Remembered.of(grown(cell, 4).genesis), shown(cell, 4, consistency=(bytes(32),)))


def test_a_question_from_elsewhere_is_answered_with_where_to_begin(cell) -> None:
    known = remembered(grown(cell, 6), 4)
    assert known == Remembered(Checkpoint(3, cell.tips[3].log.root()), Trust(4, cell.tip.validators))
    for old_size, known_from in ((0, 1), (3, 1), (2, 4), (4, 5)):
        assert consider(known, shown(cell, 6, old_size=old_size, known_from=known_from)) == Differs(3, 4)


def test_a_cell_that_is_no_neighbour_is_refused(cell, new_cell, disk) -> None:
    stranger = grown(new_cell(size=5), 3)
    with pytest.raises(InvalidProof, match="is not one that this node witnesses"):
        witness_of(cell, disk).answer(shown(stranger, 3).encode(), NOW_NS)


def test_it_is_remembered_before_it_is_signed(cell, disk) -> None:
    witness = witness_of(grown(cell, 3), disk)
    disk.full = True
    with pytest.raises(OSError, match="no space"):
        witness.answer(shown(cell, 3).encode(), NOW_NS)
    disk.full = False
    assert WitnessBook(disk).known(cell.cell_id) is None
    assert isinstance(witness.answer(shown(cell, 3).encode(), NOW_NS), Cosigned)
    assert WitnessBook(disk).known(cell.cell_id) == remembered(cell, 3)


def test_what_is_remembered_survives_a_restart(cell, disk) -> None:
    witness_of(grown(cell, 6), disk).answer(shown(cell, 6).encode(), NOW_NS)
    assert witness_of(cell, disk).answer(shown(cell, 4).encode(), NOW_NS) == Differs(5, 6)


@pytest.mark.parametrize("spoilt", [b"", b"x", None])
def test_a_damaged_memory_is_refused(cell, disk, spoilt) -> None:
    witness_of(grown(cell, 3), disk).answer(shown(cell, 3).encode(), NOW_NS)
    content = bytearray(disk.content)
    content[9] ^= 1
    with pytest.raises(Corrupt, match="what this node cosigned is unknown"):
        WitnessBook(Disk(bytes(content) if spoilt is None else spoilt))


def test_a_witness_with_an_old_memory_does_not_fall_behind_its_own_cosignature(cell, new_cell, disk) -> None:
    old_copy = Disk(disk.content)
    asking = Asking(WITNESS, history_of(grown(cell, 6)))
    asking.heard(witness_of(cell, disk).answer(asking.question(), NOW_NS).encode())
    for block, _ in grown(cell, 1).blocks[6:]:
        asking.history.append(block.header)
    forgetful = witness_of(cell, old_copy)
    assert asking.heard(forgetful.answer(asking.question(), NOW_NS).encode()) is None
    cosigned = asking.heard(forgetful.answer(asking.question(), NOW_NS).encode())
    assert cosigned is not None and cosigned.checkpoint.size == 6
    liar = shown(fork(cell, new_cell, 4), 7, old_size=6, known_from=7)
    with pytest.raises(ForkShown):
        forgetful.answer(liar.encode(), NOW_NS)


def test_the_cosignature_of_another_witness_moves_nobodys_memory(cell, disk) -> None:
    grown(cell, 3)
    foreign = cosign(SigningKey(b"x" * 32), cell.cell_id, Checkpoint(99, bytes(32)), NOW_NS).envelope
    for last in (foreign, b"", b"junk"):
        fresh = witness_of(cell, Disk(disk.content))
        assert isinstance(fresh.answer(shown(cell, 3, last=last).encode(), NOW_NS), Cosigned)


def test_an_own_cosignature_of_another_log_is_not_explained_away(cell) -> None:
    known = remembered(grown(cell, 4), 4)
    own = cosign(WITNESS_KEY, cell.cell_id, Checkpoint(3, bytes(32)), NOW_NS)
    with pytest.raises(InvalidProof, match="own cosignature is for another log"):
        consider(known, shown(cell, 4, old=3), own)


def test_every_flipped_byte_of_a_question_is_refused_or_signs_the_same_checkpoint(cell, disk) -> None:
    grown(cell, 5)
    known = remembered(cell, 3)
    question = shown(cell, 5, old=2).encode()
    verdict = consider(known, AddCheckpoint.decode(question))
    assert isinstance(verdict, MayCosign)
    for position in range(len(question)):
        spoilt = bytearray(question)
        spoilt[position] ^= 1 << position % 8
        try:
            found = consider(known, AddCheckpoint.decode(bytes(spoilt)))
        except PeerError:
            continue
        assert found == verdict or isinstance(found, Differs), position


@pytest.fixture
def histories(cell, new_cell):
    """Two histories of one cell under certificates: its own, and one that forks off after block 3."""
    return grown(cell, 8), fork(cell, new_cell, 4)


steps_of_a_witness = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(2, 7),
        st.sampled_from(["answered", "asked from elsewhere", "disk full", "power cut", "reply lost"]),
    ),
    max_size=25,
)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps_of_a_witness)
def test_whatever_it_is_asked_and_whenever_it_stops_a_witness_cosigns_one_history(histories, steps) -> None:
    book = WitnessBook(Disk(BLANK))
    signed: list[Checkpoint] = []
    believed = [0, 0]
    for which, height, event in steps:
        cell = histories[which]
        book = WitnessBook(Disk(book._file.read()))
        book._file.full = event == "disk full"
        witness = Witness(WITNESS_KEY, book, {cell.cell_id: cell.genesis})
        size = height if event == "asked from elsewhere" else believed[which]
        request = history_of(cell, height).show(size, size + 1, None)
        if request is None:
            continue
        known = book.known(cell.cell_id) or Remembered.of(cell.genesis)
        with suppress(PeerError, OSError):
            if event == "power cut":  # after it was remembered and before it was signed
                verdict = consider(known, request)
                if isinstance(verdict, MayCosign):
                    book.advance(cell.cell_id, verdict.remembered)
                continue
            answer = witness.answer(request.encode(), NOW_NS)
            if isinstance(answer, Differs):
                believed[which] = answer.size
                continue
            signed.append(open_cosignature(answer.envelope, cell.cell_id, WITNESS).checkpoint)
            if event != "reply lost":
                believed[which] = signed[-1].size
    fitting = [
        {which for which in (0, 1) if histories[which].tips[each.size].log.root() == each.root}
        for each in signed
    ]
    assert set.intersection({0, 1}, *fitting), "no single history has all that was cosigned"
    assert [each.size for each in signed] == sorted(each.size for each in signed)
