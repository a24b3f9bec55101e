"""The validators of any height follow from the genesis by the headers that changed them, and from nothing less."""

from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.chain.epochs import (
    CertifiedHeader,
    EpochLink,
    Trust,
    certified_from,
    changes_validators,
    link_from,
)
from ledger.encoding import decode, encode
from ledger.errors import InvalidProof, Malformed, PeerError
from ledger.records import protocols
from ledger.records.blocks import Header, header_id
from ledger.records.validators import ValidatorSet
from ledger.records.votes import Certificate, Step, Vote, sign_vote

CELL = sha256(b"cell").digest()


@dataclass(frozen=True)
class Epoch:
    """The keys of one set of validators."""

    name: str
    size: int

    @property
    def keys(self) -> list[SigningKey]:
        names = [f"{self.name}{index}".encode() for index in range(self.size)]
        return [SigningKey(sha256(name).digest()) for name in names]

    @property
    def validators(self) -> ValidatorSet:
        return ValidatorSet(tuple(key.verify_key.encode() for key in self.keys))


FIRST, SECOND, THIRD = Epoch("first", 4), Epoch("second", 5), Epoch("third", 7)
TRUST = Trust(1, FIRST.validators)


def decided(height: int, now: Epoch, after: Epoch, *, by: Epoch | None = None, signers: int | None = None):
    """A header that names these validators, with a certificate of a quorum of `by`, which are those."""
    header = Header(
        version=protocols.FIRST,
        height=height,
        previous=bytes(32),
        first_interval=height,
        last_interval=height,
        time_ns=height,
        proposer=0,
        round=0,
        validators_hash=now.validators.hash(),
        next_validators_hash=after.validators.hash(),
        clearing_hash=bytes(32),
        feeds_root=bytes(32),
        state_root=bytes(32),
        log_size=height - 1,
        log_root=bytes(32),
        last_certificate_hash=None,
        evidence_root=bytes(32),
    )
    block_id = header_id(header, CELL)
    deciders = by or now
    enough = deciders.validators.quorum if signers is None else signers
    signatures = tuple(
        sign_vote(key, CELL, Vote(height, 0, Step.PRECOMMIT, block_id, -1, index)).signature
        if index < enough
        else None
        for index, key in enumerate(deciders.keys)
    )
    return CertifiedHeader(header, Certificate(height, 0, block_id, signatures))


def link(height: int, now: Epoch, after: Epoch, **how: object) -> EpochLink:
    return EpochLink(decided(height, now, after, **how), after.validators.keys)


def test_validators_are_followed_through_two_changes() -> None:
    trust = TRUST.after(link(9, FIRST, SECOND), CELL).after(link(20, SECOND, THIRD), CELL)
    assert trust == Trust(21, THIRD.validators)
    trust.check(decided(50, THIRD, THIRD), CELL)


def test_a_change_in_the_first_block_and_changes_in_a_row_are_followed() -> None:
    trust = TRUST.after(link(1, FIRST, SECOND), CELL).after(link(2, SECOND, THIRD), CELL)
    trust.check(decided(3, THIRD, FIRST), CELL)


def test_a_header_of_validators_that_are_not_known_yet_is_refused() -> None:
    with pytest.raises(InvalidProof, match="block 50: the header names other validators"):
        TRUST.check(decided(50, SECOND, SECOND), CELL)


def test_a_change_that_is_left_out_is_missed() -> None:
    with pytest.raises(InvalidProof, match="block 20: the header names other validators"):
        TRUST.after(link(20, SECOND, THIRD), CELL)


def test_validators_that_were_replaced_decide_nothing_any_more() -> None:
    trust = TRUST.after(link(9, FIRST, SECOND), CELL)
    with pytest.raises(InvalidProof, match="other validators"):
        trust.check(decided(10, FIRST, FIRST), CELL)


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (link(9, FIRST, SECOND, by=SECOND), "block 9: 5 places for 4 validators"),
        (link(9, FIRST, SECOND, signers=2), "block 9: 2 signatures where 3 are needed"),
        (link(9, FIRST, FIRST), "block 9 changes no validators"),
        (replace(link(9, FIRST, SECOND), next_keys=THIRD.validators.keys), "not those that it names"),
        (replace(link(9, FIRST, SECOND), next_keys=()), "without validators"),
        (replace(link(9, FIRST, SECOND), next_keys=SECOND.validators.keys[:1] * 2), "share a consensus key"),
        (
            replace(link(9, FIRST, SECOND), next_keys=tuple(reversed(SECOND.validators.keys))),
            "not those that it names",
        ),
        (link(9, FIRST, Epoch("first", 5), by=Epoch("other", 4)), "signature of validator 0 does not hold"),
    ],
)
def test_a_change_that_its_validators_did_not_decide_is_refused(spoilt: EpochLink, reason: str) -> None:
    with pytest.raises(InvalidProof, match=reason):
        TRUST.after(spoilt, CELL)


def test_the_chain_does_not_go_back() -> None:
    trust = TRUST.after(link(9, FIRST, SECOND), CELL)
    for height in (8, 9):
        with pytest.raises(InvalidProof, match=f"block {height} is before block 10"):
            trust.after(link(height, SECOND, THIRD), CELL)


def test_only_a_header_with_other_validators_next_is_a_link() -> None:
    assert changes_validators(decided(9, FIRST, SECOND).header)
    assert not changes_validators(decided(9, FIRST, FIRST).header)


def test_what_is_written_reads_back() -> None:
    change = link(9, FIRST, SECOND)
    assert link_from(decode(encode(change.value()), max_bytes=10_000)) == change
    assert certified_from(decode(encode(change.last.value()), max_bytes=10_000)) == change.last


@settings(max_examples=60)
@given(st.data())
def test_a_spoilt_change_is_refused_or_is_the_same_change(data: st.DataObject) -> None:
    encoded = bytearray(encode(link(9, FIRST, SECOND).value()))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    try:
        trust = TRUST.after(link_from(decode(bytes(encoded), max_bytes=10_000)), CELL)
    except PeerError:
        return
    assert trust == Trust(10, SECOND.validators)


@pytest.mark.parametrize("value", [None, 3, (), (b"", b""), (b"h", b"c", (b"k" * 31,)), (b"h", b"c", b"k")])
def test_what_is_no_change_is_malformed(value: object) -> None:
    with pytest.raises(Malformed):
        link_from(value)
    with pytest.raises(Malformed):
        certified_from(value)
