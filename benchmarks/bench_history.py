"""What a long history costs: apply, verify, prove and restart against the number of blocks, and a year in megabytes.

Run as `python benchmarks/bench_history.py [BLOCKS ...]` (default 1000 10000; 100000 takes about twenty minutes). It
prints a table for people and, as its last line, one JSON object. Every measurement is a process of its own, so that
its memory is its own; times are processor time. The cell has four members here, because costs are compared along the
history and not with the size of the cell; the year is extrapolated from a chain of 50 members. Numbers of a busy
machine are only indicative.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.audit import verify_directory
from ledger.directory import GENESIS_FILE, LEDGER_FILE
from ledger.genesis import Genesis
from ledger.merkle import inclusion_proof, leaf_hash, verify_inclusion
from ledger.proofs import prove_state
from ledger.reopening import reopen_fast
from ledger.replay import replay
from ledger.retention import KEEP_ALL
from ledger.rows import VoteRow
from ledger.signing import seal
from ledger.state_snapshot import take_snapshot
from ledger.store import Store
from ledger.votes import Step
from market.cell import EnergyCell
from market.cell_state import account_key, member_account
from sim.measuring.scripted_cell import FIRST_INTERVAL, ScriptedCell

BLOCKS = (1000, 10_000)
SIZE = 4
EVERY = 64
"""Blocks between snapshots, as the daemon takes them, and per commit here."""
YEAR_MEMBERS, YEAR_BLOCKS, YEAR_INTERVAL_S = 50, 192, 900
"""Two days of a cell of 50: past the window in which corrections are still kept in the state."""


def main(counts: list[int]) -> None:
    """Measure, print, and say how each cost grows."""
    print(_machine())
    heading = (
        "blocks",
        "MB",
        "apply ms",
        "restart s",
        "MB",
        "verify s",
        "MB",
        "balance proof",
        "ms",
        "header proof",
        "ms",
        "check us",
    )
    print("  ".join(f"{name:>13}" for name in heading))
    runs = []
    with TemporaryDirectory(prefix="wattswarm-history-") as directory:
        for count in counts:
            path = Path(directory) / str(count)
            grown = _grow(path, SIZE, 900, count, with_votes=False)
            row = {"blocks": count, **grown, **{kind: _in_a_process(kind, path) for kind in MEASURED}}
            runs.append(row)
            _print_row(row)
        year = _year(Path(directory) / "year")
    print(
        f"a year of 15-minute intervals for {YEAR_MEMBERS} members (extrapolated from {YEAR_BLOCKS} blocks):"
    )
    for name, megabytes in year.items():
        print(f"  {name:42}{megabytes:>9.1f} MB")
    print(json.dumps({"machine": _machine(), "runs": runs, "year_mb": year}))


def _grow(path: Path, size: int, interval_s: int, blocks: int, *, with_votes: bool) -> dict[str, float]:
    """Write a chain of so many blocks with its snapshots; the time that making and applying the last ones took."""
    path.mkdir()
    cell = ScriptedCell(size, interval_s)
    (path / GENESIS_FILE).write_bytes(cell.genesis.encode())
    store = Store.open(path / LEDGER_FILE, cell.genesis.cell_id, create=True)
    applied = []
    for interval in range(FIRST_INTERVAL, FIRST_INTERVAL + blocks):
        for index, signed in cell.write(interval):
            store.append(cell.member(index), signed, signed.entry.time_ns)
        began = time.process_time()
        block, tip = cell.propose(interval, cell.calendar.gate_closure_ns(interval) + 10**9)
        applied.append(time.process_time() - began)
        certificate = cell.certify(block)
        if with_votes:
            _keep_votes(cell, store, tip.header_id)
        cell.decide(tip, certificate)
        store.put_block(tip.height, tip.header_id, block.encode(), certificate.encode())
        if tip.height % EVERY == 0:
            store.put_snapshot(take_snapshot(tip, EnergyCell(), block.header, certificate, ()))
            store.commit()
            KEEP_ALL.tidy(store, tip.height)
    store.commit()
    store.close()
    last = applied[-500:]
    return {
        "apply_ms": round(sum(last) / len(last) * 1000, 3),
        "ledger_mb": round((path / LEDGER_FILE).stat().st_size / 1e6, 2),
    }


def _keep_votes(cell: ScriptedCell, store: Store, block_id: bytes) -> None:
    """What a node keeps of a height without faults: every prevote and precommit."""
    for step in (Step.PREVOTE, Step.PRECOMMIT):
        for vote in cell.vote(step, block_id, range(cell.size)):
            content = vote.vote
            envelope = seal(vote.body, vote.signature)
            store.put_vote(VoteRow(content.height, 0, int(step), content.validator, envelope))


def _year(path: Path) -> dict[str, float]:
    """Megabytes of a year per kind of row, from the growth between one and two days."""
    _grow(path, YEAR_MEMBERS + 1, YEAR_INTERVAL_S, YEAR_BLOCKS, with_votes=True)
    store = Store.open(path / LEDGER_FILE, Genesis.decode((path / GENESIS_FILE).read_bytes()).cell_id)
    blocks_per_year = 365 * 86_400 / YEAR_INTERVAL_S
    used = _bytes_by_table(store.path)
    store.close()
    year = {
        name: round(used[name] / YEAR_BLOCKS * blocks_per_year / 1e6, 1)
        for name in ("entries", "blocks", "votes")
    }
    kept = {"snapshots (two, whatever the time)": round(used["snapshots"] / 1e6, 1)}
    total = round(sum(year.values()) + sum(kept.values()), 1)
    return {**year, **kept, "all": total, "all without votes": round(total - year["votes"], 1)}


def _bytes_by_table(path: Path) -> dict[str, int]:
    """Bytes of pages per table with its index, measured by dropping one after another from the file."""
    import sqlite3

    found = {}
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("VACUUM")
    size = path.stat().st_size
    for table in ("votes", "snapshots", "entries", "blocks"):
        connection.execute(f"DROP TABLE {table}")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found[table] = size - path.stat().st_size
        size = path.stat().st_size
    connection.close()
    return found


def _opened(path: Path) -> tuple[Genesis, Store]:
    genesis = Genesis.decode((path / GENESIS_FILE).read_bytes())
    return genesis, Store.open(path / LEDGER_FILE, genesis.cell_id)


def measure_restart(path: Path) -> dict[str, float]:
    """Open the ledger as the daemon does, from the newest snapshot on."""
    began = time.process_time()
    genesis, store = _opened(path)
    opened = time.process_time() - began
    reopened = reopen_fast(store, genesis, EnergyCell())
    found = {
        "s": time.process_time() - began,
        "open_s": opened,
        "replayed": reopened.tip.height - reopened.base,
    }
    store.close()
    return found


def measure_verify(path: Path) -> dict[str, float]:
    """Audit the whole directory, from the genesis."""
    began = time.process_time()
    report = verify_directory(path, EnergyCell())
    assert report.verified, report.failure
    return {"s": time.process_time() - began}


def measure_proof(path: Path) -> dict[str, float]:
    """Prove a balance from the tip, and that the header of half the height is in the log."""
    genesis, store = _opened(path)
    tip = reopen_fast(store, genesis, EnergyCell()).tip
    account = account_key(member_account(tip.state.rules.members[0].member))
    began = time.process_time()
    proof = prove_state(tip, EnergyCell(), account)
    proved = time.process_time() - began
    ids = [row.id for height in range(1, tip.height + 1) if (row := store.block(height)) is not None]
    began = time.process_time()
    hashes = [leaf_hash(block_id) for block_id in ids]
    path_up = inclusion_proof(hashes, len(ids) // 2)
    included = time.process_time() - began
    began = time.process_time()
    for _ in range(100):
        verify_inclusion(ids[len(ids) // 2], len(ids) // 2, len(ids), path_up, tip.log.root())
    checked = (time.process_time() - began) / 100
    store.close()
    return {
        "balance_path": len(proof.path.path),
        "balance_ms": proved * 1e3,
        "header_path": len(path_up),
        "header_ms": included * 1e3,
        "check_us": checked * 1e6,
    }


def measure_replay(path: Path) -> dict[str, float]:
    """Follow the whole chain, as a start does without a snapshot."""
    genesis, store = _opened(path)
    began = time.process_time()
    height = sum(1 for _ in replay(store, genesis, EnergyCell()))
    found = {"s": time.process_time() - began, "blocks": height}
    store.close()
    return found


MEASURED = {
    "restart": measure_restart,
    "verify": measure_verify,
    "proof": measure_proof,
    "replay": measure_replay,
}


def _in_a_process(kind: str, path: Path) -> Any:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", kind, str(path)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _print_row(row: dict[str, Any]) -> None:
    restart, verify, proof = row["restart"], row["verify"], row["proof"]
    cells = (
        row["blocks"],
        row["ledger_mb"],
        row["apply_ms"],
        f"{restart['s']:.2f}",
        f"{restart['memory_mb']:.0f}",
        f"{verify['s']:.1f}",
        f"{verify['memory_mb']:.0f}",
        proof["balance_path"],
        f"{proof['balance_ms']:.2f}",
        proof["header_path"],
        f"{proof['header_ms']:.1f}",
        f"{proof['check_us']:.0f}",
    )
    print("  ".join(f"{cell!s:>13}" for cell in cells), flush=True)


def _machine() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{(names or [platform.machine()])[0]}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measured = MEASURED[sys.argv[2]](Path(sys.argv[3]))
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**measured, "memory_mb": round(memory_mb, 1)}))
    else:
        main([int(argument) for argument in sys.argv[1:]] or list(BLOCKS))
