"""What the gateway's node in a cell asks its node in the parent cell; replies are bytes, empty for "not yet".

    [1, interval, [buys, sells]]   order this for the interval; the reply is one byte once it is being said
    [2, interval]                  the proof of what was decided; the reply is the proof
    [3, interval, net]             what was delivered, mWh, injection into the parent positive; as for 1

Every message is the strict encoding of the ledger.
"""

from dataclasses import dataclass
from typing import Final, assert_never

from ledger.encoding import decode, encode
from ledger.errors import Malformed
from market.payloads import Curve, decode_order, encode_order
from market.units import MAX_QUANTITY

REQUEST_BYTES: Final = 1024
"""An order of 32 steps fits."""
DONE: Final = b"\x01"
"""The reply to an offer or a delivery that was taken."""
NOT_YET: Final = b""
"""The reply where there is nothing to say yet; asking again later is right."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cell could give and take in an interval."""

    interval: int
    curve: Curve


@dataclass(frozen=True, slots=True)
class AskProof:
    """What the parent decided for an interval?"""

    interval: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """What crossed the connection for the parent in an interval, mWh, injection into the parent positive."""

    interval: int
    net: int


GatewayRequest = Offer | AskProof | Delivered


def encode_request(request: GatewayRequest) -> bytes:
    """The bytes of a request."""
    match request:
        case Offer(interval, curve):
            return encode((1, interval, encode_order(curve)))
        case AskProof(interval):
            return encode((2, interval))
        case Delivered(interval, net):
            return encode((3, interval, net))
    assert_never(request)


def decode_request(data: bytes) -> GatewayRequest:
    """A request from its bytes. Raises `Malformed` or `MalformedPayload`, both a `PeerError`."""
    match decode(data, max_bytes=REQUEST_BYTES):
        case (1, int(interval), tuple(curve)) if interval >= 0:
            return Offer(interval, decode_order(curve))
        case (2, int(interval)) if interval >= 0:
            return AskProof(interval)
        case (3, int(interval), int(net)) if interval >= 0 and abs(net) <= MAX_QUANTITY:
            return Delivered(interval, net)
    raise Malformed("not a gateway's request that this program knows")
