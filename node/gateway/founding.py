"""Shell: reads the cell above from its genesis when a cell is founded below it."""

from dataclasses import dataclass, replace
from pathlib import Path

from ledger.errors import InvalidGenesis
from ledger.records.genesis import Genesis, member_id
from market.federation.parent_rule import parent_rule
from market.rules import decode_rules
from node.errors import ConfigError
from node.founding.founding import CellTerms
from node.founding.member_card import MemberCard


@dataclass(frozen=True, slots=True)
class Above:
    """The genesis of the cell above, if there is one, the member that stands in both, and its name there."""

    genesis: Path | None
    gateway: str | None
    name_above: str | None = None


def below(terms: CellTerms, above: Above, members: list[MemberCard]) -> CellTerms:
    """The terms with the rule of the cell above. Raises `ConfigError` with one message per mistake."""
    path, gateway = above.genesis, above.gateway
    if path is None:
        if gateway is not None or above.name_above is not None:
            raise ConfigError(["--gateway: stands between two cells; name the one above with --parent"])
        return terms
    if gateway is None:
        raise ConfigError(["--parent: needs --gateway, the member that stands in both cells"])
    card = next((each for each in members if each.name == gateway), None)
    if card is None:
        known = ", ".join(each.name for each in members)
        raise ConfigError([f"--gateway: {gateway!r} is not one of the members, which are {known}"])
    try:
        genesis = Genesis.decode(path.read_bytes())
        rules = decode_rules(genesis.application)
        member = member_id(bytes.fromhex(card.feed_key))
        rule = parent_rule(genesis, rules.gate_lead_s, above.name_above or gateway, member)
    except (OSError, InvalidGenesis) as error:
        raise ConfigError([f"--parent: {path}: {error}"]) from error
    mistakes = []
    if rules.interval_s != terms.interval_s:
        mistakes.append(
            f"--interval-s: the parent's intervals have {rules.interval_s} s, and this cell's must be as long"
        )
    if rules.gate_lead_s <= terms.gate_lead_s:
        mistakes.append(
            f"--gate-lead-s: must be below {rules.gate_lead_s}, the parent's, which has to decide first"
        )
    if mistakes:
        raise ConfigError(mistakes)
    return replace(terms, parent=rule)
