"""Strict ingest of entries per second: decode, verify, hash, join the feeds, store, group commit.

Run as `python benchmarks/bench_ingest.py [ENTRIES]`. It prints a table for people and, as its last line, one
JSON object. The reference beside it, in the same run and on the same entries, is what libsodium's
verification alone reaches through PyNaCl on one core, with nothing decoded, hashed or kept. Two cores means a
pool of two threads for opening entries: PyNaCl releases the interpreter lock while it verifies, and only
then.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey

from ledger.feeds.feeds import Feeds
from ledger.membership.members import Membership
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import FoundingMember, Genesis, Role
from ledger.signing import MessageType, preimage
from ledger.store.store import Store
from ledger.sync.ingest import ingest

REPEATS = 3
"""Each is measured so often, in turns; the best counts, because other programs only ever slow one down."""

MEMBERS = 8
GROUP = 1000
ANCHOR_EVERY = 4 * GROUP
"""Entries after which the feeds forget what a block would have anchored."""

CURVE = tuple((210_000 + 1_000 * step, 250_000) for step in range(8))
"""An order of eight steps, as a member with a battery would send it."""


class Rate(NamedTuple):
    """Entries per second of wall time, and per second of this process' own time on the processor."""

    wall: float
    cpu: float


def main() -> None:
    """Measure, print, and say what share of plain verification the whole way reaches."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    genesis, entries = _author(count)
    envelopes = [signed.envelope for signed in entries]
    cores = sorted(os.sched_getaffinity(0))
    alone, one, two = [], [], []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(REPEATS):
            with _on(cores[:1]):
                alone.append(_rate(count, lambda: _verify_all(entries, genesis.cell_id)))
                one.append(_ingest_rate(genesis, envelopes, None))
            if len(cores) > 1:
                two.append(_ingest_rate(genesis, envelopes, pool))
    result = {
        "machine": _machine(),
        "entries": count,
        "bytes_per_entry": round(sum(map(len, envelopes)) / count),
        "group": GROUP,
        "verification_alone_per_s": round(max(alone).wall),
        "ingest_one_core_per_s": round(max(one).wall),
        "ingest_two_cores_per_s": round(max(two).wall) if two else None,
        "share_of_verification": round(max(one).wall / max(alone).wall, 3),
        "share_of_verification_by_cpu_time": round(_fastest_cpu(one) / _fastest_cpu(alone), 3),
    }
    _print_table(result)
    print(json.dumps(result))


def _author(count: int) -> tuple[Genesis, list[SignedEntry]]:
    keys = [SigningKey(bytes([index]) * 32) for index in range(1, MEMBERS + 1)]
    votes = SigningKey(bytes(32))
    genesis = Genesis(
        b"bench",
        0,
        0,
        (),
        tuple(
            FoundingMember(
                b"member %d" % index,
                key.verify_key.encode(),
                votes.verify_key.encode() if index == 0 else None,
                int(Role.PROSUMER | (Role.VALIDATOR if index == 0 else 0)),
            )
            for index, key in enumerate(keys)
        ),
        (),
    )
    previous: dict[int, bytes | None] = {}
    entries = []
    for number in range(count):
        index, sequence = number % MEMBERS, number // MEMBERS
        key = keys[index]
        entry = Entry(
            key.verify_key.encode(),
            0,
            sequence,
            previous.get(index),
            32,
            sequence,
            sequence * 900_000_000_000,
            (CURVE, CURVE[:2]),
        )
        signed = author_entry(key, genesis.cell_id, entry)
        previous[index] = signed.id
        entries.append(signed)
    return genesis, entries


def _verify_all(entries: list[SignedEntry], cell_id: bytes) -> None:
    for signed in entries:
        crypto_sign_open(
            signed.signature + preimage(MessageType.ENTRY, cell_id, signed.body), signed.entry.author
        )


def _ingest_rate(genesis: Genesis, envelopes: list[bytes], pool: Executor | None) -> Rate:
    with TemporaryDirectory(dir=Path.cwd()) as directory:
        store = Store.open(Path(directory) / "ledger.sqlite", genesis.cell_id, create=True)
        membership = Membership.founding(genesis)
        feeds = Feeds(genesis.cell_id, membership)
        rate = _rate(len(envelopes), lambda: _ingest_all(envelopes, feeds, membership, store, pool))
        assert sum(head.sequence + 1 for head in store.heads()) == len(envelopes)
        store.close()
    return rate


def _ingest_all(
    envelopes: list[bytes], feeds: Feeds, membership: Membership, store: Store, pool: Executor | None
) -> None:
    for start in range(0, len(envelopes), GROUP):
        ingest(envelopes[start : start + GROUP], feeds, membership, store, start, pool)
        store.commit()
        if start % ANCHOR_EVERY == 0:
            for head in feeds.heads():
                feeds.forget_through(head)


def _fastest_cpu(rates: list[Rate]) -> float:
    return max(rate.cpu for rate in rates)


def _rate(count: int, run: Callable[[], None]) -> Rate:
    wall, used = time.perf_counter(), time.process_time()
    run()
    return Rate(count / (time.perf_counter() - wall), count / (time.process_time() - used))


@contextmanager
def _on(cores: list[int]) -> Iterator[None]:
    """Run this thread on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _machine() -> str:
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _print_table(result: dict[str, object]) -> None:
    print(result["machine"])
    print(f"{result['entries']} entries of {result['bytes_per_entry']} bytes, groups of {result['group']}")
    print(f"{'PyNaCl verification alone, one core':40}{result['verification_alone_per_s']:>10} /s")
    print(f"{'strict ingest, one core':40}{result['ingest_one_core_per_s']:>10} /s")
    print(f"{'strict ingest, two cores':40}{result['ingest_two_cores_per_s'] or '-':>10} /s")
    print(f"{'share of verification, one core':40}{result['share_of_verification']:>10.1%}")
    print(f"{'the same by processor time':40}{result['share_of_verification_by_cpu_time']:>10.1%}")


if __name__ == "__main__":
    main()
