"""A home that comes later: what is prepared of it, and how lost intervals are counted."""

from pathlib import Path

from ledger.files.directory import IDENTITY_KEY_FILE
from ledger.files.keys import load_key
from node.configuration.config import load_config
from node.founding.founding import CONFIG_FILE
from sim.homes.households import load_households
from sim.testnet.newcomers import Seen, _intervals_lost
from sim.testnet.preparation import Parameters, prepare, prepare_newcomer
from sim.testnet.processes import Daemon
from sim.testnet.watch import BlockSeen


def test_a_newcomer_knows_the_cell_and_nobody_knows_it(tmp_path: Path) -> None:
    neighbourhood = load_households("fontana", homes=2, intervals=4)
    parameters = Parameters(2, 4, 1200, "fontana", "summer", 0)
    prepared = prepare(tmp_path / "cell", parameters, neighbourhood)
    node = prepare_newcomer(prepared, parameters, neighbourhood, neighbourhood.homes[1])
    config = load_config(node / CONFIG_FILE)
    assert (config.node.name, config.node.joins, node.name) == ("home-03", True, "home-03")
    assert set(config.network.peers) == {"home-01", "home-02"}
    assert config.genesis_path.read_bytes() == prepared.genesis.encode()
    key = load_key(node / IDENTITY_KEY_FILE, None).verify_key.encode()
    assert key not in {member.feed_key for member in prepared.genesis.members}
    for founder in prepared.nodes:
        assert "home-03" not in load_config(founder / CONFIG_FILE).network.peers


def block(height: int, interval: int, agreement_ms: float | None = 1.0) -> BlockSeen:
    return BlockSeen(height, "", interval, 0, agreement_ms, (), 0)


def test_an_interval_is_lost_where_a_block_covers_two_or_was_only_fetched(tmp_path: Path) -> None:
    daemon, seen = Daemon(tmp_path), Seen(2, 3, 4, 5, 2)
    daemon.view.blocks = {1: block(1, 1), 2: block(2, 7), 3: block(3, 8), 4: block(4, 9)}
    assert _intervals_lost(daemon, seen) == 0
    daemon.view.blocks[4] = block(4, 10)
    assert _intervals_lost(daemon, seen) == 1
    daemon.view.blocks[3] = block(3, 8, None)
    assert _intervals_lost(daemon, seen) == 2
