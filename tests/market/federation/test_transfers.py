"""A proof of what the cell above decided: what it bears out, what is refused, and what a cell makes of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.chain.replay import genesis_tip
from ledger.errors import InvalidProof, Malformed
from market.cell import EnergyCell
from market.errors import InvalidRules, MalformedPayload
from market.federation.parent_rule import ParentRule, parent_rule
from market.federation.transfer_proof import (
    MAX_PARTS,
    PART_BYTES,
    ProvedTransfer,
    TransferProof,
    decode_part,
    proof_parts,
)
from market.outcomes import Refusal
from market.payloads import Curve, Kind, Reading, Step, encode_order, encode_reading
from market.rules import decode_rules, encode_rules
from market.units import NS_PER_S
from sim.federation.cells import FIRST_INTERVAL, SmallCell

LEAD_S = 900
FIRST = FIRST_INTERVAL


class Cells:
    """A district that has cleared one interval, and a street below it whose gateway is its first member."""

    def __init__(self, in_round: int = 0) -> None:
        self.district = SmallCell("district", ("street", "school", "baker", "mill"), 2700, 310, 40)
        self.street = SmallCell(
            "street", ("gateway", "ada"), LEAD_S, 300, 50, parent=(self.district.genesis, 2700, 0)
        )
        self.district.say(0, Kind.ORDER, FIRST, encode_order(Curve(sells=(Step(60, 500),))), 1)
        self.district.say(1, Kind.ORDER, FIRST, encode_order(Curve(buys=(Step(200, 500),))), 1)
        self.now_ns = self.district.calendar.gate_closure_ns(FIRST)
        self.district.decide(FIRST, self.now_ns, in_round)

    @property
    def rule(self) -> ParentRule:
        rule = self.street.rules.parent
        assert rule is not None
        return rule

    def proof(self, place: int = 0) -> TransferProof:
        part, certified = self.district.part(self.district.member(place)), self.district.certified
        assert part is not None
        assert certified is not None
        return TransferProof(self.district.genesis.cell_id, (), certified, part)

    def say(self, proof: bytes, interval: int = FIRST, parts: slice = slice(None)) -> None:
        for part in proof_parts(proof)[parts]:
            self.street.say(0, Kind.TRANSFER, interval, part, self.now_ns)

    def decide(self, interval: int = FIRST) -> list[Refusal]:
        """The street's block; what was refused in it."""
        time_ns = self.street.calendar.gate_closure_ns(interval) + NS_PER_S
        return [each.refusal for each in self.street.decide(interval, time_ns).rejected]

    def position(self) -> int:
        assert self.street.outcomes is not None
        return self.street.outcomes.position_of(self.street.member(0))


@pytest.fixture
def cells() -> Cells:
    return Cells()


def test_a_proof_says_what_the_parent_decided_and_survives_its_encoding(cells: Cells) -> None:
    proof = TransferProof.decode(cells.proof().encode())
    assert proof == cells.proof()
    assert proof.check(cells.rule, FIRST) == ProvedTransfer(FIRST, 500, 130)


def test_a_proven_transfer_is_filled_by_the_street_and_settled_without_imbalance(cells: Cells) -> None:
    cells.street.say(1, Kind.ORDER, FIRST, encode_order(Curve(sells=(Step(60, 900),))), 1)
    cells.say(cells.proof().encode())
    assert cells.decide() == []
    assert cells.position() == -500
    for interval in range(FIRST + 1, FIRST + 5):
        cells.decide(interval)
    record = cells.street.tip.state.records[FIRST]
    assert record.settled
    assert record.readings[cells.street.member(0)] == Reading(0, 500)


def test_a_street_that_offers_less_than_was_decided_fills_what_it_has(cells: Cells) -> None:
    cells.street.say(1, Kind.ORDER, FIRST, encode_order(Curve(sells=(Step(60, 200), Step(131, 900)))), 1)
    cells.say(cells.proof().encode())
    assert cells.decide() == []
    assert cells.position() == -200


def test_what_the_gateway_withdraws_above_it_injects_below() -> None:
    assert ProvedTransfer(FIRST, -7, 100).order() == Curve(sells=(Step(100, 7),))
    assert ProvedTransfer(FIRST, 7, 100).order() == Curve(buys=(Step(100, 7),))
    assert ProvedTransfer(FIRST, 0, 0).order().is_empty


def other_gateway(cells: Cells) -> ParentRule:
    return replace(cells.rule, member_above=cells.district.member(1))


def other_cell(cells: Cells) -> ParentRule:
    return replace(cells.rule, cell_id=bytes(32))


def other_validators(cells: Cells) -> ParentRule:
    return replace(cells.rule, validators=tuple(reversed(cells.rule.validators)))


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        (other_gateway, "the part is not the gateway's"),
        (other_cell, "about another cell"),
        (other_validators, "names other validators"),
    ],
)
def test_a_proof_of_something_else_is_refused(
    cells: Cells, rule: Callable[[Cells], ParentRule], mistake: str
) -> None:
    with pytest.raises(InvalidProof, match=mistake):
        cells.proof().check(rule(cells), FIRST)


def test_a_stale_proof_is_refused(cells: Cells) -> None:
    with pytest.raises(InvalidProof, match=f"cleared interval {FIRST}, not {FIRST + 1}"):
        cells.proof().check(cells.rule, FIRST + 1)


def test_a_proof_of_a_block_that_came_too_late_is_refused() -> None:
    assert Cells(in_round=2).proof().check(Cells().rule, FIRST).flow == 500
    late = Cells(in_round=3)
    with pytest.raises(InvalidProof, match="decided too late"):
        late.proof().check(late.rule, FIRST)


def test_every_flipped_byte_of_a_proof_is_seen(cells: Cells) -> None:
    data = cells.proof().encode()
    true = cells.proof().check(cells.rule, FIRST)
    for place in range(0, len(data), 3):
        spoilt = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        try:
            told = TransferProof.decode(spoilt).check(cells.rule, FIRST)
        except (InvalidProof, Malformed):
            continue
        assert told == true


@pytest.mark.parametrize(
    ("interval", "parts", "refusal"),
    [
        (FIRST + 1, slice(None), Refusal.BEYOND_HORIZON),
        (FIRST - 1, slice(None), Refusal.GATE_CLOSED),
        (FIRST, slice(1, None), Refusal.UNPROVEN),
    ],
)
def test_a_proof_out_of_place_moves_nothing(
    cells: Cells, interval: int, parts: slice, refusal: Refusal
) -> None:
    cells.street.say(1, Kind.ORDER, FIRST, encode_order(Curve(sells=(Step(60, 900),))), 1)
    cells.say(cells.proof().encode(), interval, parts)
    assert set(cells.decide()) == {refusal}
    assert cells.position() == 0


def test_the_same_proof_twice_counts_once(cells: Cells) -> None:
    cells.street.say(1, Kind.ORDER, FIRST, encode_order(Curve(sells=(Step(60, 900),))), 1)
    cells.say(cells.proof().encode())
    cells.say(cells.proof().encode())
    assert cells.decide() == [Refusal.NOT_BETTER]
    assert cells.position() == -500


def test_a_gateway_can_neither_order_nor_read_and_nobody_else_can_transfer(cells: Cells) -> None:
    cells.street.say(0, Kind.ORDER, FIRST, encode_order(Curve(buys=(Step(200, 5),))), 1)
    cells.street.say(0, Kind.READING, FIRST - 2, encode_reading(Reading(5, 0)), 1)
    for part in proof_parts(cells.proof().encode()):
        cells.street.say(1, Kind.TRANSFER, FIRST, part, 1)
    parts = len(proof_parts(cells.proof().encode()))
    refused = sorted(cells.decide())
    assert refused == [Refusal.NOT_ENTITLED] * parts + [Refusal.UNPROVEN] * 2


@pytest.mark.parametrize(
    "payload",
    [(), (0, 1), (1, 1, b"x"), (0, MAX_PARTS + 1, b"x"), (0, 1, b""), (0, 1, bytes(PART_BYTES + 1))],
)
def test_what_is_no_part_of_a_proof_is_malformed(payload: tuple[int | bytes, ...]) -> None:
    with pytest.raises(MalformedPayload):
        decode_part(payload)


def test_the_rules_with_a_parent_survive_their_encoding(cells: Cells) -> None:
    rules = cells.street.rules
    assert decode_rules(encode_rules(rules)) == rules
    tip = genesis_tip(cells.street.genesis, EnergyCell())
    leaves = EnergyCell().leaves(tip.state)
    assert EnergyCell().restore(cells.street.genesis, leaves).rules.parent == rules.parent


def test_a_gateway_that_is_no_member_of_either_cell_is_refused(cells: Cells) -> None:
    with pytest.raises(
        InvalidRules, match="'mayor' is no member of the parent, which has baker, mill, school, street"
    ):
        parent_rule(cells.district.genesis, 2700, "mayor", cells.street.member(0))
    stranger = replace(cells.street.rules, parent=replace(cells.rule, gateway=bytes(32)))
    with pytest.raises(InvalidRules, match="must be a member on the root branch"):
        decode_rules(encode_rules(stranger))


@pytest.mark.parametrize(
    "change",
    [
        {"cell_id": b""},
        {"gateway": b"x"},
        {"validators": (b"x",)},
        {"validators": ()},
        {"gate_lead_s": -1},
        {"last_timely_round": -1},
    ],
)
def test_a_parent_that_makes_no_sense_is_refused(cells: Cells, change: dict[str, object]) -> None:
    with pytest.raises(InvalidRules, match="parent"):
        replace(cells.rule, **change)
