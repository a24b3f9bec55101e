"""Real daemons: one more joins a cell while it trades, another takes new keys, and one leaves."""

import shutil
import socket
import tomllib
from pathlib import Path

import pytest
from cell_of_processes import START_S, Cell, anchored, ended, found

from ledger.audit.audit import verify_directory
from ledger.files.directory import CONSENSUS_KEY_FILE, IDENTITY_KEY_FILE
from ledger.records.genesis import member_id
from market.cell import EnergyCell
from market.payloads import Kind
from node.cli import membership
from node.configuration.config_file import config_text
from node.founding.founding import CARD_FILE, CONFIG_FILE, init_node
from node.founding.member_card import read_card
from node.views.membership_view import read_status
from sim.testnet.layout import CELL_DIRECTORY, PROFILE_FILE
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes


def newcomer(cell: Cell, name: str) -> Daemon:
    """A home like the second one, with a card and a configuration, which was not there at the founding."""
    model = cell.daemons[1].directory
    directory = model.parent / name
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"/ip4/127.0.0.1/tcp/{free.getsockname()[1]}"
    fields: dict[str, object] = {
        "name": name,
        "branch": read_card(model / CARD_FILE).branch,
        "addresses": (listen,),
    }
    init_node(directory, fields, validator=True, passphrase=None)
    shutil.copy(model / PROFILE_FILE, directory)
    table = tomllib.loads((model / CONFIG_FILE).read_text("utf-8"))
    table["node"] |= {"name": name, "joins": True}
    table["network"]["listen"] = listen
    for other in cell.daemons:
        table["network"]["peers"][other.name] = list(read_card(other.directory / CARD_FILE).addresses)
    (directory / CONFIG_FILE).write_text(config_text(table), "utf-8")
    return Daemon(directory)


async def test_one_joins_one_takes_new_keys_and_one_leaves_while_the_cell_trades(tmp_path: Path) -> None:
    cell = found(tmp_path / "cell", 4, interval_real_s=2.0)
    where = {"cell": tmp_path / "cell" / CELL_DIRECTORY, "node": cell.daemons[0].directory}
    with ended(cell):
        await cell.start()
        stays, leaver, rotator = cell.daemons[:2], cell.daemons[3], cell.daemons[2]
        comer = newcomer(cell, "home-05")
        comer.start()
        membership.add(comer.directory / CARD_FILE, **where)
        cell.daemons.append(comer)
        await cell.wait(lambda: comer.view.active, START_S, "the new member is active")
        await cell.wait(
            lambda: comer.view.decided > cell.height - 1, START_S, "the new member decides blocks"
        )

        fresh = tmp_path / "fresh"
        init_node(fresh, {"name": rotator.name}, validator=True, passphrase=None)
        membership.remove(leaver.name, **where)
        membership.rotate(rotator.name, fresh / CARD_FILE, **where)

        await cell.blocks(4, stays)
        changed = read_status(where["node"], 1).membership
        assert (changed.changes, changed.pending) == (3, ())
        await cell.leave(rotator)
        for name in (IDENTITY_KEY_FILE, CONSENSUS_KEY_FILE):
            shutil.move(fresh / name, rotator.directory / name)
        config = rotator.directory / CONFIG_FILE
        table = tomllib.loads(config.read_text("utf-8"))
        config.write_text(config_text({**table, "node": {**table["node"], "joins": True}}), "utf-8")
        await cell.restart(rotator)
        at = cell.height
        await cell.wait(lambda: rotator.view.decided > at, START_S, "the one with new keys decides blocks")
        await cell.blocks(5, [*stays, comer, rotator])
        status = read_status(where["node"], 5)
        assert not [m.name for m in status.membership.members if status.signed[m.id].signed == 0]
        assert leaver.view.height < cell.height - 3
        feed_key = bytes.fromhex(read_card(comer.directory / CARD_FILE).feed_key)
        assert anchored(cell.prepared, cell.daemons[0], member_id(feed_key), Kind.ORDER)
        await cell.stop()
    for daemon in cell.daemons:
        assert verify_directory(daemon.directory, EnergyCell()).failure is None
