"""Readers of foreign bytes, given spoilt messages: only the declared error, memory and time linear in the input."""

import runpy
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Malformed
from sim.fuzzing.mutations import mutated
from sim.fuzzing.target import Finding, Target, try_input
from sim.fuzzing.targets import target_named, targets

NAMES = [target.name for target in targets()]
KIB = 1024


def array(items: bytes, count: int) -> bytes:
    """An encoded array of so many encoded items."""
    return b"\x99" + count.to_bytes(2, "big") + items


SIZE = 8 * KIB
BOMBS = {
    "nothing": b"",
    "zeros": bytes(SIZE),
    "many empty arrays": array(b"\x80" * SIZE, SIZE),
    "many small arrays": array(b"\x81\x01" * SIZE, SIZE),
    "many short strings": array(b"\x41\xff" * SIZE, SIZE),
    "many integers": array(b"\x19\x01\x01" * SIZE, SIZE),
    "deep arrays": b"\x81" * SIZE,
    "a claim of much": b"\x9b" + b"\xff" * 8 + bytes(KIB),
    "a long string": b"\x59" + SIZE.to_bytes(2, "big") + bytes(SIZE),
    "many frames": b"\x00\x00\x00\x02{}" * SIZE,
    "a deep object": b'{"type":' * SIZE,
    "a deep list": b"[" * SIZE,
    "a long number": b"9" * SIZE,
    "a huge float": b'{"type":"Acknowledge","interval":1e999}',
}
"""Inputs that make careless readers hold or do much more than they were sent."""


@contextmanager
def traced() -> Iterator[None]:
    """Memory is traced only here, because tracing everything that a test does is slow."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", NAMES)
def test_every_target_accepts_its_seeds(name: str) -> None:
    target = target_named(name)
    assert target.seeds
    assert all(try_input(target, seed) for seed in target.seeds)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
@given(chance=st.integers(0, 2**64 - 1), choice=st.integers(0, 2**16), other=st.integers(0, 2**16))
def test_a_spoilt_message_is_read_or_refused_as_declared(
    name: str, chance: int, choice: int, other: int
) -> None:
    target, theirs = target_named(name), targets()[other % len(NAMES)]
    seed = target.seeds[choice % len(target.seeds)]
    spoilt = mutated(seed, theirs.seeds[choice % len(theirs.seeds)], Random(chance))
    with traced():
        assert try_input(target, spoilt) in (True, False)


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_target_holds_or_does_much_more_than_it_was_sent(bomb: str) -> None:
    for target in targets():
        with traced():
            accepted = try_input(target, BOMBS[bomb])
        assert not accepted or (target.name, bomb) == ("control frames", "nothing"), target.name


def test_mutations_reach_the_inside_of_messages() -> None:
    target = target_named("frame")
    random = Random(1)
    accepted = [mutated(target.seeds[0], target.seeds[1], random) for _ in range(300)]
    changed = [each for each in accepted if each not in target.seeds and try_input(target, each)]
    assert len(changed) > 10


def test_the_search_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    with pytest.raises(SystemExit, match=r"pip install -c constraints\.txt -e '\.\[fuzz\]'"):
        runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "fuzz_decoders.py"), run_name="__main__")


def broken(name: str, read: object) -> Target:
    return Target(name, read, Malformed, (b"",))  # type: ignore[arg-type]


def test_a_reader_that_holds_too_much_is_found() -> None:
    with traced(), pytest.raises(Finding, match="bytes of memory for 4 bytes"):
        try_input(broken("hoarder", lambda data: bytes(len(data) * KIB * KIB) and None), b"long")


def test_a_reader_that_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.fuzzing.target.TIME_NS", -10)
    monkeypatch.setattr("sim.fuzzing.target.TIME_PER_BYTE_NS", 0)
    with pytest.raises(Finding, match="s for 4 bytes"):
        try_input(broken("dawdler", lambda data: None), b"slow")


def test_a_reader_that_takes_two_forms_of_one_value_is_found() -> None:
    with pytest.raises(Finding, match="would write 01"):
        try_input(broken("lenient", lambda data: b"\x01"), b"\x00")


def test_an_undeclared_error_is_not_swallowed() -> None:
    def fails(data: bytes) -> None:
        raise KeyError(data)

    with pytest.raises(KeyError):
        try_input(broken("careless", fails), b"x")
