"""Reading a node's ledger for people: copies, names, proofs, and what to say when there is nothing."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from ledger.encoding import Value
from ledger.errors import InvalidProof
from ledger.files.directory import COSIGNATURES_FILE, LEDGER_FILE
from ledger.merkle import Frontier
from ledger.records.entries import Entry, open_entry
from ledger.witnesses.cosignatures import save_cosignatures
from ledger.witnesses.messages import Checkpoint, cosign
from market.payloads import Curve, Kind, Quality, Reading, Step, encode_order, encode_reading
from node.errors import InputRefusedError
from node.views import ledger_view
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, Path]:
    """A single member's cell after some blocks, and its data directory."""
    cluster = Cluster(1, 1, 1, ClusterPlan(3 * S, 0.0, 0.0, 1))
    assert cluster.run().violation is None
    directory = tmp_path_factory.mktemp("cell") / "home-0"
    cluster.nodes[0].save(directory)
    return cluster, directory


def test_the_blocks_are_those_that_the_node_decided(saved: tuple[Cluster, Path]) -> None:
    cluster, directory = saved
    shown = [each.tip.header_id for each in ledger_view.blocks(directory)]
    store = cluster.nodes[0].store
    stored = [store.block(height) for height in range(1, store.height() + 1)]
    assert shown == [row.id for row in stored if row is not None]


def test_looking_changes_nothing(saved: tuple[Cluster, Path]) -> None:
    _, directory = saved
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    ledger_view.blocks(directory)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_a_feed_is_given_whole_and_in_order(saved: tuple[Cluster, Path]) -> None:
    cluster, directory = saved
    opened = [
        open_entry(envelope, cluster.genesis.cell_id) for _, envelope in ledger_view.feed(directory, "home-0")
    ]
    assert [signed.entry.sequence for signed in opened] == list(range(len(opened)))
    assert [signed.id for signed in opened] == [found for found, _ in ledger_view.feed(directory, "home-0")]


def states(directory: Path, cell_id: bytes) -> list[str]:
    view = ledger_view.feed_view(directory, "home-0")
    return [view.state_of(open_entry(envelope, cell_id).entry) for _, envelope in view.entries]


def test_a_member_sees_what_is_authored_final_and_witnessed(
    saved: tuple[Cluster, Path], tmp_path: Path
) -> None:
    cluster, original = saved
    directory = tmp_path / "home-0"
    shutil.copytree(original, directory)
    # As if the last block were still to come: what it anchors is only authored.
    with closing(sqlite3.connect(directory / LEDGER_FILE)) as connection, connection:
        connection.execute("DELETE FROM blocks WHERE height = (SELECT max(height) FROM blocks)")
    cell_id = cluster.genesis.cell_id
    log = Frontier()
    roots = {}
    for replayed in ledger_view.blocks(directory):
        log = log.append(replayed.tip.header_id)
        roots[log.size] = log.root()
    before = states(directory, cell_id)
    assert set(before) == {"authored", "final"}
    assert before == sorted(before, key=["final", "authored"].index)
    key = SigningKey(b"w" * 32)
    held = cosign(key, cell_id, Checkpoint(2, roots[2]), 5)
    save_cosignatures(directory / COSIGNATURES_FILE, [held])
    after = states(directory, cell_id)
    assert set(after) == {"witnessed", "final", "authored"}
    assert after == sorted(after, key=["witnessed", "final", "authored"].index)
    assert ledger_view.cosignatures(directory) == [held]
    save_cosignatures(directory / COSIGNATURES_FILE, [cosign(key, cell_id, Checkpoint(2, bytes(32)), 5)])
    assert states(directory, cell_id) == before


def test_a_balance_is_proved_by_its_path_and_no_other_balance_is(saved: tuple[Cluster, Path]) -> None:
    proof = ledger_view.balance_proof(saved[1], "home-0")
    proof.verify()
    with pytest.raises(InvalidProof):
        replace(proof, leaf=replace(proof.leaf, value=proof.leaf.value + b"\x00")).verify()


def test_every_field_of_a_header_is_shown(saved: tuple[Cluster, Path]) -> None:
    replayed = ledger_view.blocks(saved[1])[0]
    fields = dict(ledger_view.header_fields(replayed))
    assert fields["height"] == "1"
    assert fields["state root"] == replayed.block.header.state_root.hex()


@pytest.mark.parametrize("name", ["nobody", "", "zz"])
def test_an_unknown_member_is_answered_with_those_there_are(saved: tuple[Cluster, Path], name: str) -> None:
    with pytest.raises(InputRefusedError, match="home-0"):
        ledger_view.feed(saved[1], name)


def test_a_directory_without_a_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match=r"holds no genesis\.cbor"):
        ledger_view.blocks(tmp_path)


@pytest.mark.parametrize(
    ("kind", "payload", "says"),
    [
        (Kind.ORDER, encode_order(Curve()), "cancels"),
        (
            Kind.ORDER,
            encode_order(Curve(buys=(Step(250_000, 1_500_000),), sells=(Step(-10_000, 1),))),
            "buy 1.500000 at 0.250000; sell 0.000001 at -0.010000",
        ),
        (
            Kind.READING,
            encode_reading(Reading(0, 2_000_000, Quality.ESTIMATED)),
            "injected 0.000000, withdrew 2.000000, estimated",
        ),
        (Kind.READING, (1, (b"\xff", None)), "[1, [ff, None]]"),
        (99, (), "[]"),
    ],
)
def test_a_feed_is_shown_in_words(kind: int, payload: tuple[Value, ...], says: str) -> None:
    entry = Entry(b"k" * 32, 0, 0, None, kind, 5, 0, payload)
    assert ledger_view.payload_text(entry) == says
