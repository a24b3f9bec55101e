"""Shell: `wattswarm market compare`: the same orders under every mechanism, side by side."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from market.comparing.comparison import SHADES, Comparison, compare, members_with_several_orders
from market.comparing.json_form import comparison_json, share
from market.comparing.source import Auctions, read_auctions
from market.errors import InputError
from market.terminal import table_console
from market.units import kwh_text, money_text

MAX_ROWS = 40  # members on the screen; --json has all


def compare_command(
    path: Path,
    /,
    *,
    liars: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Put the mechanisms side by side on the same orders.

    Shown are welfare against the optimum, volume, who gains, what the market keeps, and what a liar gains: a
    member that shades all its limits by 1, 2, 5, 10, 20 or 50 percent, its gain counted at its true limits by
    clearing again.

    All orders of an auction are taken at one place and trade among themselves: branches, limits and the grid
    are left out, because only uniform knows them. The orders of a ledger are those of each block's auction,
    after the cuts to nameplate and collateral, every block verified on the way.

    Example: wattswarm market compare orders.csv

    Exit status: 0 compared; 1 the orders have mistakes, or no ledger holds.

    Parameters
    ----------
    path
        A CSV file of orders as for `wattswarm market clear`, or a node's or a testnet's directory.
    liars
        How many members to try as liars; as many as are quickly done if not given.
    as_json
        Print one JSON object instead of tables.
    """
    try:
        source = read_auctions(path)
        compared = compare(source.auctions, liars)
    except InputError as error:
        sys.stderr.write(f"{error}\nNothing was compared.\n")
        return 1
    if as_json:
        sys.stdout.write(comparison_json(source, compared) + "\n")
    else:
        _show(table_console(), source, compared)
    return 0


def _show(console: Console, source: Auctions, compared: Sequence[Comparison]) -> None:
    orders = sum(len(auction.orders) for auction in source.auctions)
    members = sorted(compared[0].gains, key=str)
    console.print(f"{len(source.auctions)} auctions, {orders} orders, {len(members)} members")
    console.print(_mechanisms(compared))
    console.print(_liars(compared))
    several = members_with_several_orders(source.auctions)
    if several:
        console.print(
            f"{several} members have several orders in one auction: mcafee is truthful for members with one order, "
            "not for these, where one order may set the price of another."
        )
    gains = Table(title="Who gains: each member's gain over not trading")
    gains.add_column("member")
    for row in compared:
        gains.add_column(row.mechanism.value, justify="right")
    for member in members[:MAX_ROWS]:
        gains.add_row(escape(str(member)), *(money_text(row.gains[member]) for row in compared))
    console.print(gains)
    if len(members) > MAX_ROWS:
        console.print(f"The first {MAX_ROWS} of {len(members)} members; --json shows all.")
    console.print("All at one place, without limits and grid, which only uniform knows.")
    if source.as_cleared is not None:
        console.print(
            f"From {source.path}, {source.blocks} blocks verified; as cleared there, on the feeder and with the grid: "
            f"welfare {money_text(source.as_cleared.welfare)}, volume {kwh_text(source.as_cleared.volume)} kWh"
        )


def _mechanisms(compared: Sequence[Comparison]) -> Table:
    table = Table(title="Mechanisms (money in currency)")
    for heading in (
        "mechanism",
        "welfare",
        "of optimum",
        "kWh",
        "of optimum",
        "buyers gain",
        "sellers gain",
        "market keeps",
        "members who gain",
    ):
        table.add_column(heading, justify="left" if heading == "mechanism" else "right")
    optimum = compared[0]
    for row in compared:
        table.add_row(
            row.mechanism.value,
            money_text(row.welfare),
            _percent(row.welfare, optimum.welfare),
            kwh_text(row.volume),
            _percent(row.volume, optimum.volume),
            money_text(row.buyers_gain),
            money_text(row.sellers_gain),
            money_text(row.kept),
            str(sum(gain > 0 for gain in row.gains.values())),
        )
    return table


def _liars(compared: Sequence[Comparison]) -> Table:
    shades = ", ".join(map(str, SHADES))
    table = Table(title=f"Liars: a member alone shades its limits by the best of {shades} %")
    for heading in (
        "mechanism",
        "members tried",
        "who gain by it",
        "mean gain",
        "most gain",
        "member",
        "by %",
    ):
        table.add_column(heading, justify="left" if heading in ("mechanism", "member") else "right")
    for row in compared:
        paying = [lie for lie in row.lies if lie.gain]
        best = max(paying, key=lambda lie: lie.gain, default=None)
        table.add_row(
            row.mechanism.value,
            str(len(row.lies)),
            str(len(paying)),
            money_text(sum(lie.gain for lie in paying) // max(len(row.lies), 1)),
            money_text(0 if best is None else best.gain),
            "-" if best is None else escape(str(best.member)),
            "-" if best is None else str(best.shade),
        )
    return table


def _percent(part: int, whole: int) -> str:
    millionths = share(part, whole)
    return "-" if millionths is None else f"{millionths / 10_000:.2f} %"
