"""Shell: readers of what the two nodes of a gateway tell each other, and of what a cell is told of its parent."""

from ledger.errors import PeerError
from market.federation.transfer_proof import TransferProof, decode_part, proof_parts
from market.payloads import Curve, Kind, Step, encode_order
from node.gateway.messages import AskProof, Delivered, Offer, decode_request, encode_request
from sim.federation.cells import FIRST_INTERVAL, SmallCell
from sim.fuzzing.target import Target


def gateway_targets() -> tuple[Target, ...]:
    """All of them, in a fixed order."""
    parent = SmallCell("parent", ("gateway", "school"), 2700, 310, 40)
    cell = SmallCell("cell", ("gateway", "ada"), 900, 300, 50, parent=(parent.genesis, 2700, 0))
    order = Curve(sells=(Step(60, 500),))
    parent.say(0, Kind.ORDER, FIRST_INTERVAL, encode_order(order), 1)
    parent.decide(FIRST_INTERVAL, parent.calendar.gate_closure_ns(FIRST_INTERVAL))
    part, rule = parent.part(parent.member(0)), cell.rules.parent
    assert part is not None and parent.certified is not None and rule is not None
    proof = TransferProof(parent.genesis.cell_id, (), parent.certified, part).encode()

    def transfer_proof(data: bytes) -> bytes:
        read = TransferProof.decode(data)
        written = read.encode()
        read.check(rule, FIRST_INTERVAL)
        return written

    requests = (Offer(7, order), AskProof(7), Delivered(7, -5))
    assert decode_part(proof_parts(proof)[0])
    return (
        Target("transfer proof", transfer_proof, PeerError, (proof,)),
        Target(
            "gateway's request",
            lambda data: encode_request(decode_request(data)),
            PeerError,
            tuple(encode_request(each) for each in requests),
        ),
    )
