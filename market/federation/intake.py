"""What the gateway of a cell may say in it: only what the cell above has decided, with the proof.

A proven transfer becomes the gateway's order in the auction of its interval, at the parent's price, and is
filled like any other. So every member recomputes it, and without a proof by the gate the cell clears alone.

The gateway has no meter of its own: what crosses the connection for the parent is what it contracted, and the
supplier is billed for the rest. Nothing but proven transfers may move it, so it can neither order nor read.
"""

from ledger.errors import InvalidProof, Malformed
from ledger.records.entries import SignedEntry
from market.draft import StateDraft
from market.federation.parent_rule import gateway_of
from market.federation.transfer_proof import TransferProof, decode_part
from market.outcomes import Refusal
from market.payloads import Reading


def is_gateway(draft: StateDraft, member: bytes) -> bool:
    """Whether the member is the cell's gateway to the cell above."""
    return gateway_of(draft.rules.parent) == member


def delivered_transfer(position: int) -> Reading:
    """The reading of a gateway, mWh: exactly what it contracted."""
    return Reading(contribution=max(position, 0), consumption=max(-position, 0))


def take_transfer(draft: StateDraft, member: bytes, signed: SignedEntry) -> Refusal | None:
    """Take a part of a proof; the last one makes the gateway's order for the interval of this block.

    The first proof of an interval holds: a parent that certifies two has lied to somebody, and the second
    finds the order already there.
    """
    rule = draft.rules.parent
    if rule is None or rule.gateway != member:
        return Refusal.NOT_ENTITLED
    interval = signed.entry.interval
    index, count, chunk = decode_part(signed.entry.payload)
    if interval != draft.block.last_interval:
        return Refusal.GATE_CLOSED if interval < draft.block.last_interval else Refusal.BEYOND_HORIZON
    if member in draft.block.voided:
        return Refusal.VOIDED
    if index == 0:
        draft.transfer_parts = []
    if index != len(draft.transfer_parts):
        return Refusal.UNPROVEN
    draft.transfer_parts = [*draft.transfer_parts, chunk]
    if index + 1 < count:
        return None
    data, draft.transfer_parts = b"".join(draft.transfer_parts), []
    if (interval, member) in draft.curves:
        return Refusal.NOT_BETTER
    try:
        order = TransferProof.decode(data).check(rule, interval).order()
    except (InvalidProof, Malformed):
        return Refusal.UNPROVEN
    if not order.is_empty:
        draft.curves[interval, member] = order
    return None
