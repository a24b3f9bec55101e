"""Shell: what a reader of foreign bytes must keep to, and how one input is tried.

A reader either accepts or raises the one error that it declares. What it accepts and can write, it writes again as
the very same bytes. Memory and time are linear in the input: ``try_input`` measures both.
"""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

MEMORY_PER_BYTE = 64
"""bytes held at most while one byte of input is read: a nested array of one item is an object of 56 for each."""
MEMORY_BYTES = 128 * 1024
"""bytes that any input may take besides: errors, caches, compiled patterns."""
TIME_NS = 500_000_000
"""CPU time that any input may take: a quorum of signatures, on a busy machine and under tracing."""
TIME_PER_BYTE_NS = 10_000
"""CPU time per byte of input, likewise: a reply of 1 MiB takes ten seconds at the very worst."""


class Finding(AssertionError):  # noqa: N818 - it is what a search is for
    """A reader broke its promise."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader. ``read`` gives the bytes it would write for what it read, or None where it writes nothing."""

    name: str
    read: Callable[[bytes], bytes | None]
    refuses: type[Exception]
    seeds: tuple[bytes, ...]
    answers: int = 0
    """bytes that its answer may take, however short the question."""


def try_input(target: Target, data: bytes) -> bool:
    """Whether the target accepts the bytes. Raises `Finding`, and whatever the target raises undeclared.

    Memory is measured only while `tracemalloc` traces.
    """
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    began_ns = time.process_time_ns()
    try:
        written = target.read(data)
    except target.refuses:
        written, accepted = None, False
    else:
        accepted = True
    took_ns = time.process_time_ns() - began_ns
    _, peak = tracemalloc.get_traced_memory()
    if written is not None and written != data:
        raise Finding(f"{target.name}: accepted {data.hex()} and would write {written.hex()}")
    if peak - before > MEMORY_BYTES + MEMORY_PER_BYTE * len(data) + target.answers:
        raise Finding(f"{target.name}: {peak - before} bytes of memory for {len(data)} bytes of input")
    if took_ns > TIME_NS + TIME_PER_BYTE_NS * len(data):
        raise Finding(f"{target.name}: {took_ns / 1e9:.1f} s for {len(data)} bytes of input")
    return accepted


def silent(_: object) -> None:
    """What was read is not written anywhere."""
