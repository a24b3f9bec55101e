"""Shell: what a command on a node's machine needs to say something in that node's feed: its ledger's tip, who it is,
and what time it is in the cell.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from devices.cell_clock import ClockSpec
from ledger.chain.chain import Tip
from ledger.encoding import Value
from ledger.membership.members import Member
from ledger.records.genesis import Role, member_id
from market.cell_state import CellState
from market.payloads import Kind
from market.rules import CellRules
from node.configuration.config import load_config, with_clock_file
from node.errors import InputRefusedError
from node.founding.founding import CARD_FILE, CONFIG_FILE
from node.founding.member_card import read_card
from node.instructions import Instruction
from node.saying.spool import Spool
from node.views.ledger_view import tip_of


@dataclass(frozen=True, slots=True)
class Speaker:
    """A node that a command speaks for: its directory, its member, and the cell as its ledger has it."""

    directory: Path
    member: Member
    tip: Tip[CellState]

    @property
    def rules(self) -> CellRules:
        """The cell's rules."""
        return self.tip.state.rules

    def require(self, role: Role, what: str) -> None:
        """Raise `InputRefusedError` unless the node's member has the role."""
        if self.member.roles & role:
            return
        names = [m.name.decode() for m in self.tip.membership.members if m.roles & role]
        missing = " or ".join(each.name or "" for each in Role if each & role).lower()
        known = f"those of {', '.join(names)} would" if names else f"this cell has no {missing}"
        name = self.member.name.decode()
        raise InputRefusedError(f"{self.directory}: what {name} says of {what} does not count; {known}")

    def leave(self, kind: Kind, interval: int, payload: tuple[Value, ...]) -> None:
        """Leave an entry for the daemon to sign. Raises `InputRefusedError` or OSError."""
        Spool(self.directory).leave(Instruction(int(kind), interval, payload))


def speaker(node: Path) -> Speaker:
    """The node in a directory. Raises `InputRefusedError` or `ConfigError`."""
    card = read_card(node / CARD_FILE)
    tip = tip_of(node)
    key = bytes.fromhex(card.feed_key)
    own = tip.membership.by_feed_key(key) or tip.membership.by_id(member_id(key))
    if own is None:
        raise InputRefusedError(f"{node}: {card.name} is no member of this cell")
    return Speaker(node, own, tip)


def cell_time_ns(node: Path) -> int:
    """Cell time now, by the clock in the node's configuration. Raises `ConfigError`."""
    clock = with_clock_file(load_config(node / CONFIG_FILE)).clock
    return ClockSpec(clock.start_wall_ns, clock.epoch_ns, clock.speed).cell_ns(time.time_ns())


def branch_index(rules: CellRules, name: str) -> int:
    """The branch of this name. Raises `InputRefusedError` naming those that there are."""
    names = [branch.name for branch in rules.branches]
    if name not in names:
        raise InputRefusedError(f"--branch: {name!r} is not in the feeder; it has {', '.join(names)}")
    return names.index(name)
