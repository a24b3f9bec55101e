"""Shell: the versions of the protocol as a node's ledger shows them offline: in force, to come, and who knows which."""

from dataclasses import dataclass
from pathlib import Path

from ledger.chain.chain import Tip
from ledger.membership.members import Membership
from ledger.membership.protocol import Refusal, Switch
from ledger.membership.switching import support
from ledger.records.genesis import Genesis, Role
from ledger.records.protocols import known
from ledger.store.reopening import reopen_fast
from market.cell import EnergyCell
from market.cell_state import CellState
from node.views.ledger_view import opened


@dataclass(frozen=True, slots=True)
class CellVersions:
    """The agreed state of a cell's protocol after its last block."""

    genesis: Genesis
    height: int
    membership: Membership


def read_versions(directory: Path) -> CellVersions:
    """What a node's ledger says, from its newest snapshot on. Raises `InputRefusedError`."""
    with opened(directory) as (genesis, store):
        tip: Tip[CellState] = reopen_fast(store, genesis, EnergyCell()).tip
    return CellVersions(genesis, tip.height, tip.membership)


def versions_json(found: CellVersions) -> dict[str, object]:
    """The versions as one JSON object."""
    membership, protocol = found.membership, found.membership.protocol
    return {
        "cell": found.genesis.cell_id.hex(),
        "height": found.height,
        "program": list(known()),
        **protocol_json(membership),
        "members": [
            {
                "name": member.name.decode(),
                "validator": bool(member.roles & Role.VALIDATOR),
                "knows": list(protocol.known_to(member.id)),
            }
            for member in membership.members
        ],
    }


def protocol_json(membership: Membership) -> dict[str, object]:
    """The version in force, what is proposed or agreed with who knows it now, and what was refused last."""
    protocol = membership.protocol
    return {
        "version": protocol.version,
        "proposed": _switch_json(protocol.proposed, membership),
        "agreed": _switch_json(protocol.agreed, membership),
        "refused": _refusal_json(protocol.refused),
    }


def _switch_json(switch: Switch | None, membership: Membership) -> dict[str, object] | None:
    if switch is None:
        return None
    supporters, validators = support(membership, switch.version)
    return {
        "change": switch.number,
        "version": switch.version,
        "height": switch.height,
        "supporters": supporters,
        "validators": validators,
    }


def _refusal_json(refusal: Refusal | None) -> dict[str, object] | None:
    if refusal is None:
        return None
    switch = refusal.switch
    return {
        "change": switch.number,
        "version": switch.version,
        "height": switch.height,
        "reason": refusal.reason.name.lower().replace("_", "-"),
        "supporters": refusal.supporters,
        "validators": refusal.validators,
        "at": refusal.at,
    }
