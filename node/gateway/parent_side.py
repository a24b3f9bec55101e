"""The gateway in the parent cell: says the offers of its cell as orders, and proves what came of them. Sans-IO.

Only the gateway's own node in the cell below is heard. Energies are mWh with injection positive.
"""

from dataclasses import dataclass, field
from typing import Final, assert_never

from ledger.chain.epochs import CertifiedHeader, EpochLink
from ledger.chain.proofs import LeafProof
from market.federation.intake import delivered_transfer
from market.federation.transfer_proof import TransferProof
from market.intervals import Calendar
from market.payloads import Curve, Kind, encode_order, encode_reading
from node.gateway.child_side import Say
from node.gateway.messages import DONE, NOT_YET, AskProof, Delivered, GatewayRequest, Offer

KEPT: Final = 8
"""Intervals whose proofs and readings are remembered."""


@dataclass(slots=True)
class ParentSide:
    """One gateway. What it says goes to `take`'s second value, in order."""

    cell_id: bytes
    calendar: Calendar
    _orders: dict[int, Curve] = field(default_factory=dict)
    _proofs: dict[int, bytes] = field(default_factory=dict)
    _read: dict[int, int] = field(default_factory=dict)

    def take(self, request: GatewayRequest, now_ns: int) -> tuple[bytes, list[Say]]:
        """The reply to a request, and what it makes this member say."""
        match request:
            case Offer(interval, curve):
                return self._offer(interval, curve, now_ns)
            case AskProof(interval):
                return self._proofs.get(interval, NOT_YET), []
            case Delivered(interval, net):
                return self._delivered(interval, net, now_ns)
        assert_never(request)

    def decided(
        self, certified: CertifiedHeader, part: LeafProof | None, links: tuple[EpochLink, ...] = ()
    ) -> None:
        """A block of this cell was decided; `part` is the gateway's in its clearing, None where it had none."""
        interval = certified.header.last_interval
        if part is not None:
            self._proofs[interval] = TransferProof(self.cell_id, links, certified, part).encode()
        for kept in (self._proofs, self._orders, self._read):
            for old in [each for each in kept if each <= interval - KEPT]:
                del kept[old]

    def _offer(self, interval: int, curve: Curve, now_ns: int) -> tuple[bytes, list[Say]]:
        if now_ns >= self.calendar.gate_closure_ns(interval) or interval > self.calendar.next_gate(now_ns):
            return NOT_YET, []
        if self._orders.get(interval) == curve:
            return DONE, []
        was_said = interval in self._orders
        self._orders[interval] = curve
        if curve.is_empty and not was_said:
            return DONE, []
        return DONE, [Say(Kind.ORDER, interval, encode_order(curve))]

    def _delivered(self, interval: int, net: int, now_ns: int) -> tuple[bytes, list[Say]]:
        if now_ns < self.calendar.end_ns(interval):
            return NOT_YET, []
        if self._read.get(interval) == net or interval <= self.calendar.index_of(now_ns) - KEPT:
            return DONE, []
        self._read[interval] = net
        return DONE, [Say(Kind.READING, interval, encode_reading(delivered_transfer(net)))]
