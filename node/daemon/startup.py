"""Shell: opens everything a daemon stands on, and finds out what of its memory can be trusted.

In this order: the exclusive lock, the genesis, the keys, the ledger (verified from its last snapshot on), the sign
guard, the write-ahead log. Without a guard the node only reads. Where the guard knows more than the ledger, the ledger
lost something: it is fetched from peers before anything is signed (`node/agreement/recall.py`).
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nacl.signing import SigningKey

from ledger.agreement.events import Record, Timeouts
from ledger.agreement.records import log_is_behind, read_blocks, read_records
from ledger.chain.chain import Tip
from ledger.chain.epochs import EpochLink
from ledger.errors import GuardMissing, InvalidGenesis
from ledger.feeds.feeds import Feeds
from ledger.files.directory import (
    AGREEMENT_LOG_FILE,
    CONSENSUS_KEY_FILE,
    GENESIS_FILE,
    GUARD_FILE,
    IDENTITY_KEY_FILE,
    LEDGER_FILE,
)
from ledger.files.directory_lock import DirectoryLock
from ledger.files.keys import load_key
from ledger.files.sign_guard import SignGuard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.membership.members import Member, Membership
from ledger.records.blocks import Block, decode_block
from ledger.records.genesis import Genesis, member_id
from ledger.records.votes import Certificate
from ledger.store.archive import StoreArchive
from ledger.store.reopening import reopen_fast
from ledger.store.store import Store
from market.cell import EnergyCell
from market.cell_state import CellState
from market.units import NS_PER_MS
from node.agreement.recall import Remembered
from node.configuration.config import Config
from node.daemon.signer import Signer
from node.errors import ConfigError

_NO_GUARD = (
    "the sign guard is missing, so this identity may have signed anything and must not sign again; if it cannot be"
    " found, have the member readmitted (`wattswarm cell readmit`), put the new consensus.key here, and start again"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A data directory, opened and trusted. `close` gives everything back.

    The ledger was followed from the snapshot at `base`; `refused_snapshots` says what was wrong with newer ones.
    """

    genesis: Genesis
    member: Member
    store: Store
    tip: Tip[CellState]
    feeds: Feeds
    signer: Signer
    remembered: Remembered
    read_only: str | None
    records: tuple[Record, ...]
    blocks: tuple[Block, ...]
    last_certificate: Certificate | None
    base: int
    epochs: tuple[EpochLink, ...]
    refused_snapshots: tuple[str, ...]
    _stack: ExitStack

    def close(self) -> None:
        """Close guard, log and store, then release the lock."""
        self._stack.close()


def open_directory(config: Config, passphrase: str | None) -> Opened:
    """Open the data directory of a configuration. Raises `NodeError`, `LocalError` or OSError naming the file."""
    with ExitStack() as stack:
        directory = config.directory
        stack.enter_context(DirectoryLock(directory))
        genesis = _genesis(config.genesis_path)
        identity = load_key(directory / IDENTITY_KEY_FILE, passphrase)
        consensus_path = directory / CONSENSUS_KEY_FILE
        consensus = load_key(consensus_path, passphrase) if consensus_path.exists() else None
        _keep_genesis(genesis, directory)
        first_start = not (directory / LEDGER_FILE).exists() and not (directory / GUARD_FILE).exists()
        store = Store.open(directory / LEDGER_FILE, genesis.cell_id, create=True)
        stack.callback(store.close)
        signer = _signer(directory, genesis, identity, consensus, create=first_start)
        stack.callback(signer.close)
        return trusted(
            genesis,
            store,
            signer,
            lambda tip: _member(config, tip, identity, consensus),
            stack.pop_all(),
            lambda: SignGuard.open(directory / GUARD_FILE, create=True),
        )


def trusted(
    genesis: Genesis,
    store: Store,
    signer: Signer,
    find_member: Callable[[Tip[CellState]], Member],
    stack: ExitStack,
    new_guard: Callable[[], SignGuard] | None = None,
) -> Opened:
    """What ledger, guard and log remember together. Raises `LocalError` or `NodeError` when they contradict each other.

    `stack` closes them; it is closed here when this raises. `new_guard` makes a guard for a member that lost its own
    and was readmitted since.
    """
    with stack:
        reopened = reopen_fast(store, genesis, EnergyCell())
        tip, feeds = reopened.tip, reopened.feeds
        store.drop_snapshots([fault.height for fault in reopened.refused if fault.height != store.base()])
        member = find_member(tip)
        if signer.guard is None and new_guard is not None and _begins_again(tip, store, member):
            signer.guard = new_guard()
        records = read_records(signer.log.records, tip.height + 1, genesis.cell_id, tip.validators)
        _claim_last_entry(signer, store, member)
        return Opened(
            genesis=genesis,
            member=member,
            store=store,
            tip=tip,
            feeds=feeds,
            signer=signer,
            remembered=_remembered(signer.guard, records, tip, member),
            read_only=_NO_GUARD if signer.guard is None else None,
            records=records,
            blocks=_kept_blocks(signer, tip),
            last_certificate=reopened.last_certificate,
            base=reopened.base,
            epochs=reopened.epochs,
            refused_snapshots=tuple(str(fault) for fault in reopened.refused),
            _stack=stack.pop_all(),
        )


def agreement_timeouts(config: Config) -> Timeouts:
    """The agreement's real-time durations."""
    timing = config.timing
    return Timeouts(
        propose_ns=timing.propose_real_ms * NS_PER_MS,
        prevote_ns=timing.vote_real_ms * NS_PER_MS,
        precommit_ns=timing.vote_real_ms * NS_PER_MS,
        delta_ns=timing.round_delta_real_ms * NS_PER_MS,
        tick_ns=timing.rebroadcast_real_ms * NS_PER_MS,
    )


def _genesis(path: Path) -> Genesis:
    try:
        return Genesis.decode(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: no such file; the founder of the cell gives it to every member"]
        ) from None
    except (OSError, InvalidGenesis) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _keep_genesis(genesis: Genesis, directory: Path) -> None:
    """A copy in the data directory, so that the directory can be verified alone."""
    path = directory / GENESIS_FILE
    if not path.exists():
        path.write_bytes(genesis.encode())
    elif path.read_bytes() != genesis.encode():
        raise ConfigError([f"{path}: belongs to another cell than the configured genesis"])


def _signer(
    directory: Path, genesis: Genesis, identity: SigningKey, consensus: SigningKey | None, *, create: bool
) -> Signer:
    guard: SignGuard | None = None
    with suppress(GuardMissing):
        guard = SignGuard.open(directory / GUARD_FILE, create=create)
    log = WriteAheadLog.open(directory / AGREEMENT_LOG_FILE)
    return Signer(genesis.cell_id, identity, consensus, guard, log)


def member_with_keys(
    membership: Membership, name: bytes, feed_key: bytes, consensus_key: bytes | None
) -> Member:
    """Who holds these keys, whatever keys the ledger names by now: a member by its feed key or else by its name
    (then it rotates), or somebody whom the ledger does not know yet.
    """
    known = membership.by_feed_key(feed_key)
    if known is None:
        named = (member for member in membership.members if member.name == name)
        known = next(named, Member(member_id(feed_key), name, feed_key, None, 0, 0, None))
    return replace(known, feed_key=feed_key, consensus_key=consensus_key)


def _member(
    config: Config,
    tip: Tip[CellState],
    identity: SigningKey,
    consensus: SigningKey | None,
) -> Member:
    name, feed_key = config.node.name, identity.verify_key.encode()
    consensus_key = None if consensus is None else consensus.verify_key.encode()
    held = member_with_keys(tip.membership, name.encode(), feed_key, consensus_key)
    member = tip.membership.by_feed_key(feed_key)
    if member is not None and member.name.decode() != name:
        raise ConfigError([f"node.name: the cell calls this key {member.name.decode()!r}"])
    if config.node.joins:
        return held
    if member is None:
        left = " any more: it left" if tip.membership.feed_keys(ever=True).get(feed_key) else ""
        raise ConfigError(
            [
                f"node.name: {name!r}, feed key {feed_key.hex()}, member {held.id.hex()}: not in this cell{left}"
            ]
        )
    if member.consensus_key not in (None, consensus_key):
        path = config.directory / CONSENSUS_KEY_FILE
        raise ConfigError([f"{path}: is not the consensus key that the cell knows of {name!r}"])
    return held


def _claim_last_entry(signer: Signer, store: Store, member: Member) -> None:
    """An own entry may have been committed just before a crash and never claimed; peers will be shown it now."""
    if signer.guard is None:
        return
    guard = signer.guard.last
    last = store.last_sequence(member.id, member.incarnation)
    if (member.incarnation, last) > (guard.feed_incarnation, guard.feed_sequence) and last >= 0:
        (signed,) = store.entries(member.id, member.incarnation, last - 1, last)
        signer.claim(signed)


def _kept_blocks(signer: Signer, tip: Tip[CellState]) -> tuple[Block, ...]:
    """The blocks of the height after the tip that this node was about to prevote."""
    blocks = (decode_block(encoded) for encoded in read_blocks(signer.log.records))
    return tuple(block for block in blocks if block.header.height == tip.height + 1)


def _begins_again(tip: Tip[CellState], store: Store, held: Member) -> bool:
    """Whether nothing was ever signed in the incarnation, and under the consensus key, that the cell granted us last.

    Only then may an identity without a guard have a new one. Peers are asked all the same before it signs.
    """
    member = tip.membership.by_id(held.id)
    if member is None or member.incarnation == 0 or store.last_sequence(held.id, member.incarnation) >= 0:
        return False
    if (member.feed_key, member.consensus_key) != (held.feed_key, held.consensus_key):
        return False
    if member.consensus_key is None:
        return True
    gave_up = any(retired.votes and retired.member == held.id for retired in tip.membership.retired)
    words = StoreArchive(store, lambda _: None, lambda: tip.epochs).last_words(held.id, held.consensus_key)
    return gave_up and words[1:] == (None, None)


def _remembered(
    guard: SignGuard | None, records: tuple[Record, ...], tip: Tip[CellState], held: Member
) -> Remembered:
    """What we know to have signed. An incarnation that the cell granted leaves all before it behind."""
    if guard is None:
        return Remembered(None, None)
    last = guard.last
    member = tip.membership.by_id(held.id)
    granted = None if member is None or member.incarnation == 0 else (member.incarnation, -1)
    signed = None if last.feed_sequence < 0 else (last.feed_incarnation, last.feed_sequence)
    return Remembered(
        feed=max((place for place in (granted, signed) if place is not None), default=None),
        vote=None if last.height == 0 else (last.height, last.round, int(last.step)),
        log_whole=not log_is_behind(records, tip.height + 1, last.place),
    )
