"""What a light proof says, once the ledger's part of it has been checked: a balance, a fill or a reading.

Energies are mWh with injection positive, prices µ/kWh, money pico-currency. The statement is read from what
is proved alone, never from a label beside it.
"""

from dataclasses import dataclass

from ledger.chain.commitments import APPLICATION_PREFIX
from ledger.encoding import Value, big_int_from, decode
from ledger.errors import InvalidProof, Malformed, PeerError
from ledger.limits import BLOCK_BYTES, ID_BYTES
from ledger.proofs.light_proof import AbsenceClaim, EntryClaim, LightProof, OutcomeClaim, StateClaim
from market.cell_state import account_key, member_account
from market.orders import Side
from market.outcomes import CONFIRMATION_KEY, PART_KEY, Fill
from market.payloads import Kind, Reading, decode_reading


@dataclass(frozen=True, slots=True)
class ProvedBalance:
    """What the member's account held after the block; negative is debt. An account that holds nothing has no leaf."""

    member: bytes
    balance: int


@dataclass(frozen=True, slots=True)
class ProvedFill:
    """What the member contracted for an interval: net position at the price of its branch, and its fills.

    `stands` is whether the next block confirmed the clearing; one decided too late, or in an emergency, is void.
    """

    member: bytes
    interval: int
    branch: int
    price: int | None
    position: int
    fills: tuple[Fill, ...]
    stands: bool


@dataclass(frozen=True, slots=True)
class ProvedReading:
    """What the member said that its meter counted in an interval, in its own signed entry `entry_id`."""

    member: bytes
    interval: int
    reading: Reading
    entry_id: bytes


Statement = ProvedBalance | ProvedFill | ProvedReading

_ACCOUNT = APPLICATION_PREFIX + account_key(member_account(b""))

_BALANCE_BYTES = 32
"""A balance as a byte string: far beyond all the money there is, and short enough to be written out."""


def statement_of(proof: LightProof) -> Statement:
    """What a proof says that was checked. Raises `InvalidProof` when it is none of the three."""
    try:
        match proof.claim:
            case StateClaim() as claim:
                return _balance(claim)
            case AbsenceClaim() as claim:
                return _no_balance(claim)
            case OutcomeClaim() as claim:
                return _fill(claim)
            case EntryClaim() as claim:
                return _reading(claim, proof.cell_id)
    except InvalidProof:
        raise
    except PeerError as fault:
        raise InvalidProof(str(fault)) from fault


def _balance(claim: StateClaim) -> ProvedBalance:
    member = _member_after(_ACCOUNT, claim.leaf.key, "a member's balance")
    if len(claim.leaf.value) > _BALANCE_BYTES:
        raise Malformed(f"a balance has at most {_BALANCE_BYTES} bytes")
    return ProvedBalance(member, big_int_from(claim.leaf.value))


def _no_balance(claim: AbsenceClaim) -> ProvedBalance:
    member = _member_after(_ACCOUNT, claim.absent.key, "a member's balance")
    if claim.member != member:
        raise InvalidProof("the record that it proves is not that of the member without a balance")
    return ProvedBalance(member, 0)


def _fill(claim: OutcomeClaim) -> ProvedFill:
    member = _member_after(PART_KEY, claim.outcome.key, "a member's part in a clearing")
    if claim.following.key != CONFIRMATION_KEY:
        raise InvalidProof("the outcome of the following block is not whether the clearing stands")
    match decode(claim.following.value, max_bytes=BLOCK_BYTES):
        case (int(interval), int(timely), bytes(), *void) if interval == claim.before.last_interval:
            stands = bool(timely) and not void  # what follows the rent says that it was an emergency
        case _:
            raise InvalidProof("the following block is about the clearing of another interval")
    match decode(claim.outcome.value, max_bytes=BLOCK_BYTES):
        case (int(branch), (int() | None) as price, int(position), tuple(fills)):
            found = tuple(_fill_from(fill) for fill in fills)
            return ProvedFill(member, interval, branch, price, position, found, stands)
    raise Malformed("a member's part has branch, price, position and fills")


def _fill_from(value: Value) -> Fill:
    match value:
        case (1 | 2 as side, int(limit_price), int(offered), int(filled)):
            return Fill(Side(side), limit_price, offered, filled)
    raise Malformed("a fill has side, limit price, offered and filled energy")


def _reading(claim: EntryClaim, cell_id: bytes) -> ProvedReading:
    signed = claim.signed(cell_id)
    if signed.entry.kind != Kind.READING:
        raise InvalidProof("the entry that it proves is not a reading")
    return ProvedReading(claim.member, signed.entry.interval, decode_reading(signed.entry.payload), signed.id)


def _member_after(prefix: bytes, key: bytes, what: str) -> bytes:
    member = key.removeprefix(prefix)
    if not key.startswith(prefix) or len(member) != ID_BYTES:
        raise InvalidProof(f"the leaf that it proves is not {what}")
    return member
