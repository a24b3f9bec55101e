"""The rules of a cell and their strict encoding."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Value, decode, encode
from ledger.errors import InvalidGenesis
from market.emergency.tariff import EmergencyTariff
from market.errors import InvalidRules
from market.loss_bearer import LossBearer
from market.rules import (
    BranchLimit,
    BranchRule,
    CellRules,
    GridRule,
    MemberRule,
    TariffStep,
    decode_rules,
    encode_rules,
)

RULES = CellRules(
    interval_s=1800,
    gate_lead_s=300,
    currency="EUR",
    branches=(
        BranchRule("substation"),
        BranchRule("north", 0, 4_000_000),
        BranchRule("south", 0, 7_000_001, 12_000),
    ),
    grid=GridRule(20_000_000, None),
    tariff=(TariffStep(0, 310_000, 40_000), TariffStep(10, 250_000, 40_000), TariffStep(20, 410_000, -5)),
    members=(
        MemberRule(b"a" * 32, 1, 5_000_000, 9_000_000, 10**13),
        MemberRule(b"b" * 32, 2, 0, 9_000_000, 10**25),
    ),
)


def test_rules_survive_the_genesis() -> None:
    signed = encode(encode_rules(RULES))
    application = decode(signed, max_bytes=10**6)
    assert isinstance(application, tuple)
    assert decode_rules(application) == RULES


def test_what_is_optional_survives_in_every_combination() -> None:
    for formers in ((), (b"a" * 32,)):
        for bearer, emergency in product(LossBearer, (None, EmergencyTariff(450, -20))):
            rules = replace(RULES, formers=formers, loss_bearer=bearer, emergency_tariff=emergency)
            assert decode_rules(encode_rules(rules)) == rules


def test_a_rank_of_formers_survives_and_is_left_out_where_there_is_none() -> None:
    ranked = replace(RULES, formers=(b"b" * 32, b"a" * 32))
    assert decode_rules(encode_rules(ranked)) == ranked
    assert len(encode_rules(RULES)) == 11 and len(encode_rules(ranked)) == 13
    with pytest.raises(InvalidRules, match="formers"):
        decode_rules((*encode_rules(RULES), None, ()))
    with pytest.raises(InvalidRules, match=r"formers\[0\]"):
        decode_rules((*encode_rules(RULES), None, (7,)))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"formers": (b"a" * 32, b"a" * 32)}, "formers"),
        ({"formers": (b"a",)}, "formers"),
        ({"formers": tuple(bytes([n]) * 32 for n in range(65))}, "formers"),
        ({"interval_s": 0}, "interval_s"),
        ({"gate_lead_s": 1801}, "gate_lead_s"),
        ({"currency": ""}, "currency"),
        ({"branches": ()}, "branches"),
        ({"branches": (BranchRule("a", 0),)}, r"branches\[0\].parent"),
        ({"branches": (BranchRule("a"), BranchRule("a", 0))}, r"branches\[1\].name"),
        ({"branches": (BranchRule("a"), BranchRule("b", 1))}, r"branches\[1\].parent"),
        ({"branches": (BranchRule("a", None, -1),)}, r"branches\[0\].limit_mw"),
        ({"branches": (BranchRule("a", None, None, -1),)}, r"branches\[0\].fee"),
        ({"grid": GridRule(-1)}, "grid.import_limit_mw"),
        ({"tariff": ()}, "tariff"),
        ({"tariff": (TariffStep(0, 1, 2),)}, r"tariff\[0\].export_price"),
        ({"tariff": (TariffStep(5, 2, 1), TariffStep(5, 2, 1))}, r"tariff\[1\].from_interval"),
        ({"members": (MemberRule(b"a", 0, 1, 1, 0),)}, r"members\[0\].member"),
        ({"members": (MemberRule(b"a" * 32, 3, 1, 1, 0),)}, r"members\[0\].branch"),
        ({"members": (MemberRule(b"a" * 32, 0, -1, 1, 0),)}, r"members\[0\].max_injection_mw"),
        ({"members": (MemberRule(b"a" * 32, 0, 1, 10**13, 0),)}, r"members\[0\].max_withdrawal_mw"),
        ({"members": (MemberRule(b"a" * 32, 0, 1, 1, -1),)}, r"members\[0\].credit_limit"),
        ({"order_horizon": 0}, "order_horizon"),
    ],
)
def test_an_error_names_the_field(change: dict[str, object], where: str) -> None:
    with pytest.raises(InvalidRules, match=where) as caught:
        replace(RULES, **change)  # type: ignore[arg-type]
    assert isinstance(caught.value, InvalidGenesis)


VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=12).map(tuple))
def test_no_value_decodes_to_anything_but_rules_or_a_named_error(application: tuple[Value, ...]) -> None:
    with pytest.raises(InvalidRules):
        decode_rules(application)


@given(st.integers(0, 10), VALUES)
def test_a_replaced_field_is_an_error_or_a_rule_that_encodes_to_itself(position: int, value: Value) -> None:
    fields = list(encode_rules(RULES))
    fields[position] = value
    try:
        rules = decode_rules(tuple(fields))
    except InvalidRules:
        return
    assert encode_rules(rules) == tuple(fields)


def test_the_latest_tariff_step_holds_and_an_override_wins_a_tie() -> None:
    overrides = (TariffStep(10, 1, 0), TariffStep(15, 2, 0))
    assert [RULES.tariff_at(interval).import_price for interval in (0, 9, 10, 25)] == [
        310_000,
        310_000,
        250_000,
        410_000,
    ]
    found = [RULES.tariff_at(interval, overrides).import_price for interval in (9, 10, 14, 15, 20)]
    assert found == [310_000, 1, 1, 2, 410_000]


def test_the_feeder_has_energies_and_the_lowest_limit() -> None:
    limits = (BranchLimit(1, 5, 6, 1_000_000), BranchLimit(1, 6, 9, 800_000), BranchLimit(0, 6, 6, 3))
    plain, lowered = RULES.feeder_for(4, limits), RULES.feeder_for(6, limits)
    assert [branch.limit for branch in plain.branches] == [None, 2_000_000, 3_500_000]
    assert [branch.limit for branch in lowered.branches] == [1, 400_000, 3_500_000]
    assert plain.grid is not None
    assert (plain.grid.import_price, plain.grid.import_limit) == (310_000, 10_000_000)
    assert (plain.grid.export_price, plain.grid.export_limit) == (40_000, None)


def test_an_islanded_cell_has_a_tariff_but_no_grid() -> None:
    islanded = replace(RULES, grid=None)
    assert islanded.feeder_for(0).grid is None
    assert islanded.tariff_at(0).import_price == 310_000
    assert decode_rules(encode_rules(islanded)) == islanded


def test_a_branch_without_a_fee_is_written_as_before_there_were_fees() -> None:
    branches = encode_rules(RULES)[4]
    assert isinstance(branches, tuple)
    assert branches[1] == (b"north", 0, 4_000_000)
    assert branches[2] == (b"south", 0, 7_000_001, 12_000)
    fields = list(encode_rules(RULES))
    fields[4] = (*branches[:2], (b"south", 0, 7_000_001, 0))
    with pytest.raises(InvalidRules, match=r"branches\[2\].fee is zero"):
        decode_rules(tuple(fields))


def test_the_tariff_reaches_a_branch_with_all_fees_up_to_the_grid() -> None:
    fees = (BranchRule("root", None, None, 5), BranchRule("a", 0, None, 20), BranchRule("b", 1, None, 100))
    rules = replace(RULES, branches=fees)
    tariff = TariffStep(7, 300_000, 40_000)
    reached = [
        (step.import_price, step.export_price) for step in (rules.tariff_on(b, tariff) for b in range(3))
    ]
    assert reached == [(300_005, 39_995), (300_025, 39_975), (300_125, 39_875)]
    assert RULES.tariff_on(1, tariff) is tariff
    assert [branch.fee for branch in rules.feeder_for(0).branches] == [5, 20, 100]
