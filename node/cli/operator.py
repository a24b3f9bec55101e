"""Shell: `wattswarm cell tariff|deposit`: what the operator says in its own node's feed, left for that node."""

import sys
import time
from pathlib import Path

from cyclopts import App

from ledger.chain.chain import Tip
from ledger.chain.replay import load_chain
from ledger.records.genesis import Role, member_id
from market.cell import EnergyCell
from market.cell_state import CellState
from market.errors import MalformedPayload
from market.payloads import Deposit, Kind, encode_deposit
from market.units import DECIMALS, MONEY_DECIMALS, money_text, price_from_text
from node.errors import InputRefusedError
from node.founding import CARD_FILE
from node.instructions import Instruction
from node.ledger_view import find_member, opened
from node.member_card import read_card
from node.saying.tariffs import SUBJECT, say_tariff
from node.speaking import speaker
from node.spool import Spool


def add_commands(app: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    app.command(tariff)
    app.command(deposit)


def tariff(import_price: str, export_price: str, /, *, node: Path, from_interval: int) -> None:
    """Set the supplier's prices from an interval on whose gate is still open when the next block is made.

    Example: wattswarm cell tariff 0.29 0.05 --from-interval 1994700 --node ./home-1

    Parameters
    ----------
    import_price
        What the supplier takes per kWh.
    export_price
        What it pays per kWh; at most the import price.
    node
        The data directory of the operator's node.
    from_interval
        Index of the first interval: unix time divided by the interval.
    """
    said = say_tariff(speaker(node), import_price, export_price, from_interval)
    sys.stdout.write(f"{said} It waits for the node.\n")


def deposit(member: str, amount: str, /, *, node: Path) -> None:
    """Book money between a member's account and the world outside; a negative amount is a payout.

    Example: wattswarm cell deposit home-3 25.50 --node ./home-1

    Parameters
    ----------
    member
        The member's name, or the start of its id; one that left may still be paid out.
    amount
        Currency units, with at most six decimals.
    node
        The data directory of the operator's node.
    """
    tip = tip_of(node, Role.OPERATOR, SUBJECT)
    receiver = find_member(tip.membership, member, ever=True)
    money = price_from_text(amount) * 10 ** (MONEY_DECIMALS - DECIMALS)
    try:
        payload = encode_deposit(Deposit(receiver.id, money))
    except MalformedPayload as error:
        raise InputRefusedError(str(error)) from error
    # The interval of a deposit is free: here it makes two equal deposits two, and one that is left twice one.
    Spool(node).leave(Instruction(int(Kind.DEPOSIT), time.time_ns(), payload))
    currency = tip.state.rules.currency
    sys.stdout.write(f"{money_text(money)} {currency} for {receiver.name.decode()}. It waits for the node.\n")


def tip_of(node: Path, role: Role, subject: str) -> Tip[CellState]:
    """The tip of the ledger of a node whose member has a role, without which what it says of `subject` is ignored.

    Raises `InputRefusedError` or `ConfigError`.
    """
    card = read_card(node / CARD_FILE)
    with opened(node) as (genesis, store):
        tip = load_chain(store, genesis, EnergyCell())
    own = tip.membership.by_feed_key(bytes.fromhex(card.feed_key)) or tip.membership.by_id(
        member_id(bytes.fromhex(card.feed_key))
    )
    if own is None or not own.roles & role:
        names = [m.name.decode() for m in tip.membership.members if m.roles & role]
        missing = f"this cell has no {(role.name or str(role)).lower()}"
        known = f"those of {', '.join(names)} would" if names else missing
        raise InputRefusedError(f"{node}: what {card.name} says of {subject} does not count; {known}")
    return tip
