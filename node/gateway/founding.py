"""Shell: reads the cell above from its genesis when a cell is founded below it."""

from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InvalidGenesis
from ledger.records.genesis import Genesis, member_id
from market.federation.parent_rule import ParentRule, parent_rule
from market.rules import decode_rules
from node.errors import ConfigError
from node.member_card import MemberCard


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of a cell that is being founded: its interval and its gate's lead, s of cell time."""

    interval_s: int
    gate_lead_s: int


def read_parent(
    path: Path | None, gateway: str | None, above: str | None, members: list[MemberCard], lengths: Lengths
) -> ParentRule | None:
    """The rule of the cell above; None without a path. Raises `ConfigError` with one message per mistake."""
    if path is None:
        if gateway is not None or above is not None:
            raise ConfigError(["--gateway: stands between two cells; name the one above with --parent"])
        return None
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
        rule = parent_rule(genesis, rules.gate_lead_s, gateway if above is None else above, member)
    except (OSError, InvalidGenesis) as error:
        raise ConfigError([f"--parent: {path}: {error}"]) from error
    mistakes = []
    if rules.interval_s != lengths.interval_s:
        mistakes.append(
            f"--interval-s: the parent's intervals have {rules.interval_s} s, and this cell's must be as long"
        )
    if rules.gate_lead_s <= lengths.gate_lead_s:
        mistakes.append(
            f"--gate-lead-s: must be below {rules.gate_lead_s}, the parent's, which has to decide first"
        )
    if mistakes:
        raise ConfigError(mistakes)
    return rule
