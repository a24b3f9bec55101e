"""Whose vote it is: one for the height before or after may come while the validators change."""

from ledger.chain.application import State
from ledger.chain.chain import Tip
from ledger.encoding import decode
from ledger.limits import PROPOSAL_BYTES
from ledger.records.validators import ValidatorSet
from ledger.signing import unseal


def voters_of(tip: Tip[State], envelope: bytes) -> ValidatorSet:
    """The validators of the height that a vote or proposal is for, those of the next block where they are not known.

    Raises `Malformed` for bytes that are no envelope; nothing is verified. Away from a change of validators there is
    nothing to look up.
    """
    if not tip.epochs or tip.epochs[-1].first_height < tip.height:
        return tip.validators
    body, _ = unseal(envelope, PROPOSAL_BYTES)
    match decode(body, max_bytes=PROPOSAL_BYTES):
        case (_, int(height), *_):
            return tip.validators_at(height) or tip.validators
    return tip.validators
