"""What a gateway that lies says in its cell instead of what was decided above."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from ledger.encoding import decode, encode
from ledger.limits import BLOCK_BYTES
from ledger.records.votes import Certificate
from market.federation.transfer_proof import TransferProof, proof_parts
from market.payloads import Curve, Kind, Reading, Step, encode_order, encode_reading
from node.gateway.child_side import Say
from sim.federation.cells import SmallCell


class Lie(Enum):
    """One way to lie each."""

    INFLATED = 1
    """Ten times the energy, under the true header."""
    ANOTHERS = 2
    """The part of the other street's gateway."""
    STALE = 3
    """An older interval's proof, said for this one."""
    REPLAYED = 4
    """An older interval's proof, said for its own interval again."""
    UNSIGNED = 5
    """A header that no quorum has signed."""
    SHORTENED = 6
    """A proof whose last part is missing."""
    ORDERED = 7
    """An order without any proof."""
    METERED = 8
    """A reading of what was never transferred."""
    TWICE = 9
    """The truth, and then the truth again."""


def lie_about(lie: Lie, district: SmallCell, above: int, seen: Sequence[bytes], interval: int) -> list[Say]:
    """The entries of this lie; `seen` are the proofs of earlier blocks and of this interval's, oldest first."""
    step = (Step(200, 1000),)
    if lie is Lie.ORDERED:
        return [Say(Kind.ORDER, interval, encode_order(Curve(buys=step)))]
    if lie is Lie.METERED:
        return [Say(Kind.READING, interval - 2, encode_reading(Reading(1000, 0)))]
    if lie is Lie.ANOTHERS:
        part, certified = district.part(district.member(1 - above)), district.certified
        if part is None or certified is None:
            return []
        return _said(TransferProof(district.genesis.cell_id, (), certified, part).encode(), interval)
    if not seen:
        return []
    proof = TransferProof.decode(seen[-1])
    if proof.certified.header.last_interval != interval:
        return _said(seen[-1], interval)
    match lie:
        case Lie.STALE:
            return _said(seen[-2], interval) if len(seen) > 1 else []
        case Lie.REPLAYED:
            return _said(seen[-2], interval - 1) if len(seen) > 1 else []
        case Lie.SHORTENED:
            return _said(seen[-1], interval)[:-1]
        case Lie.TWICE:
            return [*_said(seen[-1], interval), *_said(seen[-1], interval)]
        case Lie.INFLATED:
            return _said(_inflated(proof), interval)
        case Lie.UNSIGNED:
            return _said(_unsigned(proof), interval)
    raise AssertionError(f"{lie} is told above")


def _said(proof: bytes, interval: int) -> list[Say]:
    return [Say(Kind.TRANSFER, interval, part) for part in proof_parts(proof)]


def _inflated(proof: TransferProof) -> bytes:
    value = decode(proof.part.value, max_bytes=BLOCK_BYTES)
    assert isinstance(value, tuple)
    branch, price, position, fills = value
    assert isinstance(position, int)
    more = encode((branch, 100 if price is None else price, 10 * position + 1, fills))
    return replace(proof, part=replace(proof.part, value=more)).encode()


def _unsigned(proof: TransferProof) -> bytes:
    certificate = proof.certified.certificate
    signed = [signature for signature in certificate.signatures if signature is not None]
    forged = (bytes(64), *signed[1:])
    without = Certificate(certificate.height, certificate.round, certificate.block_id, forged)
    return replace(proof, certified=replace(proof.certified, certificate=without)).encode()
