"""The two sides of a gateway without a network: what they ask, what they say, and what they never say."""

import pytest

from ledger.errors import PeerError
from market.federation.transfer_proof import TransferProof, proof_parts
from market.payloads import Curve, Kind, Step, encode_order
from market.units import NS_PER_S
from node.gateway.child_side import TOLD_INTERVALS, ChildSide, Say
from node.gateway.messages import (
    DONE,
    NOT_YET,
    AskProof,
    Delivered,
    GatewayRequest,
    Offer,
    decode_request,
    encode_request,
)
from node.gateway.parent_side import KEPT, ParentSide
from sim.federation.cells import FIRST_INTERVAL as FIRST
from sim.federation.cells import SmallCell

MARGIN_NS = 60 * NS_PER_S
ORDER = Curve(sells=(Step(60, 500),))


class Gateway:
    """Both sides of one gateway and the cells that they stand in, before the gate of the first interval."""

    def __init__(self) -> None:
        self.district = SmallCell("district", ("street", "school"), 2700, 310, 40)
        self.street = SmallCell(
            "street", ("gateway", "ada"), 900, 300, 50, parent=(self.district.genesis, 2700, 0)
        )
        rule = self.street.rules.parent
        assert rule is not None
        above = self.district.calendar
        self.child = ChildSide(
            rule, self.street.calendar, above, MARGIN_NS, FIRST, lambda _: ORDER, FIRST - 1
        )
        self.parent = ParentSide(self.district.genesis.cell_id, above)
        self.gate_above_ns = above.gate_closure_ns(FIRST)
        self.gate_ns = self.street.calendar.gate_closure_ns(FIRST)

    def ask(self, request: GatewayRequest, now_ns: int) -> list[Say]:
        """One question, its answer heard."""
        reply, said = self.parent.take(decode_request(encode_request(request)), now_ns)
        self.child.heard(request, reply)
        return said

    def decide_above(self, bought: int = 500) -> None:
        """The district clears what the gateway offered."""
        (said,) = self.ask(Offer(FIRST, ORDER), self.gate_above_ns - 1)
        self.district.say(0, said.kind, said.interval, said.payload, 1)
        if bought:
            self.district.say(1, Kind.ORDER, FIRST, encode_order(Curve(buys=(Step(200, bought),))), 1)
        self.district.decide(FIRST, self.gate_above_ns)
        part, certified = self.district.part(self.district.member(0)), self.district.certified
        assert certified is not None
        self.parent.decided(certified, part)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.mark.parametrize("request_", [Offer(7, ORDER), AskProof(7), Delivered(7, -5)])
def test_requests_survive_their_encoding(request_: GatewayRequest) -> None:
    assert decode_request(encode_request(request_)) == request_


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", bytes(2000), bytes.fromhex("820920"), bytes.fromhex("83011b7f80"), b"\x83\x03\x07\x40"],
)
def test_what_is_no_request_is_the_peers_fault(data: bytes) -> None:
    with pytest.raises(PeerError):
        decode_request(data)


def test_an_offer_is_made_before_the_parents_gate_and_repeated_until_it_is_heard(gateway: Gateway) -> None:
    opens_ns = gateway.gate_above_ns - 2 * MARGIN_NS
    assert gateway.child.wants(opens_ns - 1) == []
    assert gateway.child.wants(opens_ns) == [Offer(FIRST, ORDER)]
    gateway.child.heard(Offer(FIRST, ORDER), NOT_YET)
    assert gateway.child.wants(opens_ns) == [Offer(FIRST, ORDER)]
    assert gateway.ask(Offer(FIRST, ORDER), opens_ns) == [Say(Kind.ORDER, FIRST, encode_order(ORDER))]
    assert gateway.child.wants(opens_ns) == []


def test_an_offer_that_comes_twice_is_said_once_and_one_that_comes_late_never(gateway: Gateway) -> None:
    assert len(gateway.ask(Offer(FIRST, ORDER), gateway.gate_above_ns - 1)) == 1
    assert gateway.ask(Offer(FIRST, ORDER), gateway.gate_above_ns - 1) == []
    late = gateway.parent.take(Offer(FIRST, Curve()), gateway.gate_above_ns)
    assert late == (NOT_YET, [])
    assert gateway.parent.take(Offer(FIRST + 9, ORDER), gateway.gate_above_ns) == (NOT_YET, [])


def test_an_empty_offer_is_no_order_but_takes_back_an_earlier_one(gateway: Gateway) -> None:
    now_ns = gateway.gate_above_ns - 1
    assert gateway.parent.take(Offer(FIRST, Curve()), now_ns) == (DONE, [])
    gateway.parent.take(Offer(FIRST, ORDER), now_ns)
    assert gateway.parent.take(Offer(FIRST, Curve()), now_ns)[1] == [
        Say(Kind.ORDER, FIRST, encode_order(Curve()))
    ]


def test_the_proof_is_asked_for_until_it_is_there_and_said_once(gateway: Gateway) -> None:
    now_ns = gateway.gate_above_ns
    assert AskProof(FIRST) in gateway.child.wants(now_ns)
    gateway.ask(AskProof(FIRST), now_ns)
    assert AskProof(FIRST) in gateway.child.wants(now_ns)
    gateway.decide_above()
    gateway.ask(AskProof(FIRST), now_ns)
    said = gateway.child.says(now_ns)
    assert {each.kind for each in said} == {Kind.TRANSFER}
    assert gateway.child.says(now_ns) == []
    assert AskProof(FIRST) not in gateway.child.wants(now_ns)


def test_a_proof_waits_for_the_block_before_its_own(gateway: Gateway) -> None:
    gateway.child.last_interval = FIRST - 2
    gateway.decide_above()
    gateway.ask(AskProof(FIRST), gateway.gate_above_ns)
    assert gateway.child.says(gateway.gate_above_ns) == []
    gateway.child.decided(FIRST - 1, 0)
    assert len(gateway.child.says(gateway.gate_above_ns)) > 0


def test_a_proof_that_comes_after_the_own_gate_is_never_said(gateway: Gateway) -> None:
    gateway.decide_above()
    gateway.ask(AskProof(FIRST), gateway.gate_ns)
    assert gateway.child.says(gateway.gate_ns) == []
    assert AskProof(FIRST) not in gateway.child.wants(gateway.gate_ns)


def test_nothing_is_said_of_a_transfer_of_nothing(gateway: Gateway) -> None:
    gateway.decide_above(bought=0)
    gateway.ask(AskProof(FIRST), gateway.gate_above_ns)
    assert gateway.child.says(gateway.gate_above_ns) == []
    assert AskProof(FIRST) not in gateway.child.wants(gateway.gate_above_ns)


def test_a_reply_that_proves_nothing_is_counted_and_asked_again(gateway: Gateway) -> None:
    gateway.decide_above()
    reply, _ = gateway.parent.take(AskProof(FIRST), gateway.gate_above_ns)
    for lie in (b"x", reply[:-1] + bytes([reply[-1] ^ 1])):
        gateway.child.heard(AskProof(FIRST), lie)
    assert gateway.child.refused == 2
    assert gateway.child.says(gateway.gate_above_ns) == []
    assert AskProof(FIRST) in gateway.child.wants(gateway.gate_above_ns)


def test_the_delivery_is_told_when_the_interval_is_over_and_read_once(gateway: Gateway) -> None:
    gateway.ask(Offer(FIRST, ORDER), gateway.gate_above_ns - 1)
    gateway.child.decided(FIRST, -500)
    end_ns = gateway.street.calendar.end_ns(FIRST)
    told = Delivered(FIRST, 500)
    assert told not in gateway.child.wants(end_ns - 1)
    assert told in gateway.child.wants(end_ns)
    (said,) = gateway.ask(told, end_ns)
    assert (said.kind, said.interval, said.payload) == (Kind.READING, FIRST, (500, 0, 0))
    assert told not in gateway.child.wants(end_ns)
    assert gateway.parent.take(told, end_ns) == (DONE, [])
    assert gateway.parent.take(Delivered(FIRST + 1, 5), end_ns) == (NOT_YET, [])


def test_an_interval_without_a_transfer_is_told_as_nothing(gateway: Gateway) -> None:
    gateway.child.decided(FIRST + 1, 0)
    told = gateway.child.wants(gateway.street.calendar.end_ns(FIRST + 1))
    assert Delivered(FIRST, 0) in told
    assert Delivered(FIRST + 1, 0) in told


def test_what_is_remembered_is_bounded(gateway: Gateway) -> None:
    gateway.decide_above()
    proof, _ = gateway.parent.take(AskProof(FIRST), gateway.gate_above_ns)
    assert TransferProof.decode(proof).certified == gateway.district.certified
    assert proof_parts(proof)
    for interval in range(FIRST + 1, FIRST + KEPT + 1):
        gateway.district.decide(interval, gateway.district.calendar.gate_closure_ns(interval))
        assert gateway.district.certified is not None
        gateway.parent.decided(gateway.district.certified, None)
    assert gateway.parent.take(AskProof(FIRST), gateway.gate_above_ns)[0] == NOT_YET
    gateway.ask(Offer(FIRST, ORDER), gateway.gate_above_ns - 1)
    for interval in range(FIRST, FIRST + TOLD_INTERVALS + 2):
        gateway.child.decided(interval, -1)
    assert Delivered(FIRST, 1) not in gateway.child.wants(gateway.street.calendar.end_ns(FIRST + 1))
