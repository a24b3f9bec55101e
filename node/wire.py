"""Frames between neighbours: votes, proposals with their block, certificates, status, and what one holds of a height;
and what is gossiped beside entries: capacity, and addresses.

CBOR arrays, decoded as hostile. Signed parts stay envelopes: their signatures are checked by the ledger, not here.
"""

from dataclasses import astuple, dataclass

from ledger.encoding import Value, decode, encode
from ledger.errors import Malformed
from ledger.limits import PROPOSAL_BYTES, VOTE_BYTES
from market.units import MAX_PRICE
from node.constants import ADDRESSES_PER_MEMBER, FRAME_BYTES

_VOTE, _PROPOSAL, _STATUS, _CERTIFICATE, _STANDING = 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class VoteFrame:
    """One signed vote."""

    envelope: bytes


@dataclass(frozen=True, slots=True)
class ProposalFrame:
    """A signed proposal and the block it names; a large block (None here) is pulled."""

    envelope: bytes
    block: bytes | None


@dataclass(frozen=True, slots=True)
class StatusFrame:
    """How far the sender is: the height of its last decided block."""

    height: int


@dataclass(frozen=True, slots=True)
class CertificateFrame:
    """The encoded certificate of a decided block."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class StandingFrame:
    """What the sender holds of the height it is agreeing on, encoded; it asks for what it lacks."""

    standing: bytes


Frame = VoteFrame | ProposalFrame | StatusFrame | CertificateFrame | StandingFrame


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame."""
    match frame:
        case VoteFrame(envelope):
            return encode((_VOTE, envelope))
        case ProposalFrame(envelope, block):
            return encode((_PROPOSAL, envelope, block))
        case StatusFrame(height):
            return encode((_STATUS, height))
        case CertificateFrame(certificate):
            return encode((_CERTIFICATE, certificate))
        case StandingFrame(standing):
            return encode((_STANDING, standing))


def decode_frame(data: bytes) -> Frame:
    """A frame from a neighbour. Raises `Malformed`."""
    match decode(data, max_bytes=FRAME_BYTES):
        case (1, bytes(envelope)) if len(envelope) <= VOTE_BYTES:
            return VoteFrame(envelope)
        case (2, bytes(envelope), (bytes() | None) as block) if len(envelope) <= PROPOSAL_BYTES:
            return ProposalFrame(envelope, block)
        case (3, int(height)) if height >= 0:
            return StatusFrame(height)
        case (4, bytes(certificate)):
            return CertificateFrame(certificate)
        case (5, bytes(standing)):
            return StandingFrame(standing)
    raise Malformed("not a frame that members exchange")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a member of a virtual battery expects of an interval (mWh, all at least 0): its loads and generation; what
    its storage can take until full (`room`) and give above its owner's reserve (`stored`), and of both how much in this
    one interval (`charge`, `discharge`)."""

    interval: int
    load: int
    generation: int
    room: int
    stored: int
    charge: int
    discharge: int


MOST_PLANNED = 2**42
"""mWh: more than 4 GWh, and few enough to be multiplied with parts per million."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a member can do now: headroom (mW, both non-negative), state of charge (per mille, None without storage),
    health (per mille) and its branch, the energy (mWh) that it can give above its reserve and take, and what moving
    energy costs it (µ/kWh); in a virtual battery also its plan. Gossiped, never agreed."""

    cell_ns: int
    up_mw: int
    down_mw: int
    state_of_charge: int | None
    health: int
    branch: int
    up_energy: int = 0
    down_energy: int = 0
    wear: int = 0
    plan: Plan | None = None


CAPACITY_BYTES = 128
MOST_CAPACITY = 2**50
"""mW or mWh: beyond any member, and few enough to be added up and multiplied with seconds."""


def encode_capacity(capacity: Capacity) -> bytes:
    """The bytes of a capacity message."""
    return encode(
        (
            capacity.cell_ns,
            capacity.up_mw,
            capacity.down_mw,
            capacity.state_of_charge,
            capacity.health,
            capacity.branch,
            capacity.up_energy,
            capacity.down_energy,
            *((capacity.wear,) if capacity.wear or capacity.plan is not None else ()),
            *(() if capacity.plan is None else (astuple(capacity.plan),)),
        )
    )


def decode_capacity(data: bytes) -> Capacity:
    """A capacity message. Raises `Malformed`."""
    value: Value = decode(data, max_bytes=CAPACITY_BYTES)
    match value:
        case (
            int(cell_ns),
            int(up),
            int(down),
            (int() | None) as soc,
            int(health),
            int(branch),
            int(up_energy),
            int(down_energy),
            *more,
        ) if (
            min(cell_ns, up, down, health, branch, up_energy, down_energy) >= 0
            and max(up, down, up_energy, down_energy) <= MOST_CAPACITY
            and health <= 1000
            and (soc is None or 0 <= soc <= 1000)
        ):
            wear, plan = _added(more)
            return Capacity(cell_ns, up, down, soc, health, branch, up_energy, down_energy, wear, plan)
    raise Malformed("not a capacity message")


def _added(more: list[Value]) -> tuple[int, Plan | None]:
    """What only some members say: the wear of their storage, and the plan of those in a virtual battery."""
    match more:
        case []:
            return 0, None
        case [int(wear)] if 0 < wear <= MAX_PRICE:
            return wear, None
        case [int(wear), tuple(plan)] if 0 <= wear <= MAX_PRICE:
            return wear, _plan(plan)
    raise Malformed("not a capacity message")


def _plan(values: tuple[Value, ...]) -> Plan:
    match values:
        case (int(interval), int(load), int(generation), int(room), int(stored), int(charge), int(discharge)):
            energies = (load, generation, room, stored, charge, discharge)
            if interval >= 0 and min(energies) >= 0 and max(energies) <= MOST_PLANNED:
                return Plan(interval, *energies)
    raise Malformed("not a plan")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a member says that it can be reached, as it says itself at a moment of cell time. Never proof of who is
    there: the key of a connection is. The addresses are multiaddresses as text, and hostile until they are checked."""

    cell_ns: int
    addresses: tuple[str, ...]


WHEREABOUTS_ADDRESS_BYTES = 64
"""of one address: the longest that has an IPv6 address and a port has 56."""

WHEREABOUTS_BYTES = 16 + ADDRESSES_PER_MEMBER * (2 + WHEREABOUTS_ADDRESS_BYTES)


def encode_whereabouts(whereabouts: Whereabouts) -> bytes:
    """The bytes of a member's addresses."""
    return encode((whereabouts.cell_ns, tuple(each.encode() for each in whereabouts.addresses)))


def decode_whereabouts(data: bytes) -> Whereabouts:
    """A member's addresses. Raises `Malformed`."""
    match decode(data, max_bytes=WHEREABOUTS_BYTES):
        case (int(cell_ns), tuple(addresses)) if cell_ns >= 0 and len(addresses) <= ADDRESSES_PER_MEMBER:
            texts = [each.decode("ascii", "replace") for each in addresses if isinstance(each, bytes)]
            if len(texts) == len(addresses) and all(len(text) <= WHEREABOUTS_ADDRESS_BYTES for text in texts):
                return Whereabouts(cell_ns, tuple(texts))
    raise Malformed("not the addresses of a member")
