"""Founding: what a founder's cell becomes, and that nothing is overwritten or half written."""

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from ledger.records.genesis import Genesis, Role, member_id
from market.cell import EnergyCell
from market.emergency.tariff import EmergencyTariff
from market.feeder import Branch, Feeder, Grid
from market.rules import TariffStep, decode_rules
from node.cli.cell import InOutages
from node.errors import ConfigError
from node.founding.founding import CARD_FILE, CellTerms, found_cell, init_node
from node.founding.member_card import MemberCard, read_card

BRANCHES = {"substation": None, "north": "substation", "roof": "north"}
LIMITS = {"substation": None, "north": 2_500_000, "roof": 1_000_000}


def feeder(order: Sequence[str] = tuple(BRANCHES), grid: Grid | None = None) -> Feeder:
    """The same tree, its branches written in any order."""
    branches = [
        Branch(name, None if BRANCHES[name] is None else order.index(str(BRANCHES[name])), LIMITS[name])
        for name in order
    ]
    return Feeder(tuple(branches), grid)


def terms(**changes: object) -> CellTerms:
    fields: dict[str, object] = {
        "name": "our street",
        "interval_s": 900,
        "gate_lead_s": 450,
        "currency": "EUR",
        "first_interval": 100,
        "feeder": feeder(),
        "tariff": (TariffStep(0, 310_000, 40_000),),
        "credit_limit": 10**14,
    }
    return CellTerms(**{**fields, **changes})  # type: ignore[arg-type]


def card(index: int, **changes: object) -> MemberCard:
    fields: dict[str, object] = {
        "name": f"home-{index}",
        "feed_key": bytes([index]).hex() * 32,
        "consensus_key": bytes([100 + index]).hex() * 32,
        "branch": "north",
        "addresses": (f"/ip4/192.0.2.{index}/tcp/9400",),
    }
    return MemberCard.model_validate({**fields, **changes})


CARDS = [card(1), card(2, branch="roof"), card(3, branch=None, consensus_key=None)]


def found(directory: Path, cards: list[MemberCard] = CARDS, **changes: object) -> Genesis:
    return found_cell(cards, terms(**changes), directory, passphrase=None)


def test_the_genesis_that_is_written_is_the_one_that_was_founded_and_the_market_takes_it(
    tmp_path: Path,
) -> None:
    genesis = found(tmp_path)
    again = Genesis.decode((tmp_path / "genesis.cbor").read_bytes())
    assert again == genesis
    assert EnergyCell().initial(again).last_interval == 99


def test_members_vote_when_their_card_has_a_consensus_key(tmp_path: Path) -> None:
    roles = {member.name: member.roles for member in found(tmp_path).members}
    assert roles[b"home-1"] == Role.PROSUMER | Role.VALIDATOR
    assert roles[b"home-3"] == Role.PROSUMER


def test_the_operator_is_also_the_dso_and_nobody_else_is(tmp_path: Path) -> None:
    genesis = found(tmp_path, operator="home-2")
    assert [member.name for member in genesis.members if member.roles & Role.OPERATOR] == [b"home-2"]
    assert [member.name for member in genesis.members if member.roles & Role.DSO] == [b"home-2"]


def test_the_rank_of_formers_is_as_the_founder_says(tmp_path: Path) -> None:
    genesis = found(tmp_path, formers=("home-3", "home-1"))
    named = {member_id(member.feed_key): member.name for member in genesis.members}
    assert [named[each] for each in decode_rules(genesis.application).formers] == [b"home-3", b"home-1"]
    with pytest.raises(ConfigError, match="the former 'home-9' is not one of the members"):
        found(tmp_path / "other", formers=("home-9",))


@pytest.mark.parametrize("order", list(permutations(BRANCHES)), ids=",".join)
def test_a_feeder_may_name_its_branches_in_any_order(tmp_path: Path, order: tuple[str, ...]) -> None:
    rules = decode_rules(found(tmp_path, feeder=feeder(order)).application)
    names = [branch.name for branch in rules.branches]
    parents = {
        branch.name: None if branch.parent is None else names[branch.parent] for branch in rules.branches
    }
    assert parents == BRANCHES
    assert {branch.name: branch.limit_mw for branch in rules.branches}["north"] == 4 * 2_500_000
    places = {rule.member: names[rule.branch] for rule in rules.members}
    assert sorted(places.values()) == ["north", "roof", "substation"]


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    found(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match="founded only once"):
        found(tmp_path, name="another")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("cards", "changes", "message"),
    [
        (
            [card(1, branch="south")],
            {},
            "branch 'south' is not in the feeder; it has substation, north, roof",
        ),
        ([card(1)], {"operator": "home-9"}, "'home-9' is not one of the members"),
        ([card(1), card(2, name="home-1")], {}, "2 cards have the name 'home-1'"),
        ([card(1), card(1, name="other", consensus_key=None)], {}, "2 cards have the feed_key"),
        ([card(1), card(2, consensus_key=card(1).consensus_key)], {}, "2 cards have the consensus_key"),
        ([card(1, consensus_key=None)], {}, "no member is a validator"),
        ([card(1)], {"gate_lead_s": 901}, "gate_lead_s"),
        ([card(1)], {"tariff": (TariffStep(0, 1, 2),)}, "tariff"),
    ],
)
def test_a_contradiction_is_named_and_nothing_is_written(
    tmp_path: Path, cards: list[MemberCard], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        found(tmp_path, cards, **changes)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        found(tmp_path, [card(1, branch="x"), card(2, branch="y")], operator="z")
    assert len(caught.value.mistakes) == 3


def test_a_new_node_has_keys_of_its_own_and_a_card_that_reads_back(tmp_path: Path) -> None:
    made = init_node(tmp_path, {"name": "home-1", "branch": "north"}, validator=True, passphrase=None)
    assert read_card(tmp_path / CARD_FILE) == made
    assert made.consensus_key is not None and made.consensus_key != made.feed_key
    for key in ("identity.key", "consensus.key"):
        assert (tmp_path / key).stat().st_mode & 0o777 == 0o600


def test_a_node_that_does_not_vote_has_no_consensus_key(tmp_path: Path) -> None:
    assert init_node(tmp_path, {"name": "home-1"}, validator=False, passphrase=None).consensus_key is None
    assert not (tmp_path / "consensus.key").exists()


def test_a_node_is_made_only_once(tmp_path: Path) -> None:
    init_node(tmp_path, {"name": "home-1"}, validator=True, passphrase=None)
    before = (tmp_path / "identity.key").read_bytes()
    with pytest.raises(ConfigError, match="initialised only once"):
        init_node(tmp_path, {"name": "home-1"}, validator=True, passphrase=None)
    assert (tmp_path / "identity.key").read_bytes() == before


def test_a_node_with_wrong_fields_is_not_begun(tmp_path: Path) -> None:
    fields: dict[str, object] = {"name": "", "max_injection_w": -1, "addresses": ("nowhere",)}
    with pytest.raises(ConfigError) as caught:
        init_node(tmp_path / "new", fields, validator=True, passphrase=None)
    assert len(caught.value.mistakes) == 3
    assert not (tmp_path / "new").exists()


def test_an_emergency_has_the_tariff_that_the_founder_says(tmp_path: Path) -> None:
    priced = found(tmp_path, emergency_tariff=EmergencyTariff(450_000, 20_000))
    assert decode_rules(priced.application).emergency_tariff == EmergencyTariff(450_000, 20_000)
    assert decode_rules(found(tmp_path / "other").application).emergency_tariff is None
    assert InOutages(emergency_tariff=("0.45", "-0.02")).prices() == EmergencyTariff(450_000, -20_000)
    for wrong in (("0.02", "0.45"), ("much", "0.02")):
        with pytest.raises(ConfigError, match="--emergency-tariff"):
            InOutages(emergency_tariff=wrong).prices()
