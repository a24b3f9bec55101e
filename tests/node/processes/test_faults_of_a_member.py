"""A member of a cell of four who is not what it was: its key in hostile hands, its directory an old backup."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from cell_of_processes import Cell, double_votes, ended, found, impostor, rows, running

from ledger.files.directory import AGREEMENT_LOG_FILE, IDENTITY_KEY_FILE, LEDGER_FILE
from ledger.files.keys import load_key
from ledger.records.entries import Entry, author_entry
from market.payloads import Kind, Reading, encode_reading
from node.transport.errors import RequestFailed
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
    async with impostor(cell, member) as attacker:
        for number in range(40):
            garbage = bytes((number * 7 + place) % 256 for place in range(number * 5))
            await attacker.publish("entries", garbage)
            await attacker.publish("capacity", garbage)
            attacker.broadcast(garbage)
        for peer in attacker.peers():
            with pytest.raises(RequestFailed):
                await attacker.request(peer, b"\x9f\xff garbage", 3.0)
        await cell.blocks(2, cell.others(member))


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
    reason = await cell.only_reads(member)
    assert "a peer holds" in reason and "does not remember" in reason
    await cell.leave(member)
    shutil.copy(directory / DAEMON_LOG, newest)
    shutil.rmtree(directory)
    newest.rename(directory)
    await cell.restart(member)
    await cell.trades_again(member)


async def test_a_lost_ledger_is_fetched_from_peers_up_to_what_the_guard_remembers(cell: Cell) -> None:
    member = cell.daemons[2]
    await cell.leave(member)
    for path in member.directory.glob(f"{LEDGER_FILE}*"):
        path.unlink()
    (member.directory / AGREEMENT_LOG_FILE).unlink()
    await cell.restart(member)
    await cell.trades_again(member)
    assert member.view.behind_guard
    assert not double_votes(cell.daemons)


async def test_who_says_two_things_in_one_place_is_proved_frozen_and_kept_out(tmp_path: Path) -> None:
    cell = found(tmp_path / "cell", 4)
    member, *honest = cell.daemons
    with ended(cell):
        await cell.start()
        await cell.leave(member)
        key = load_key(member.directory / IDENTITY_KEY_FILE, None)
        query = "SELECT sequence, id FROM entries WHERE member = ? ORDER BY sequence DESC LIMIT 1"
        ((sequence, previous),) = rows(honest[0], query, cell.member(member))
        assert isinstance(sequence, int) and isinstance(previous, bytes)
        async with impostor(cell, member) as liar:
            for reading in (Reading(1, 0), Reading(2, 0)):
                place = (bytes(key.verify_key), 0, sequence + 1, previous)
                entry = Entry(*place, int(Kind.READING), 1, 1, encode_reading(reading))
                signed = author_entry(key, cell.prepared.genesis.cell_id, entry)
                await liar.publish("entries", signed.envelope)
            await cell.blocks(3, honest)
        assert all(rows(daemon, "SELECT id FROM evidence") for daemon in honest)
        cell.started(member)
        assert f"a peer holds entry {sequence + 1}" in await cell.only_reads(member)
        await cell.trades_again(honest[0])
        await cell.stop()
    cell.expect_one_chain()
