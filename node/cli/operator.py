"""Shell: `wattswarm cell tariff|deposit`: what the operator says in its own node's feed, left for that node."""

import sys
from pathlib import Path

from cyclopts import App

from node.saying.money import say_deposit
from node.saying.speaking import speaker
from node.saying.tariffs import say_tariff


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
    sys.stdout.write(f"{say_deposit(speaker(node), member, amount)} It waits for the node.\n")
