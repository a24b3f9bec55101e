"""Shell: founds a cell and prepares the directories of its nodes.

`init_node` makes one node's keys, configuration and public card; `found_cell` makes a genesis of many cards.
Nothing that exists is ever overwritten.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InvalidGenesis
from ledger.files.directory import CONSENSUS_KEY_FILE, GENESIS_FILE, IDENTITY_KEY_FILE
from ledger.files.keys import create_key
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from market.cell import EnergyCell
from market.emergency.tariff import EmergencyTariff
from market.federation.parent_rule import ParentRule
from market.feeder import Feeder
from market.loss_bearer import LossBearer
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules
from market.units import power_of_energy
from node.configuration.config_file import config_text
from node.errors import ConfigError
from node.founding.member_card import MemberCard, check_card, write_card

PASSPHRASE_VARIABLE = "WATTSWARM_PASSPHRASE"
"""The environment variable with the passphrase of encrypted keys."""
CONFIG_FILE = "node.toml"
CARD_FILE = "member.toml"
NO_KEY = "00" * 32
"""Stands for a key that is not made before everything else is known to be right."""
OPERATOR_KEY_FILE = "operator.key"
MEMBERS_FILE = "members.toml"


@dataclass(frozen=True, slots=True)
class CellTerms:
    """What a founder decides: name, interval and gate (s of cell time), tariff, feeder and credit (pico-currency), and
    the names of the members that may form the grid in an outage, the first of them first.
    """

    name: str
    interval_s: int
    gate_lead_s: int
    currency: str
    first_interval: int
    feeder: Feeder
    tariff: tuple[TariffStep, ...]
    credit_limit: int
    operator: str | None = None
    last_timely_round: int = 2
    parent: ParentRule | None = None
    formers: tuple[str, ...] = ()
    loss_bearer: LossBearer = LossBearer.NOBODY
    emergency_tariff: EmergencyTariff | None = None


def init_node(
    directory: Path, card_fields: dict[str, object], *, validator: bool, passphrase: str | None
) -> MemberCard:
    """Make keys and `member.toml` in `directory`; returns the card.

    Raises `ConfigError`, before anything is written, when one of a node's files exists or a field is wrong.
    """
    check_card({**card_fields, "feed_key": NO_KEY}, "the member's card")
    directory.mkdir(parents=True, exist_ok=True)
    for name in (IDENTITY_KEY_FILE, CONSENSUS_KEY_FILE, CONFIG_FILE, CARD_FILE):
        if (directory / name).exists():
            raise ConfigError([f"{directory / name}: exists already; a node is initialised only once"])
    identity = create_key(directory / IDENTITY_KEY_FILE, passphrase)
    consensus = create_key(directory / CONSENSUS_KEY_FILE, passphrase) if validator else None
    keys = {
        "feed_key": identity.verify_key.encode().hex(),
        "consensus_key": None if consensus is None else consensus.verify_key.encode().hex(),
    }
    card = check_card({**card_fields, **keys}, "the member's card")
    write_card(card, directory / CARD_FILE)
    return card


def found_cell(
    cards: list[MemberCard], terms: CellTerms, directory: Path, *, passphrase: str | None
) -> Genesis:
    """Write `genesis.cbor`, `operator.key` and `members.toml` into `directory`.

    Raises `ConfigError` for cards that contradict each other or the feeder, or when a file exists already.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in (GENESIS_FILE, OPERATOR_KEY_FILE, MEMBERS_FILE):
        if (directory / name).exists():
            raise ConfigError([f"{directory / name}: exists already; a cell is founded only once"])
    _genesis(cards, terms, bytes.fromhex(NO_KEY))
    operator = create_key(directory / OPERATOR_KEY_FILE, passphrase)
    genesis = _genesis(cards, terms, operator.verify_key.encode())
    (directory / GENESIS_FILE).write_bytes(genesis.encode())
    write_addresses(cards, directory / MEMBERS_FILE)
    return genesis


def write_addresses(cards: list[MemberCard], path: Path) -> None:
    """Write where each member may be reached, for `network.members` of every node's configuration."""
    path.write_text(config_text({"peers": {card.name: card.addresses for card in cards}}), "utf-8")


def _genesis(cards: list[MemberCard], terms: CellTerms, operator_key: bytes) -> Genesis:
    """The genesis, checked by the ledger and by the market. Raises `ConfigError`."""
    try:
        rules = _rules(cards, terms)
        genesis = Genesis(
            cell_name=terms.name.encode(),
            first_interval=terms.first_interval,
            last_timely_round=terms.last_timely_round,
            admission_keys=(operator_key,),
            members=tuple(_founder(card, terms) for card in cards),
            application=encode_rules(rules),
        )
        EnergyCell().initial(genesis)
    except InvalidGenesis as error:
        raise ConfigError([f"the cell cannot be founded: {error}"]) from error
    return genesis


def _founder(card: MemberCard, terms: CellTerms) -> FoundingMember:
    roles = Role.PROSUMER
    if card.consensus_key is not None:
        roles |= Role.VALIDATOR
    if card.name == terms.operator:
        roles |= Role.OPERATOR | Role.DSO
    return FoundingMember(
        name=card.name.encode(),
        feed_key=bytes.fromhex(card.feed_key),
        consensus_key=None if card.consensus_key is None else bytes.fromhex(card.consensus_key),
        roles=int(roles),
    )


def _rules(cards: list[MemberCard], terms: CellTerms) -> CellRules:
    names = [branch.name for branch in terms.feeder.branches]
    mistakes = [
        f"member {card.name!r}: branch {card.branch!r} is not in the feeder; it has {', '.join(names)}"
        for card in cards
        if card.branch is not None and card.branch not in names
    ]
    for field in ("name", "feed_key", "consensus_key"):
        known = Counter(getattr(card, field) for card in cards)
        mistakes += [
            f"{count} cards have the {field} {value!r}"
            for value, count in known.items()
            if value is not None and count > 1
        ]
    if terms.operator is not None and terms.operator not in {card.name for card in cards}:
        mistakes.append(f"the operator {terms.operator!r} is not one of the members")
    ids = {card.name: member_id(bytes.fromhex(card.feed_key)) for card in cards}
    mistakes += [
        f"the former {name!r} is not one of the members" for name in terms.formers if name not in ids
    ]
    if mistakes:
        raise ConfigError(mistakes)

    def power(energy: int | None) -> int | None:
        return None if energy is None else power_of_energy(energy, terms.interval_s)

    grid = terms.feeder.grid
    order = terms.feeder.top_down
    position = {index: place for place, index in enumerate(order)}
    members = (
        MemberRule(
            member=member_id(bytes.fromhex(card.feed_key)),
            branch=0 if card.branch is None else position[names.index(card.branch)],
            max_injection_mw=card.max_injection_w * 1000,
            max_withdrawal_mw=card.max_withdrawal_w * 1000,
            credit_limit=terms.credit_limit,
        )
        for card in cards
    )
    return CellRules(
        interval_s=terms.interval_s,
        gate_lead_s=terms.gate_lead_s,
        currency=terms.currency,
        branches=tuple(
            BranchRule(
                branch.name,
                None if branch.parent is None else position[branch.parent],
                power(branch.limit),
                branch.fee,
                branch.loss,
            )
            for branch in (terms.feeder.branches[index] for index in order)
        ),
        grid=None if grid is None else GridRule(power(grid.import_limit), power(grid.export_limit)),
        tariff=terms.tariff,
        members=tuple(sorted(members, key=lambda rule: rule.member)),
        parent=terms.parent,
        formers=tuple(ids[name] for name in terms.formers),
        loss_bearer=terms.loss_bearer,
        emergency_tariff=terms.emergency_tariff,
    )
