"""Shell: another protocol version, proposed with the admission key of a cell's directory and left for the node."""

from pathlib import Path

from ledger.chain.chain import Tip
from ledger.membership.admission import HEIGHTS_AHEAD
from ledger.membership.members import Membership
from ledger.membership.protocol import Reason
from ledger.membership.switching import is_enough, support
from ledger.records.changes import SwitchProtocol
from market.cell_state import CellState
from node.errors import InputRefusedError
from node.saying.announcing import announce

REASONS = {
    Reason.TOO_NEAR: f"it was taken less than {HEIGHTS_AHEAD} blocks before",
    Reason.NOT_NEWER: "a version as new was in force or agreed",
    Reason.TOO_FEW_SUPPORT: "not more than two thirds of the validators knew it",
}


def say_switch(cell: Path, node: Path, passphrase: str | None, version: int, height: int) -> list[str]:
    """Propose a version from the block at a height on; what was left, in words, a line each.

    Raises `InputRefusedError` or `ConfigError`.
    """
    counted: list[tuple[int, int]] = []

    def make(tip: Tip[CellState], expected: Membership) -> SwitchProtocol:
        if version < 1:
            raise InputRefusedError(f"--version: {version} is none; versions begin at 1")
        earliest = earliest_switch(tip)
        if height < earliest:
            raise InputRefusedError(
                f"--height: block {height} is too near: the next block can decide for {earliest} at the earliest;"
                " leave people time to upgrade"
            )
        counted.append(support(expected, version))
        return SwitchProtocol(version, height)

    announced = announce(cell, node, passphrase, make)
    supporters, validators = counted[0]
    lines = [
        f"change {announced.number}: protocol {version} from block {height} on",
        f"It waits for the node. Block {height - HEIGHTS_AHEAD} judges it; see: wattswarm cell versions",
        f"Now {supporters} of {validators} validators know it.",
    ]
    if not is_enough(supporters, validators):
        lines.append("Note: that would not be enough; it is refused unless more are upgraded before.")
    return lines


def earliest_switch(tip: Tip[CellState]) -> int:
    """The first height for which a proposal that the next block takes comes in time."""
    return tip.height + 1 + HEIGHTS_AHEAD
