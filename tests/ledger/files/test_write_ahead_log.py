"""The write-ahead log: a torn tail is cut, rot is refused."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Corrupt
from ledger.files.write_ahead_log import LOG_BYTES, RECORD_BYTES, WriteAheadLog
from sim.simulated_disk import Power, PowerLost, SimulatedFile

RECORDS = [b"one", b"", b"three" * 20, b"four"]


def log_of(file: SimulatedFile, records: list[bytes], *, flush_each: bool) -> WriteAheadLog:
    log = WriteAheadLog(file)
    for record in records:
        log.append(record)
        if flush_each:
            log.flush()
    log.flush()
    return log


def reopened(content: bytes) -> tuple[bytes, ...]:
    return WriteAheadLog(SimulatedFile(Power(), content)).records


@pytest.fixture
def content() -> bytes:
    file = SimulatedFile(Power())
    log_of(file, RECORDS, flush_each=True)
    return file.read()


def test_records_come_back_in_order(content: bytes) -> None:
    assert reopened(content) == tuple(RECORDS)


def test_a_tail_torn_at_any_byte_loses_only_the_records_it_cut(content: bytes) -> None:
    for size in range(len(content)):
        kept = reopened(content[:size])
        assert kept == tuple(RECORDS[: len(kept)])
    assert len(reopened(content[:-1])) == len(RECORDS) - 1


def test_a_torn_tail_is_cut_off_so_that_new_records_follow_sound_ones(content: bytes) -> None:
    file = SimulatedFile(Power(), content[:-2])
    log_of(file, [b"five"], flush_each=True)
    assert reopened(file.read()) == (*RECORDS[:-1], b"five")


def test_any_flipped_bit_that_a_durable_record_follows_is_refused_by_its_offset(content: bytes) -> None:
    start_of_last = len(content) - len(RECORDS[-1]) - 20
    for place in range(start_of_last):
        rotten = bytearray(content)
        rotten[place] ^= 1 << (place % 8)
        with pytest.raises(Corrupt, match="damaged at byte"):
            reopened(bytes(rotten))


def test_a_flipped_bit_in_the_last_record_loses_it_and_nothing_else(content: bytes) -> None:
    for place in range(len(content) - len(RECORDS[-1]) - 20, len(content)):
        rotten = bytearray(content)
        rotten[place] ^= 1 << (place % 8)
        assert reopened(bytes(rotten)) == tuple(RECORDS[:-1])


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans())), st.randoms(use_true_random=False))
def test_a_power_cut_never_takes_a_flushed_record_and_never_looks_like_rot(
    writes: list[tuple[bytes, bool]], random: Random
) -> None:
    file = SimulatedFile(Power())
    log = WriteAheadLog(file)
    durable = 0
    for record, flush in writes:
        log.append(record)
        if flush:
            log.flush()
            durable = len(log.records)
    before = log.records
    file.lose_power(random)
    after = WriteAheadLog(file).records
    assert len(after) >= durable
    assert after == before[: len(after)]


def test_appending_is_not_durable_and_flushing_is() -> None:
    log = WriteAheadLog(SimulatedFile(Power()))
    log.append(b"record")
    assert log.dirty
    log.flush()
    assert not log.dirty


def test_a_reset_leaves_the_old_or_the_new_log_wherever_power_fails() -> None:
    for operations in (1, 2, 3):
        power = Power()
        file = SimulatedFile(power)
        log = log_of(file, RECORDS, flush_each=False)
        power.fail_after(operations)
        try:
            log.reset([b"new"])
        except PowerLost:
            file.lose_power(Random(0))
        power.restore()
        assert WriteAheadLog(file).records in (tuple(RECORDS), (b"new",))


def test_after_a_reset_the_log_goes_on() -> None:
    file = SimulatedFile(Power())
    log = log_of(file, RECORDS, flush_each=True)
    log.reset()
    log.append(b"next")
    log.flush()
    assert reopened(file.read()) == (b"next",)


def test_a_log_that_grew_too_long_says_so_until_it_is_reset() -> None:
    log = WriteAheadLog(SimulatedFile(Power()))
    log.reset([bytes(RECORD_BYTES)] * (LOG_BYTES // RECORD_BYTES + 1))
    assert log.too_long
    log.reset([b"what still matters"])
    assert not log.too_long


def test_a_record_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        WriteAheadLog(SimulatedFile(Power())).append(bytes(RECORD_BYTES + 1))


def test_a_log_on_a_real_disk_is_created_and_reopened(tmp_path: Path) -> None:
    path = tmp_path / "agreement.log"
    log = WriteAheadLog.open(path)
    for record in RECORDS:
        log.append(record)
    log.close()
    again = WriteAheadLog.open(path)
    assert again.records == tuple(RECORDS)
    again.reset([b"kept"])
    again.append(b"added")
    again.close()
    assert WriteAheadLog.open(path).records == (b"kept", b"added")
    assert [entry.name for entry in tmp_path.iterdir()] == ["agreement.log"]
