"""Shell: makes a change of membership with the admission key of a cell's directory and leaves it with a node.

The change is checked against the node's ledger and what waits already, so that one which could not be taken is refused
here, with the reason. The node that carries it may be any member's: the admission key's signature is what counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ledger.chain.chain import Tip
from ledger.chain.replay import load_chain
from ledger.encoding import Value
from ledger.errors import InvalidGenesis, PeerError
from ledger.files.directory import GENESIS_FILE
from ledger.files.keys import load_key
from ledger.membership.admission import HEIGHTS_AHEAD, Accepts, why_not, with_change
from ledger.membership.members import Membership
from ledger.records.changes import (
    CHANGE_KIND,
    Admit,
    Change,
    NumberedChange,
    Readmit,
    Remove,
    Rotate,
    change_payload,
    open_change,
    sign_change,
)
from ledger.records.genesis import Genesis, Role, member_id
from ledger.store.store import Store
from market.admission import encode_terms
from market.cell import EnergyCell
from market.cell_state import CellState
from market.rules import CellRules, MemberRule
from market.units import MONEY_PER_UNIT
from node.errors import ConfigError, InputRefusedError
from node.founding.founding import OPERATOR_KEY_FILE
from node.founding.member_card import MemberCard
from node.instructions import Instruction
from node.saying.spool import Spool
from node.views.ledger_view import find_member, opened


@dataclass(frozen=True, slots=True)
class Announced:
    """A change that waits in a node's spool. `expected` is the membership when it and all before it hold."""

    number: int
    change: Change
    height: int
    expected: Membership


def announce(
    cell_directory: Path,
    node_directory: Path,
    passphrase: str | None,
    make: Callable[[Tip[CellState], Membership], Change],
) -> Announced:
    """Sign the change that `make` gives for the node's tip and the membership to come, and leave it in the spool.

    Raises `InputRefusedError` or `ConfigError` when it cannot be taken, before anything is written.
    """
    genesis = _genesis(cell_directory / GENESIS_FILE)
    key = load_key(cell_directory / OPERATOR_KEY_FILE, passphrase)
    if key.verify_key.encode() not in genesis.admission_keys:
        raise InputRefusedError(f"{cell_directory / OPERATOR_KEY_FILE}: is no admission key of this cell")
    spool = Spool(node_directory)
    # Before the ledger: what goes from the spool meanwhile is in the ledger then.
    waiting = [asked.payload for _, asked in spool.waiting() if asked.kind == CHANGE_KIND]
    with opened(node_directory) as (held, store):
        if held != genesis:
            raise InputRefusedError(f"{node_directory}: belongs to another cell than {cell_directory}")
        tip = load_chain(store, genesis, EnergyCell())
        said = _unanchored_changes(store, tip)
    accepts = partial(EnergyCell().accepts, tip.state)
    membership = _with_waiting(tip, [*said, *waiting], accepts)
    change = make(tip, membership.expected())
    reason = why_not(membership, change, genesis, accepts)
    if reason is not None:
        raise InputRefusedError(f"the cell would not take this change: {reason}")
    numbered = NumberedChange(membership.changes + 1, change)
    payload = change_payload(sign_change(key, genesis.cell_id, numbered))
    spool.leave(Instruction(CHANGE_KIND, 0, payload))
    after = with_change(membership, numbered, genesis, tip.height + 1, accepts)
    return Announced(numbered.number, change, tip.height + 1 + HEIGHTS_AHEAD, after.expected())


def admission_of(card: MemberCard, tip: Tip[CellState], credit: int) -> Admit:
    """The admission of a card's owner; `credit` in whole currency units. Raises `ConfigError`."""
    rules = tip.state.rules
    rule = MemberRule(
        member=member_id(bytes.fromhex(card.feed_key)),
        branch=_branch(rules, card),
        max_injection_mw=card.max_injection_w * 1000,
        max_withdrawal_mw=card.max_withdrawal_w * 1000,
        credit_limit=credit * MONEY_PER_UNIT,
    )
    roles = Role.PROSUMER | (Role.VALIDATOR if card.consensus_key is not None else 0)
    return Admit(
        card.name.encode(),
        bytes.fromhex(card.feed_key),
        consensus_key_of(card),
        int(roles),
        encode_terms(rule),
    )


def removal_of(name: str, membership: Membership) -> Remove:
    """The removal of the member with this name, or whose id starts with it. Raises `InputRefusedError`."""
    return Remove(find_member(membership, name).id)


def rotation_of(
    name: str, card: MemberCard, membership: Membership, *, feed: bool, consensus: bool
) -> Rotate:
    """The keys of a card for a member that stays, of those asked for only what is new. Raises `InputRefusedError`."""
    member = find_member(membership, name)
    feed_key, consensus_key = bytes.fromhex(card.feed_key), consensus_key_of(card)
    new_feed = feed_key if feed and feed_key != member.feed_key else None
    new_consensus = consensus_key if consensus and consensus_key != member.consensus_key else None
    if new_feed is None and new_consensus is None:
        raise InputRefusedError(f"the card has no other keys than {member.name.decode()} has already")
    return Rotate(member.id, new_feed, new_consensus)


def readmission_of(name: str, card: MemberCard | None, membership: Membership) -> Readmit:
    """The next incarnation of a member, for a validator with the card's consensus key. Raises `InputRefusedError`."""
    member = find_member(membership, name)
    return Readmit(member.id, member.incarnation + 1, None if card is None else consensus_key_of(card))


def consensus_key_of(card: MemberCard) -> bytes | None:
    """A card's consensus key, None for one that does not vote."""
    return None if card.consensus_key is None else bytes.fromhex(card.consensus_key)


def _genesis(path: Path) -> Genesis:
    try:
        return Genesis.decode(path.read_bytes())
    except (OSError, InvalidGenesis) as error:
        raise ConfigError(
            [f"{path}: {error}; name the directory that `wattswarm cell init` wrote"]
        ) from error


def _branch(rules: CellRules, card: MemberCard) -> int:
    names = [branch.name for branch in rules.branches]
    if card.branch is not None and card.branch not in names:
        raise ConfigError(
            [f"member {card.name!r}: branch {card.branch!r} is not in the feeder; it has {', '.join(names)}"]
        )
    return 0 if card.branch is None else names.index(card.branch)


def _unanchored_changes(store: Store, tip: Tip[CellState]) -> list[tuple[Value, ...]]:
    """The payloads of the changes that members said already and no block has taken yet."""
    found: list[tuple[Value, ...]] = []
    for member in tip.membership.members:
        anchor = tip.heads.get(member.id)
        after = -1 if anchor is None or anchor.incarnation != member.incarnation else anchor.sequence
        last = store.last_sequence(member.id, member.incarnation)
        entries = store.entries(member.id, member.incarnation, after, max(after, last))
        found += (signed.entry.payload for signed in entries if signed.entry.kind == CHANGE_KIND)
    return found


def _with_waiting(tip: Tip[CellState], payloads: list[tuple[Value, ...]], accepts: Accepts) -> Membership:
    """The tip's membership with the signed changes that are on their way, in the order of their numbers."""
    waiting: dict[int, NumberedChange] = {}
    for payload in payloads:
        match payload:
            case (bytes(envelope),):
                try:
                    numbered = open_change(envelope, tip.genesis.cell_id, tip.genesis.admission_keys)
                except PeerError:
                    continue
                waiting.setdefault(numbered.number, numbered)
    membership = tip.membership
    while (following := waiting.get(membership.changes + 1)) is not None:
        after = with_change(membership, following, tip.genesis, tip.height + 1, accepts)
        if after is membership:
            break
        membership = after
    return membership
