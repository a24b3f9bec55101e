"""The configuration of witnesses: neighbouring cells by their genesis, their nodes by name or key."""

import re
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from ledger.records.genesis import FoundingMember, Genesis, Role
from node.configuration.config import load_config
from node.daemon.neighbours import Neighbour, read_neighbours
from node.errors import ConfigError

OWN_CELL = bytes(32)
KEY = "ab" * 32
PLACE = "/ip4/192.0.2.9/tcp/9501"
LISTEN = 'listen = "/ip4/127.0.0.1/tcp/9500"'


def genesis(name: str) -> Genesis:
    keys = [bytes(SigningKey(each * 32).verify_key) for each in (b"f", b"c")]
    member = FoundingMember(b"dora", keys[0], keys[1], int(Role.PROSUMER | Role.VALIDATOR))
    return Genesis(name.encode(), 1, 1, (), (member,), ())


@pytest.fixture
def read(tmp_path: Path):
    """Reads the neighbours of a configuration with these tables for cells."""
    (tmp_path / "road.cbor").write_bytes(genesis("road").encode())
    (tmp_path / "hill.cbor").write_bytes(genesis("hill").encode())

    def reading(*cells: str, listen: str = LISTEN, own: bytes = OWN_CELL) -> tuple[Neighbour, ...]:
        tables = "".join(f"[[witness.cells]]\n{cell}\n" for cell in cells)
        (tmp_path / "node.toml").write_text(f'[node]\nname = "a"\n[witness]\n{listen}\n{tables}', "utf-8")
        return read_neighbours(load_config(tmp_path / "node.toml"), own)

    return reading


def test_peers_are_found_by_name_and_by_key(read) -> None:
    (road,) = read(f'genesis = "road.cbor"\npeers = {{ dora = ["{PLACE}"], {KEY} = ["{PLACE}"] }}')
    assert road.genesis == genesis("road")
    assert road.peers == {genesis("road").members[0].feed_key: (PLACE,), bytes.fromhex(KEY): (PLACE,)}


def test_without_cells_there_are_no_neighbours(read) -> None:
    assert read() == read(listen="") == ()


@pytest.mark.parametrize(
    ("cells", "listen", "mistake"),
    [
        (('genesis = "road.cbor"\npeers = {}',), "", "witness.listen: is missing"),
        (('genesis = "none.cbor"\npeers = {}',), LISTEN, r"witness.cells.0.genesis: .*none.cbor"),
        (('genesis = "node.toml"\npeers = {}',), LISTEN, r"witness.cells.0.genesis: .*not a genesis"),
        (
            (f'genesis = "road.cbor"\npeers = {{ rob = ["{PLACE}"] }}',),
            LISTEN,
            "witness.cells.0.peers.rob: no member of that cell, which has dora",
        ),
        (('genesis = "road.cbor"\npeers = {}',) * 2, LISTEN, "witness.cells.1.genesis: cell .* listed twice"),
        (("peers = {}",), LISTEN, "witness.cells.0.genesis: is missing"),
        (('genesis = "road.cbor"\npeers = { dora = ["there"] }',), LISTEN, "must be a multiaddress"),
    ],
)
def test_a_mistake_is_named(read, cells, listen, mistake) -> None:
    with pytest.raises(ConfigError, match=mistake):
        read(*cells, listen=listen)


def test_the_example_in_the_documents_is_a_configuration(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "operating.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(\[witness\].+?)^```", text, re.M | re.S)
    (tmp_path / "node.toml").write_text(f'[node]\nname = "ada"\n{example}', "utf-8")
    (cell,) = load_config(tmp_path / "node.toml").witness.cells
    assert cell.genesis == "mill-road.cbor" and set(cell.peers) == {"dora", "emil"}


def test_a_cell_does_not_witness_itself(read) -> None:
    with pytest.raises(ConfigError, match="own cell, which cannot witness itself"):
        read('genesis = "road.cbor"\npeers = {}', own=genesis("road").cell_id)
