"""Shell: what has to hold after a chaos run, checked on the ledgers of all nodes and on what was replaced meanwhile."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from ledger.errors import PeerError
from ledger.files.directory import LEDGER_FILE
from ledger.membership.members import Membership
from ledger.records.blocks import decode_block
from ledger.records.entries import open_entry
from ledger.records.genesis import Genesis
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Step, open_proposal, open_vote
from sim.testnet.summary import Verdict

Place = tuple[bytes | int, ...]
"""What an honest key fills once: the key, then incarnation and sequence, or height, round and step."""


def different_blocks(verdicts: Sequence[Verdict]) -> list[str]:
    """Heights at which two nodes hold different blocks, and nodes that hold none."""
    found = [f"{verdict.name}: holds no block" for verdict in verdicts if not verdict.block_ids]
    first: dict[int, tuple[str, bytes]] = {}
    for verdict in verdicts:
        for height, block_id in enumerate(verdict.block_ids, 1):
            name, other = first.setdefault(height, (verdict.name, block_id))
            if other != block_id:
                found.append(
                    f"height {height}: {name} holds {other.hex()[:16]}, {verdict.name} {block_id.hex()[:16]}"
                )
    return found


def unbalanced(verdicts: Sequence[Verdict]) -> list[str]:
    """Ledgers whose accounts do not sum to zero, in pico-currency."""
    return [f"{verdict.name}: all accounts sum to {verdict.money}" for verdict in verdicts if verdict.money]


def signed_twice(directories: Iterable[Path], genesis: Genesis) -> list[str]:
    """Places for which one key signed two bodies, over all ledgers, and every proof of that which a node holds.

    Messages whose signature does not hold are named too: they accuse nobody, but no ledger should hold them. The
    membership is that of the genesis.
    """
    seen: dict[Place, bytes] = {}
    found: dict[str, None] = {}
    for directory in directories:
        for place, body in _signed(directory, genesis, found):
            if seen.setdefault(place, body) != body:
                key, *rest = place
                assert isinstance(key, bytes)
                found[f"key {key.hex()[:16]} signed two bodies for one place, {rest}"] = None
        for (proof,) in _rows(directory, "SELECT id FROM evidence"):
            found[f"{directory.name}: holds the proof {proof.hex()[:16]} of an equivocation"] = None
    return list(found)


def missed_intervals(directory: Path) -> int:
    """Intervals that a block covered without trading them, as after an outage."""
    headers = [decode_block(block).header for (block,) in _rows(directory, "SELECT block FROM blocks")]
    return sum(header.last_interval - header.first_interval for header in headers)


def _signed(directory: Path, genesis: Genesis, found: dict[str, None]) -> Iterable[tuple[Place, bytes]]:
    """Place and body of every message in a ledger that its signer really signed; of others `found` is told."""
    validators = Membership.founding(genesis).validators()
    stored = [
        *_rows(directory, "SELECT step, envelope FROM votes"),
        *_rows(directory, "SELECT NULL, envelope FROM entries"),
    ]
    for step, envelope in stored:
        try:
            yield _opened(step, envelope, genesis.cell_id, validators)
        except PeerError as fault:
            what = "entry" if step is None else "vote"
            found[f"{directory.name}: a stored {what} is not valid: {fault}"] = None


def _opened(
    step: int | None, envelope: bytes, cell_id: bytes, validators: ValidatorSet
) -> tuple[Place, bytes]:
    """Raises PeerError."""
    if step is None:
        entry = open_entry(envelope, cell_id)
        return (entry.entry.author, entry.entry.incarnation, entry.entry.sequence), entry.body
    if step == Step.PROPOSE:
        proposal = open_proposal(envelope, cell_id, validators)
        return (proposal.signer, proposal.proposal.height, proposal.proposal.round, step), proposal.body
    vote = open_vote(envelope, cell_id, validators)
    return (vote.signer, vote.vote.height, vote.vote.round, int(vote.vote.step)), vote.body


def _rows(directory: Path, query: str) -> list[tuple]:  # type: ignore[type-arg]  # as SQLite has them
    path = directory / LEDGER_FILE
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()
