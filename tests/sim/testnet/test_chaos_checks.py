"""The checks after a chaos run find what is planted: two bodies under one key, forks, money from nowhere, silence."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cell_of_processes import found as found_cell

from ledger.directory import CONSENSUS_KEY_FILE, IDENTITY_KEY_FILE, LEDGER_FILE
from ledger.entries import Entry, author_entry
from ledger.evidence import Evidence
from ledger.genesis import Genesis
from ledger.keys import load_key
from ledger.membership import Membership
from ledger.store_schema import TABLES
from ledger.votes import Proposal, Step, Vote, sign_proposal, sign_vote
from sim.testnet.chaos import ChaosReport, Silence
from sim.testnet.chaos_checks import (
    different_blocks,
    signed_twice,
    unbalanced,
)
from sim.testnet.chaos_plan import Action
from sim.testnet.summary import Verdict

A, B, C = (letter.encode() * 32 for letter in "abc")


class Ledgers:
    """A founded cell of four whose ledgers hold just what a test puts there."""

    def __init__(self, directory: Path) -> None:
        prepared = found_cell(directory, 4).prepared
        self.genesis: Genesis = prepared.genesis
        self.directories = prepared.nodes
        for node in self.directories:
            with closing(sqlite3.connect(node / LEDGER_FILE)) as ledger:
                for table in TABLES:
                    ledger.execute(table)
        key = load_key(self.directories[0] / CONSENSUS_KEY_FILE, None)
        validators = Membership.founding(self.genesis).validators()
        index = validators.index_of(bytes(key.verify_key))
        assert index is not None
        self.key, self.index = key, index
        self.feed_key = load_key(self.directories[0] / IDENTITY_KEY_FILE, None)

    def put(self, node: int, query: str, *values: object) -> None:
        with closing(sqlite3.connect(self.directories[node] / LEDGER_FILE)) as ledger, ledger:
            ledger.execute(query, values)

    def vote(self, node: int, block_id: bytes | None, *, height: int = 1, spoilt: bool = False) -> None:
        """Put a prevote of the first home into a node's ledger."""
        vote = Vote(height, 0, Step.PREVOTE, block_id, -1, self.index)
        envelope = sign_vote(self.key, self.genesis.cell_id, vote).envelope
        if spoilt:
            envelope = envelope[:-1] + bytes([envelope[-1] ^ 1])
        self.put(
            node, "INSERT INTO votes VALUES (?, 0, ?, ?, ?)", height, int(Step.PREVOTE), self.index, envelope
        )

    def found(self) -> list[str]:
        return signed_twice(self.directories, self.genesis)


@pytest.fixture
def ledgers(tmp_path: Path) -> Ledgers:
    """Empty ledgers."""
    return Ledgers(tmp_path / "cell")


def test_the_same_vote_in_many_ledgers_and_votes_of_other_places_are_no_offence(ledgers: Ledgers) -> None:
    for node in range(4):
        ledgers.vote(node, A)
        ledgers.vote(node, B, height=2)
    assert ledgers.found() == []


def test_two_votes_of_one_key_for_one_step_are_found_in_different_ledgers(ledgers: Ledgers) -> None:
    ledgers.vote(1, A)
    ledgers.vote(3, None)
    (found,) = ledgers.found()
    assert bytes(ledgers.key.verify_key).hex()[:16] in found
    assert "two bodies" in found


def test_two_proposals_of_one_key_for_one_round_are_found(ledgers: Ledgers) -> None:
    for node, block_id in enumerate((A, B)):
        proposal = Proposal(4 + ledgers.index, 0, -1, block_id, ledgers.index)
        signed = sign_proposal(ledgers.key, ledgers.genesis.cell_id, proposal)
        ledgers.put(
            node,
            "INSERT INTO votes VALUES (?, 0, 0, ?, ?)",
            proposal.height,
            ledgers.index,
            signed.envelope,
        )
    assert len(ledgers.found()) == 1


def test_two_entries_in_one_place_of_a_feed_are_found(ledgers: Ledgers) -> None:
    author = bytes(ledgers.feed_key.verify_key)
    for node, payload in enumerate(((), (1,))):
        entry = Entry(author, 0, 0, None, 30, 1, 1, payload)
        signed = author_entry(ledgers.feed_key, ledgers.genesis.cell_id, entry)
        ledgers.put(
            node, "INSERT INTO entries VALUES (?, 0, 0, ?, ?, 0, ?)", author, signed.id, signed.envelope, b""
        )
    (found,) = ledgers.found()
    assert author.hex()[:16] in found


def test_a_forged_vote_accuses_nobody_and_is_named(ledgers: Ledgers) -> None:
    ledgers.vote(1, A)
    ledgers.vote(2, B, spoilt=True)
    (found,) = ledgers.found()
    assert found.startswith("home-03: a stored vote is not valid")


def test_a_proof_that_a_node_holds_is_an_offence_of_this_run(ledgers: Ledgers) -> None:
    votes = [
        sign_vote(ledgers.key, ledgers.genesis.cell_id, Vote(1, 0, Step.PREVOTE, block_id, -1, ledgers.index))
        for block_id in (A, B)
    ]
    ledgers.put(2, "INSERT INTO evidence VALUES (?, ?)", C, Evidence.of_votes(*votes).encode())
    (found,) = ledgers.found()
    assert found.startswith("home-03: holds the proof")


def test_a_missing_ledger_and_a_file_aside_say_nothing(ledgers: Ledgers, tmp_path: Path) -> None:
    assert signed_twice([tmp_path / "nowhere", tmp_path], ledgers.genesis) == []


def test_forks_and_empty_ledgers_are_found_and_a_shorter_ledger_is_none() -> None:
    first, shorter = Verdict("one", (A, B, C), None), Verdict("two", (A, B), None)
    assert different_blocks([first, shorter]) == []
    (fork,) = different_blocks([first, Verdict("two", (A, C), None)])
    assert fork.startswith("height 2: one holds")
    assert different_blocks([first, Verdict("two", (), None)]) == ["two: holds no block"]


def test_money_that_does_not_sum_to_zero_is_found() -> None:
    verdicts = [Verdict("one", (A,), None), Verdict("two", (A,), None, money=7)]
    assert unbalanced(verdicts) == ["two: all accounts sum to 7"]


def test_silence_counts_from_the_first_block_and_not_while_it_is_excused() -> None:
    silence = Silence()
    for at, height, excused in ((0, 0, False), (9, 1, False), (12, 2, False), (13, 2, True), (33, 2, True)):
        silence.look(height, at, excused=excused)
    assert silence.longest_s == 3
    silence.look(2, 38, excused=False)
    assert silence.longest_s == 5
    silence.look(3, 39, excused=False)
    silence.look(3, 40, excused=False)
    assert silence.longest_s == 6


def test_the_documents_list_every_action_and_every_key_of_the_report() -> None:
    docs = Path(__file__).parents[3] / "docs"
    chaos = (docs / "operating.md").read_text("utf-8").split("\n### Chaos\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` ", chaos, re.M)[: len(Action)] == [str(action) for action in Action]
    report = (docs / "reports.md").read_text("utf-8").split("\n## The chaos report\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` ", report, re.M) == list(ChaosReport.__annotations__)
