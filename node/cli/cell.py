"""Shell: `wattswarm cell`: found a cell."""

import os
import sys
from pathlib import Path

from cyclopts import App

from market.rules import TariffStep
from market.units import MONEY_PER_UNIT, NS_PER_S
from node.cli.node import PASSPHRASE_VARIABLE
from node.errors import ConfigError
from node.founding import MEMBERS_FILE, OPERATOR_KEY_FILE, CellTerms, found_cell
from node.member_card import read_card

app = App(name="cell", help="Found a cell: members, tariff and feeder into one genesis.")


@app.command
def init(
    directory: Path,
    /,
    *cards: Path,
    feeder: Path,
    name: str = "cell",
    interval_s: int = 900,
    gate_lead_s: int | None = None,
    currency: str = "EUR",
    first_interval: int | None = None,
    credit: int = 100,
    operator: str | None = None,
    tariff: Path | None = None,
) -> None:
    """Found a cell from the cards of its members.

    Writes genesis.cbor (its hash is the cell's id), members.toml (addresses) and operator.key (admits members; keep it
    offline) into DIRECTORY. Give genesis.cbor and members.toml to every member.

    Example: wattswarm cell init ./cell home-*/member.toml --feeder feeder.toml --operator home-1

    Parameters
    ----------
    directory
        Where to write; nothing that exists is overwritten.
    cards
        The member.toml of every founding member.
    feeder
        Branches with limits and the grid connection with its prices, as for `wattswarm market clear`.
    name
        The cell's name.
    interval_s
        Length of a delivery interval, s.
    gate_lead_s
        How long before an interval its gate closes, s; half an interval if not given.
    currency
        Currency code.
    first_interval
        Index of the first interval (unix time divided by the interval); the one after next if not given.
    credit
        How far a member's account may go below zero, in whole currency units.
    operator
        The member that may set the tariff and, as dso, branch limits.
    tariff
        CSV of the supplier's prices over time with the columns from_interval, import_price, export_price (per kWh);
        without it the grid's prices in the feeder file hold always.
    """
    import time

    from market.feeder_file import read_feeder
    from node.tariff_file import load_tariff

    if not cards:
        raise ConfigError(["no member cards were given; each member makes one with `wattswarm node init`"])
    plan = read_feeder(feeder)
    if plan.grid is None and tariff is None:
        raise ConfigError([f"{feeder}: has no [grid]; an islanded cell needs --tariff to settle imbalance"])
    if tariff is not None:
        steps = load_tariff(tariff)
    else:
        assert plan.grid is not None
        steps = (TariffStep(0, plan.grid.import_price, plan.grid.export_price),)
    if first_interval is None:
        first_interval = time.time_ns() // (interval_s * NS_PER_S) + 2
    terms = CellTerms(
        name=name,
        interval_s=interval_s,
        gate_lead_s=interval_s // 2 if gate_lead_s is None else gate_lead_s,
        currency=currency,
        first_interval=first_interval,
        feeder=plan,
        tariff=steps,
        credit_limit=credit * MONEY_PER_UNIT,
        operator=operator,
    )
    members = [read_card(card) for card in cards]
    genesis = found_cell(members, terms, directory, passphrase=os.environ.get(PASSPHRASE_VARIABLE))
    validators = sum(card.consensus_key is not None for card in members)
    sys.stdout.write(
        f"cell {genesis.cell_id.hex()}\n{len(members)} members, {validators} validators\n"
        f"Give {directory / 'genesis.cbor'} and {directory / MEMBERS_FILE} to every member; keep "
        f"{directory / OPERATOR_KEY_FILE} offline.\n"
    )
    if validators < 4:
        sys.stdout.write(
            f"Note: {validators} validators tolerate no faulty one among them; from four on, one in three may fail.\n"
        )
