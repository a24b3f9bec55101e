"""Transfers between cells as two ledgers tell them: what must not be is named, and too late is no fault."""

import pytest

from ledger.records.validators import ValidatorSet
from market.federation.parent_rule import ParentRule
from market.federation.transfer_proof import ProvedTransfer
from market.outcomes import MemberClearing
from node.errors import ConfigError
from sim.homes.households import load_households
from sim.testnet.federation.command import cells_command
from sim.testnet.federation.crossings import CellLedger, Cleared, Crossing, crossings
from sim.testnet.federation.founding import dealt

INTERVAL = 1000
GATEWAY, ABOVE = b"g" * 32, b"a" * 32
BLOCK = b"b" * 32
RULE = ParentRule(b"c" * 32, ValidatorSet((b"v" * 32,)).keys, 2700, 2, GATEWAY, ABOVE)


def part(member: bytes, position: int, price: int) -> MemberClearing:
    return MemberClearing(member, 0, price, position, ())


def crossing(
    *,
    decided: int = 500,
    price_above: int = 100,
    filled: int = 500,
    price: int = 90,
    proof: tuple[ProvedTransfer, bytes] | None = (ProvedTransfer(INTERVAL, 500, 100), BLOCK),
) -> Crossing:
    """What is made of one interval: `decided` by the district, `filled` in the street, positive out of it."""
    above = {ABOVE: part(ABOVE, decided, price_above)} if decided else {}
    own = {GATEWAY: part(GATEWAY, -filled, price)} if filled else {}
    district = CellLedger("district", {INTERVAL: Cleared(BLOCK, price_above, above)}, None, {})
    proofs = {} if proof is None else {INTERVAL: proof}
    street = CellLedger("street-1", {INTERVAL: Cleared(b"s" * 32, price, own)}, RULE, proofs)
    (found,) = crossings(district, [street])
    return found


def test_a_transfer_that_both_ledgers_have_is_proven() -> None:
    found = crossing()
    assert (found.proven, found.fault) == (True, None)
    assert (found.contracted, found.filled) == (500, 500)


def test_members_may_take_back_part_of_what_they_offered() -> None:
    assert crossing(filled=200).fault is None


def test_a_proof_that_came_too_late_is_no_fault() -> None:
    found = crossing(filled=0, proof=None)
    assert (found.proven, found.fault) == (False, None)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (crossing(proof=None), "without a proof"),
        (crossing(decided=0), "the proof says 500 mWh"),
        (
            crossing(proof=(ProvedTransfer(INTERVAL, 500, 100), b"x" * 32)),
            "a block that the district does not have",
        ),
        (crossing(proof=(ProvedTransfer(INTERVAL, 400, 100), BLOCK)), "the proof says 400 mWh"),
        (crossing(filled=501), "501 mWh crossed"),
        (crossing(filled=-500), "-500 mWh crossed"),
        (crossing(price=101), "bought at 101 and sold at 100"),
    ],
)
def test_what_must_not_be_is_named(found: Crossing, fault: str) -> None:
    assert found.fault is not None
    assert fault in found.fault
    assert not found.proven


def test_intervals_without_a_transfer_are_left_out() -> None:
    empty = CellLedger("district", {INTERVAL: Cleared(BLOCK, None, {})}, None, {})
    street = CellLedger("street-1", {INTERVAL: Cleared(b"s" * 32, 100, {})}, RULE, {})
    assert crossings(empty, [street]) == []


def test_homes_are_dealt_so_that_the_first_street_has_most_sun() -> None:
    homes = load_households("fontana", "summer", homes=5, seed=0, intervals=24)
    streets = dealt(homes, 2)
    needs = [
        sum(sum(home.load[homes.history :]) - sum(home.pv[homes.history :]) for home in street)
        for street in streets
    ]
    assert [len(street) for street in streets] == [2, 2]
    assert needs[0] < needs[1]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"cells": 1}, "--cells"),
        ({"nodes": 0}, "--nodes"),
        ({"loss": 0.5}, "--loss"),
        ({"speed": 3600}, "--speed"),
        ({"data": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_founded(
    asked: dict[str, object], named: str, tmp_path: object
) -> None:
    with pytest.raises(ConfigError, match=named):
        cells_command(data_dir=tmp_path / "cells", **asked)  # type: ignore[operator, arg-type]
