"""Shell: `wattswarm devices advice|use`: what the hub has learned of a home, in plain words, and who may see it."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from devices.hub.home_use import HomeUse
from devices.hub.privacy import Audience
from market.cell_state import CellState
from market.terminal import table_console
from market.units import NS_PER_S
from node.configuration.config import Config, load_config
from node.errors import InputRefusedError
from node.exit_codes import ExitCode
from node.views.home_view import NO_PRICES, HomeView, home_view, read_home, retail_by_hour
from node.views.ledger_view import tip_of

Json = Annotated[bool, Parameter(name="--json", negative="")]


def add_commands(app: App) -> None:
    """Give `wattswarm devices` the commands of this module."""
    app.command(advice)
    app.command(use)


def advice(config: Path, /, *, as_json: Json = False) -> None:
    """Say what this home could save: what to shift, what runs for nothing, what could move to direct current.

    From the usual day of every circuit and socket that is watched, at the supplier's prices of the 24 hours after what
    was kept last; without a ledger there is energy and no money. Hours are of UTC. Kept at the end of a quarter of
    an hour. Exit status 1 when nothing is kept yet.

    Example: wattswarm devices advice ./home-7/node.toml

    Parameters
    ----------
    config
        The node's configuration file.
    as_json
        Print one JSON object: `advice`, `circuits`, `prices` of each hour of the UTC day, `currency`.
    """
    settings = load_config(config)
    kept = _kept(settings)
    found = _branch(settings)
    prices = NO_PRICES if found is None else retail_by_hour(*found, kept.now_ns)
    view = home_view(kept, prices)
    currency = "" if found is None else found[0].rules.currency
    if as_json:
        table = {
            "advice": [asdict(each) | {"topic": each.topic.value} for each in view.advice],
            "circuits": [asdict(each) for each in view.circuits],
            "prices": None if found is None else list(prices),
            "currency": currency or None,
        }
        sys.stdout.write(json.dumps(table) + "\n")
        return
    _print(view, currency)


def use(config: Path, /, *, seen_by: Audience = Audience.OWNER, as_json: Json = False) -> None:
    """Show the demand of this home as `[site.privacy]` lets it be seen: by its owner's programs, or by the cell.

    Only periods that are over and known as a whole. Exit status 1 when nothing is kept yet.

    Example: wattswarm devices use ./home-7/node.toml --seen-by cell

    Parameters
    ----------
    config
        The node's configuration file.
    seen_by
        As whom to look.
    as_json
        Print one JSON object: `audience` and `rows` with `owner`, `name` (empty for a total), `start_ns`,
        `resolution_s` and `energy_wh`.
    """
    settings = load_config(config)
    rows = _kept(settings).released(settings.site.privacy.policy(settings.node.name), seen_by)
    if as_json:
        sys.stdout.write(
            json.dumps({"audience": seen_by.value, "rows": [asdict(row) for row in rows]}) + "\n"
        )
        return
    if not rows:
        sys.stdout.write(
            f"nothing may be seen by the {seen_by.value}, or no period is known as a whole yet\n"
        )
        return
    table = Table("from (UTC)", "minutes", "circuit", "Wh")
    for row in rows:
        name = row.name or "all together"
        start = f"{datetime.fromtimestamp(row.start_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M}"
        table.add_row(start, str(row.resolution_s // 60), name, f"{row.energy_wh:.1f}")
    table_console().print(table)


def _kept(config: Config) -> HomeUse:
    kept = read_home(config.directory)
    if kept is None:
        sys.stderr.write(
            f"{config.directory}: nothing is kept yet; a node with circuits, switches, lighting or sockets among its "
            "[[site.ders]] writes it when a quarter of an hour has ended, and when it stops\n"
        )
        sys.exit(ExitCode.FAILED)
    return kept


def _branch(config: Config) -> tuple[CellState, int] | None:
    """The cell as the node's ledger has it, and the node's branch; None where it has no ledger or meter there yet."""
    try:
        tip = tip_of(config.directory)
    except InputRefusedError:
        return None
    name = config.node.name
    member = next((each for each in tip.membership.everyone if each.name.decode() == name), None)
    rule = None if member is None else tip.state.rules.member(member.id)
    return None if rule is None else (tip.state, rule.branch)


def _print(view: HomeView, currency: str) -> None:
    for each in view.advice:
        money = f"{each.saves_money:.2f} {currency} a year" if currency and each.saves_money >= 0.005 else ""
        sys.stdout.write(f"- {each.text}{f' Saves {money}.' if money else ''}\n")
    if not view.advice:
        sys.stdout.write("nothing to advise by what is known\n")
    young = [each.name for each in view.circuits if not each.whole_day]
    if young:
        sys.stdout.write(f"not watched for a whole day yet: {', '.join(young)}\n")
