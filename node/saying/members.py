"""Shell: changes of membership, signed with the admission key in a cell's directory and left for the node to say."""

from pathlib import Path

from ledger.records.validators import TOLERANT_SIZE
from node.configuration.config import read_addresses
from node.configuration.config_file import config_text
from node.founding.member_card import MemberCard
from node.saying.announcing import Announced
from node.views.membership_view import change_text


def announced_lines(announced: Announced) -> list[str]:
    """What was left, in words, a line each."""
    validators = announced.expected.validators().size
    lines = [
        f"change {announced.number}: {change_text(announced.change, announced.expected)}",
        f"It waits for the node, and holds from block {announced.height} on at the earliest."
        " See: wattswarm cell status",
    ]
    if validators < TOLERANT_SIZE:
        lines.append(f"Note: then {validators} of the members vote, and no faulty one is tolerated.")
    return lines


def add_addresses(path: Path, card: MemberCard) -> None:
    """Note where the new member may be reached, in the file that the founder gives to every member."""
    if card.addresses:
        peers = {**read_addresses(path), card.name: card.addresses}
        path.write_text(config_text({"peers": peers}), "utf-8")
