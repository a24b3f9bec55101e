"""Shell: who belongs to a cell by a node's ledger, read offline: keys, roles, what is pending, who misses commits."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.attendance import Attendance, attendance
from ledger.chain.replay import Replayed, replay
from ledger.membership.members import Member, Membership
from ledger.records.changes import Admit, Change, Readmit, Remove, Rotate, SwitchProtocol
from ledger.records.genesis import Genesis, Role
from market.cell import EnergyCell
from market.cell_state import CellState
from node.views.ledger_view import opened
from node.views.protocol_view import protocol_json


@dataclass(frozen=True, slots=True)
class CellStatus:
    """The membership after the last block, and how often each validator signed of late, by member id."""

    genesis: Genesis
    height: int
    membership: Membership
    signed: dict[bytes, Attendance]


def read_status(directory: Path, last: int) -> CellStatus:
    """The status that a node's ledger shows; who signed, over the last blocks. Raises `InputRefusedError`."""
    with opened(directory) as (genesis, store):
        recent: deque[Replayed[CellState]] = deque(maxlen=last + 1)
        recent.extend(replay(store, genesis, EnergyCell()))
    if not recent:
        return CellStatus(genesis, 0, Membership.founding(genesis), {})
    tip = recent[-1].tip
    return CellStatus(genesis, tip.height, tip.membership, attendance(recent))


def status_json(status: CellStatus) -> dict[str, object]:
    """The status as one JSON object."""
    membership = status.membership
    return {
        "cell": status.genesis.cell_id.hex(),
        "height": status.height,
        "next_change": membership.changes + 1,
        "protocol": protocol_json(membership),
        "members": [_member_json(member, status) for member in membership.members],
        "departed": [
            {"name": m.name.decode(), "id": m.id.hex(), "left_at": m.left_at} for m in membership.departed
        ],
        "pending": [
            {
                "number": p.numbered.number,
                "height": p.height,
                "change": change_text(p.numbered.change, membership),
            }
            for p in membership.pending
        ],
    }


def role_names(roles: int) -> list[str]:
    """The roles in words."""
    return [(role.name or "").lower() for role in Role if roles & role]


def change_text(change: Change, membership: Membership) -> str:
    """A change in words; names are those of the membership before it."""
    names = {member.id: member.name.decode() for member in membership.everyone}
    match change:
        case Admit(name, _, _, roles, _):
            return f"add {name.decode(errors='replace')} ({', '.join(role_names(roles))})"
        case Remove(member):
            return f"remove {names.get(member, member.hex())}"
        case Rotate(member, feed_key, consensus_key):
            keys = [
                word for word, key in (("feed", feed_key), ("consensus", consensus_key)) if key is not None
            ]
            return f"new {' and '.join(keys)} key for {names.get(member, member.hex())}"
        case Readmit(member, incarnation, _):
            return f"incarnation {incarnation} for {names.get(member, member.hex())}"
        case SwitchProtocol(version, height):
            return f"protocol {version} from block {height} on, if enough validators know it"


def _member_json(member: Member, status: CellStatus) -> dict[str, object]:
    signed = status.signed.get(member.id)
    return {
        "name": member.name.decode(),
        "id": member.id.hex(),
        "roles": role_names(member.roles),
        "feed_key": member.feed_key.hex(),
        "consensus_key": None if member.consensus_key is None else member.consensus_key.hex(),
        "incarnation": member.incarnation,
        "frozen_at": member.frozen_at,
        "commits_signed": None if signed is None else signed.signed,
        "commits": None if signed is None else signed.of,
        "misses_commits": signed is not None and signed.misses,
    }
