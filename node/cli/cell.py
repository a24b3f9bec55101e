"""Shell: `wattswarm cell`: found a cell; what changes it later is in `membership.py` and `operator.py`."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import App, Parameter

from ledger.files.directory import GENESIS_FILE
from ledger.records.genesis import Genesis
from ledger.records.validators import TOLERANT_SIZE
from market.emergency.tariff import EmergencyTariff
from market.errors import AmountError, InvalidRules
from market.feeder import Feeder
from market.feeder_file import read_feeder
from market.loss_bearer import LossBearer
from market.rules import TariffStep
from market.units import MONEY_PER_UNIT, NS_PER_S, price_from_text
from node.cli import cell_protocol, dso, emergency, membership, operator, virtual_battery
from node.configuration.tariff_file import load_tariff
from node.errors import ConfigError
from node.founding.founding import MEMBERS_FILE, OPERATOR_KEY_FILE, PASSPHRASE_VARIABLE, CellTerms, found_cell
from node.founding.member_card import MemberCard, read_card
from node.gateway.founding import Above, below

Bearer = Literal["nobody", "account", "community", "dso", "members"]
"""Who bears losses beyond the contracted ones, in words of the command line."""

app = App(name="cell", help="Found a cell, and change who belongs to it.")
membership.add_commands(app)
cell_protocol.add_commands(app)
operator.add_commands(app)
dso.add_commands(app)
emergency.add_commands(app)
virtual_battery.add_commands(app)


@Parameter(name="*")
@dataclass(frozen=True)
class CellAbove:
    """Options of a cell below another one.

    Parameters
    ----------
    parent
        The genesis.cbor of the cell above, if there is one (docs/federation.md).
    gateway
        The member that stands in both cells; needed with a parent.
    gateway_above
        Its name in the cell above, where it is another.
    """

    parent: Path | None = None
    gateway: str | None = None
    gateway_above: str | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class InOutages:
    """Options for outages of the public grid.

    Parameters
    ----------
    former
        A member that may form the grid in an outage; once for each, the first of the rank first (docs/resilience.md).
    emergency_tariff
        What a kWh withdrawn costs and one injected earns in an emergency of the cell; else the supplier's tariff holds.
    """

    former: tuple[str, ...] = ()
    emergency_tariff: tuple[str, str] | None = None

    def prices(self) -> EmergencyTariff | None:
        """The emergency tariff as prices. Raises `ConfigError`."""
        if self.emergency_tariff is None:
            return None
        try:
            return EmergencyTariff(*(price_from_text(each) for each in self.emergency_tariff))
        except (AmountError, InvalidRules) as error:
            raise ConfigError([f"--emergency-tariff: {error}"]) from error


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
    above: CellAbove | None = None,
    outages: InOutages | None = None,
    loss_bearer: Bearer = "nobody",
) -> None:
    """Found a cell from the cards of its members.

    Writes genesis.cbor and members.toml, for every member, and operator.key, which admits members; keep it offline.

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
        CSV of the supplier's prices (from_interval, import_price, export_price per kWh); else the feeder's hold.
    loss_bearer
        Who pays what branches lose beyond the contracts, as the dso meters it at the root (docs/settlement.md).
    """
    members, plan, lost = _read(cards, interval_s), read_feeder(feeder), outages or InOutages()
    founded = CellTerms(
        name=name,
        interval_s=interval_s,
        gate_lead_s=interval_s // 2 if gate_lead_s is None else gate_lead_s,
        currency=currency,
        first_interval=_soon(interval_s) if first_interval is None else first_interval,
        feeder=plan,
        tariff=_tariff(tariff, plan, feeder),
        credit_limit=credit * MONEY_PER_UNIT,
        operator=operator,
        formers=lost.former,
        emergency_tariff=lost.prices(),
        loss_bearer=LossBearer[loss_bearer.upper()],
    )
    over = above or CellAbove()
    terms = below(founded, Above(over.parent, over.gateway, over.gateway_above), members)
    genesis = found_cell(members, terms, directory, passphrase=os.environ.get(PASSPHRASE_VARIABLE))
    sys.stdout.write(_founded(directory, genesis, members))


def _read(cards: tuple[Path, ...], interval_s: int) -> list[MemberCard]:
    """The cards, of which there is one, for an interval that is one. Raises `ConfigError`."""
    if not cards:
        raise ConfigError(["no member cards were given; each member makes one with `wattswarm node init`"])
    if interval_s < 1:
        raise ConfigError([f"--interval-s: an interval has at least one second, not {interval_s}"])
    return [read_card(card) for card in cards]


def _soon(interval_s: int) -> int:
    """The interval after the next one."""
    return time.time_ns() // (interval_s * NS_PER_S) + 2


def _tariff(path: Path | None, feeder: Feeder, feeder_path: Path) -> tuple[TariffStep, ...]:
    """The tariff of its own file, else the grid's prices for ever."""
    if path is not None:
        return load_tariff(path)
    if feeder.grid is None:
        raise ConfigError(
            [f"{feeder_path}: has no [grid]; an islanded cell needs --tariff to settle imbalance"]
        )
    return (TariffStep(0, feeder.grid.import_price, feeder.grid.export_price),)


def _founded(directory: Path, genesis: Genesis, members: list[MemberCard]) -> str:
    validators = sum(card.consensus_key is not None for card in members)
    lines = [
        f"cell {genesis.cell_id.hex()}",
        f"{_count(len(members), 'member')}, {_count(validators, 'validator')}",
        f"Give {directory / GENESIS_FILE} and {directory / MEMBERS_FILE} to every member;",
        f"keep {directory / OPERATOR_KEY_FILE} offline.",
    ]
    if validators < TOLERANT_SIZE:
        verb = "tolerates" if validators == 1 else "tolerate"
        lines.append(
            f"Note: {_count(validators, 'validator')} {verb} no faulty one; "
            f"from {TOLERANT_SIZE} on, one in three may fail."
        )
    return "\n".join(lines) + "\n"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
