"""A member of a cell of four who is not what it was: its key in hostile hands, its directory an old backup."""

import shutil
from collections.abc import Iterator

import pytest
import trio
from cell_of_processes import Cell, ended, port_of, refusal, running

from ledger.directory import IDENTITY_KEY_FILE
from ledger.keys import load_key
from node.exit_codes import ExitCode
from node.transport.errors import RequestFailed
from node.transport.libp2p.adapter import Libp2pTransport
from sim.testnet.layout import DAEMON_LOG
from sim.testnet.processes import Daemon

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """Four daemons that run through all tests of this file; stopped and verified at the end."""
    with running(tmp_path_factory.mktemp("four") / "cell", 4) as cell, ended(cell):
        yield cell
        assert set(trio.run(cell.stop).values()) == {0}
        cell.expect_sound()


async def attack(cell: Cell, member: Daemon) -> None:
    """Garbage over every protocol, from the key of a member that does not run."""
    key = load_key(member.directory / IDENTITY_KEY_FILE, None)
    listen = f"/ip4/127.0.0.1/tcp/{port_of(member)}"
    attacker = Libp2pTransport(key, cell.prepared.genesis.cell_id, [listen])
    ports = {daemon.name: port_of(daemon) for daemon in cell.others(member)}
    attacker.set_members(
        {
            founding.feed_key: (f"/ip4/127.0.0.1/tcp/{ports[founding.name.decode()]}",)
            for founding in cell.prepared.genesis.members
            if founding.name.decode() in ports
        }
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(attacker.run)
        await cell.wait(lambda: len(attacker.peers()) == len(ports), 20, "the attacker is connected")
        for number in range(40):
            garbage = bytes((number * 7 + place) % 256 for place in range(number * 5))
            await attacker.publish("entries", garbage)
            await attacker.publish("capacity", garbage)
            attacker.broadcast(garbage)
        for peer in attacker.peers():
            with pytest.raises(RequestFailed):
                await attacker.request(peer, b"\x9f\xff garbage", 3.0)
        await cell.blocks(2, cell.others(member))
        nursery.cancel_scope.cancel()


async def test_garbage_from_a_member_is_counted_and_the_cell_goes_on(cell: Cell) -> None:
    member, witness = cell.daemons[:2]
    await cell.leave(member)
    await attack(cell, member)
    await cell.restart(member)
    await cell.trades_again(member)
    await cell.leave(witness)
    witness.follow()
    dropped = witness.view.usage["dropped"]
    assert isinstance(dropped, dict)
    assert {name.partition("_")[0] for name in dropped} >= {"entry", "gossip", "frame", "request"}
    await cell.restart(witness)
    await cell.trades_again(witness)


async def test_a_whole_old_backup_is_recognised_by_the_peers_before_anything_is_signed(cell: Cell) -> None:
    member = cell.daemons[2]
    directory = member.directory
    backup, newest = (directory.parent.parent / name for name in ("backup", "newest"))
    await cell.leave(member)
    shutil.copytree(directory, backup)
    await cell.restart(member)
    await cell.trades_again(member)
    await cell.leave(member)
    directory.rename(newest)
    backup.rename(directory)
    shutil.copy(newest / DAEMON_LOG, directory)
    member.start()
    status, reason = await refusal(member)
    assert status == ExitCode.UNTRUSTED_STATE
    assert "a peer holds" in reason and "not on this disk" in reason
    shutil.copy(directory / DAEMON_LOG, newest)
    shutil.rmtree(directory)
    newest.rename(directory)
    await cell.restart(member)
    await cell.trades_again(member)
