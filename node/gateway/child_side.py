"""The gateway in its cell: offers upwards, brings back what was decided, and says it here with the proof. Sans-IO.

Times are cell time, ns; energies mWh. For each interval, in this order:

1. Before the parent's gate it offers what the members' open orders could give and take.
2. From the parent's gate on it asks for the proof, checks it itself, and says it in its feed, when the block
   before the interval's own is decided and as long as this cell's gate is open. A proof that comes too late is
   dropped: the cell clears alone, and what the gateway holds in the parent is its own imbalance there.
3. When the interval is over it tells what of it was filled here.

Whatever the other side replies is judged like a stranger's: nothing is said here that `TransferProof.check`
does not bear out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ledger.encoding import Value
from ledger.errors import InvalidProof, Malformed
from market.federation.parent_rule import ParentRule
from market.federation.transfer_proof import TransferProof, proof_parts
from market.intervals import Calendar
from market.payloads import Curve, Kind
from node.gateway.messages import DONE, AskProof, Delivered, GatewayRequest, Offer

TOLD_INTERVALS: Final = 8
"""Intervals back for which a delivery is still told; the parent settles on estimates long before."""


@dataclass(frozen=True, slots=True)
class Say:
    """An entry for the own feed."""

    kind: Kind
    interval: int
    payload: tuple[Value, ...]


@dataclass(slots=True)
class ChildSide:
    """One gateway. `last_interval` is the last that this cell's blocks cover; nothing before `first` is offered.

    `order` makes the order for an interval out of the open orders of this cell, as they are when it is asked.
    """

    rule: ParentRule
    own: Calendar
    above: Calendar
    margin_ns: int
    first: int
    order: Callable[[int], Curve]
    last_interval: int = -1
    refused: int = 0
    _offered: int = -1
    _said: int = -1
    _proofs: dict[int, bytes] = field(default_factory=dict)
    _filled: dict[int, int] = field(default_factory=dict)

    def wants(self, now_ns: int) -> list[GatewayRequest]:
        """What to ask the node in the parent now; asked again until the answer is heard."""
        wanted: list[GatewayRequest] = []
        offering = max(self.above.next_gate(now_ns), self.first)
        opens_ns = self.above.gate_closure_ns(offering) - 2 * self.margin_ns
        if offering > self._offered and now_ns >= opens_ns:
            wanted.append(Offer(offering, self.order(offering)))
        asking = max(self.own.next_gate(now_ns), self.first)
        closed = now_ns >= self.above.gate_closure_ns(asking)
        if closed and asking > self._said and asking not in self._proofs and self._in_time(asking, now_ns):
            wanted.append(AskProof(asking))
        wanted += [
            Delivered(interval, net)
            for interval, net in sorted(self._filled.items())
            if self.own.end_ns(interval) <= now_ns
        ]
        return wanted

    def heard(self, request: GatewayRequest, reply: bytes) -> None:
        """The answer to a request; an empty or a wrong one changes nothing, and it is asked again."""
        match request:
            case Offer(interval):
                if reply == DONE:
                    self._offered = max(self._offered, interval)
            case AskProof(interval):
                if reply:
                    self._take(interval, reply)
            case Delivered(interval):
                if reply == DONE:
                    self._filled.pop(interval, None)

    def says(self, now_ns: int) -> list[Say]:
        """The entries that are due: a proof, once, while it can still count."""
        said: list[Say] = []
        for interval, proof in sorted(self._proofs.items()):
            if interval != self.last_interval + 1 and interval > self.last_interval:
                continue
            del self._proofs[interval]
            if interval > max(self._said, self.last_interval) and self._in_time(interval, now_ns):
                self._said = interval
                said += [Say(Kind.TRANSFER, interval, part) for part in proof_parts(proof)]
        return said

    def decided(self, interval: int, position: int) -> None:
        """A block of this cell was decided; `position` is what the gateway got in it, injection positive."""
        for skipped in range(max(self.last_interval + 1, self.first), interval):
            self._filled[skipped] = 0
        self.last_interval = max(self.last_interval, interval)
        if (
            interval >= self.first
        ):  # also where nothing was filled: the parent would estimate what nobody tells
            self._filled[interval] = -position
        for old in [each for each in self._filled if each < interval - TOLD_INTERVALS]:
            del self._filled[old]

    def _in_time(self, interval: int, now_ns: int) -> bool:
        return now_ns < self.own.gate_closure_ns(interval) - self.margin_ns

    def _take(self, interval: int, proof: bytes) -> None:
        try:
            transfer = TransferProof.decode(proof).check(self.rule, interval)
        except (InvalidProof, Malformed):
            self.refused += 1
            return
        if transfer.flow:
            self._proofs[interval] = proof
        else:
            self._said = max(self._said, interval)
