"""The sign guard: no place twice, at whatever byte a write is torn."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Corrupt, DoubleSign, GuardMissing
from ledger.files.durable_file import DiskFile
from ledger.files.sign_guard import SLOT_BYTES, GuardState, SignGuard, blank_guard
from ledger.limits import PROPOSAL_BYTES
from ledger.records.votes import Step
from sim.simulated_disk import Power, PowerLost, SimulatedFile

HEAD = b"head".ljust(32, b".")


def guard_with(votes: int) -> tuple[SignGuard, SimulatedFile]:
    file = SimulatedFile(Power(), blank_guard())
    guard = SignGuard(file)
    for height in range(1, votes + 1):
        guard.advance_vote(height, 0, Step.PREVOTE, b"body %d" % height)
    return guard, file


def test_a_new_guard_has_signed_nothing() -> None:
    guard, _ = guard_with(0)
    assert guard.last == GuardState()
    assert guard.last.place == (0, 0, Step.PROPOSE)
    assert not guard.recovered


def test_what_was_claimed_is_there_after_reopening() -> None:
    guard, file = guard_with(3)
    guard.advance_feed(2, 7, HEAD)
    again = SignGuard(file)
    assert again.last == GuardState(3, 0, Step.PREVOTE, b"body 3", 2, 7, HEAD)
    assert not again.recovered


def test_the_same_body_again_is_allowed_and_another_is_not() -> None:
    guard, _ = guard_with(2)
    guard.advance_vote(2, 0, Step.PREVOTE, b"body 2")
    with pytest.raises(DoubleSign):
        guard.advance_vote(2, 0, Step.PREVOTE, b"another")
    assert guard.last.body == b"body 2"


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from(Step), st.sampled_from([b"a", b"b"]))
    )
)
def test_no_sequence_of_claims_gets_two_bodies_for_one_place_or_goes_back(
    claims: list[tuple[int, int, Step, bytes]],
) -> None:
    guard, file = guard_with(0)
    granted: dict[tuple[int, int, Step], bytes] = {}
    for height, round_, step, body in claims:
        try:
            guard.advance_vote(height, round_, step, body)
        except DoubleSign:
            continue
        assert granted.setdefault((height, round_, step), body) == body
        assert (height, round_, step) == max(granted)
        guard = SignGuard(file)


def test_the_feed_goes_forward_only_and_has_one_entry_per_place() -> None:
    guard, _ = guard_with(0)
    guard.advance_feed(0, 0, HEAD)
    guard.advance_feed(0, 0, HEAD)
    guard.advance_feed(1, 0, HEAD)
    for incarnation, sequence, head in ((1, 0, b"x" * 32), (0, 5, HEAD), (0, 0, HEAD)):
        with pytest.raises(DoubleSign):
            guard.advance_feed(incarnation, sequence, head)


def test_a_write_torn_at_any_byte_leaves_the_state_before_it_and_is_noticed() -> None:
    for torn_at in range(0, SLOT_BYTES, 7):
        _, file = guard_with(4)
        before = file.read()
        SignGuard(file).advance_vote(5, 0, Step.PREVOTE, b"body 5")
        written = file.read()
        newest = 0 if before[:SLOT_BYTES] != written[:SLOT_BYTES] else SLOT_BYTES
        cut = newest + torn_at
        torn = written[:cut] + before[cut : newest + SLOT_BYTES] + written[newest + SLOT_BYTES :]
        guard = SignGuard(SimulatedFile(Power(), torn))
        if torn == before:
            assert (guard.last.height, guard.recovered) == (4, False)
        elif torn == written:
            assert (guard.last.height, guard.recovered) == (5, False)
        else:
            assert (guard.last.height, guard.recovered) == (4, True)


def test_any_flipped_bit_is_noticed_and_never_passes_as_the_last_state() -> None:
    _, file = guard_with(5)
    content = file.read()
    for place in range(0, len(content), 5):
        rotten = bytearray(content)
        rotten[place] ^= 1 << (place % 8)
        guard = SignGuard(SimulatedFile(Power(), bytes(rotten)))
        assert guard.recovered
        assert guard.last.height in (4, 5)


def test_a_recovered_guard_is_whole_again_after_the_next_write() -> None:
    _, file = guard_with(5)
    rotten = bytearray(file.read())
    rotten[10] ^= 1
    file = SimulatedFile(Power(), bytes(rotten))
    SignGuard(file).advance_vote(6, 0, Step.PREVOTE, b"body 6")
    assert not SignGuard(file).recovered


@pytest.mark.parametrize("content", [b"", bytes(2 * SLOT_BYTES), blank_guard()[:100]])
def test_a_guard_without_a_sound_slot_is_refused(content: bytes) -> None:
    with pytest.raises(Corrupt, match="both slots"):
        SignGuard(SimulatedFile(Power(), content))


def test_swapped_slots_are_not_sound() -> None:
    content = blank_guard()
    with pytest.raises(Corrupt):
        SignGuard(SimulatedFile(Power(), content[SLOT_BYTES:] + content[:SLOT_BYTES]))


@given(st.integers(1, 4), st.randoms(use_true_random=False))
def test_power_may_fail_at_any_operation_without_a_claim_being_lost(operations: int, random: Random) -> None:
    power = Power()
    file = SimulatedFile(power, blank_guard())
    guard = SignGuard(file)
    power.fail_after(operations)
    claimed = 0
    try:
        for height in (1, 2):
            guard.advance_vote(height, 0, Step.PREVOTE, b"body")
            claimed = height
    except PowerLost:
        file.lose_power(random)
    power.restore()
    assert SignGuard(file).last.height in (claimed, claimed + 1)


def test_a_missing_guard_is_refused_unless_it_is_to_be_created(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    with pytest.raises(GuardMissing, match="guard is missing"):
        SignGuard.open(path)
    SignGuard.open(path, create=True).close()
    assert path.stat().st_size == 2 * SLOT_BYTES
    assert path.stat().st_mode & 0o077 == 0


def test_a_guard_on_a_real_disk_is_kept_and_never_created_anew(tmp_path: Path) -> None:
    path = tmp_path / "guard"
    guard = SignGuard.open(path, create=True)
    guard.advance_vote(1, 0, Step.PROPOSE, bytes(PROPOSAL_BYTES))
    guard.close()
    assert SignGuard.open(path, create=True).last.height == 1
    with pytest.raises(FileExistsError):
        DiskFile.create(path, blank_guard())


def test_what_cannot_be_held_is_refused() -> None:
    guard, _ = guard_with(0)
    with pytest.raises(ValueError, match="at most"):
        guard.advance_vote(1, 0, Step.PROPOSE, bytes(PROPOSAL_BYTES + 1))
    assert guard.last == GuardState()
