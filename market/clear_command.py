"""Shell: `wattswarm market clear`: clears a file of orders, so that anyone can check the auction by hand."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from market.clear_json import clearing_json
from market.clearing import Clearing, clear
from market.errors import FileError, InputError
from market.feeder import Feeder
from market.feeder_file import read_feeder
from market.orders import OrderBook, Side
from market.orders_file import read_orders
from market.terminal import table_console
from market.units import kwh_text, money_text, price_text

MAX_ROWS = 200  # of a table on the screen; --json has all


def clear_command(
    orders: Path,
    /,
    *,
    feeder: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Clear a CSV file of orders and show prices, fills and flows.

    The file's columns are id, member, branch, side (buy or sell), price (per kWh) and kwh:

        id,member,branch,side,price,kwh
        o1,ada,north,buy,0.30,1.5
        o2,ben,south,sell,0.12,2

    Without a feeder file all orders are at one place, named "cell", and the branch column is optional. With
    one, prices may differ by branch where a limit binds. A feeder file, in full:

        [grid]                    # optional; without it the feeder is islanded
        import_price = 0.31       # per kWh
        export_price = 0.04
        import_limit_kwh = 8.0    # per interval
        export_limit_kwh = 8.0

        [branches.substation]     # the root has no parent
        [branches.north]
        parent = "substation"
        limit_kwh = 2.5           # per interval, both directions

    Example: wattswarm market clear orders.csv --feeder feeder.toml --json

    Exit status: 0 cleared; 1 the orders or the feeder have mistakes, each named with its place, and nothing
    is cleared.

    Parameters
    ----------
    orders
        The CSV file of orders.
    feeder
        The TOML file of the feeder.
    as_json
        Print one JSON object instead of tables.
    """
    mistakes: list[str] = []
    tree = Feeder.single()
    if feeder is not None:
        try:
            tree = read_feeder(feeder)
        except FileError as error:
            mistakes += error.mistakes
    names = None if feeder is None else {branch.name: index for index, branch in enumerate(tree.branches)}
    try:
        if not mistakes:
            book = OrderBook.from_orders(read_orders(orders, names))
            clearing = clear(book, tree)
    except FileError as error:
        mistakes += error.mistakes
    except InputError as error:
        mistakes.append(f"{orders}: {error}")
    if mistakes:
        sys.stderr.write("\n".join(mistakes) + "\nNothing was cleared.\n")
        return 1
    if as_json:
        sys.stdout.write(clearing_json(book, tree, clearing) + "\n")
    else:
        _show(table_console(), book, tree, clearing)
    return 0


def _show(console: Console, book: OrderBook, feeder: Feeder, clearing: Clearing) -> None:
    branches = Table(title="Branches")
    for heading in ("branch", "price per kWh", "flow to parent, kWh", "limit, kWh"):
        branches.add_column(heading, justify="left" if heading == "branch" else "right")
    for branch, price, flow in list(zip(feeder.branches, clearing.prices, clearing.flows, strict=True))[
        :MAX_ROWS
    ]:
        limit = "" if branch.limit is None else kwh_text(branch.limit)
        branches.add_row(
            escape(branch.name), "-" if price is None else price_text(price), kwh_text(flow), limit
        )
    fills = Table(title="Fills")
    for heading in ("order", "branch", "side", "kWh", "of kWh", "price per kWh"):
        fills.add_column(heading, justify="right" if "kWh" in heading else "left")
    filled = clearing.fills.nonzero()[0].tolist()
    for place in filled[:MAX_ROWS]:
        branch_index = int(book.branch[place])
        price = clearing.prices[branch_index]
        fills.add_row(
            escape(str(book.ids[place])),
            escape(feeder.branches[branch_index].name),
            Side(int(book.side[place])).name.lower(),
            kwh_text(int(clearing.fills[place])),
            kwh_text(int(book.quantity[place])),
            "-" if price is None else price_text(price),
        )
    console.print(branches)
    console.print(fills)
    for table, total in ((branches, len(feeder.branches)), (fills, len(filled))):
        if total > MAX_ROWS:
            console.print(f"{table.title}: the first {MAX_ROWS} of {total}; --json shows all.")
    console.print(f"{len(filled)} of {len(book)} orders filled, volume {kwh_text(clearing.volume)} kWh")
    if feeder.grid is not None:
        imported, exported = kwh_text(clearing.grid_import), kwh_text(clearing.grid_export)
        console.print(f"grid import {imported} kWh, export {exported} kWh")
    console.print(
        f"welfare {money_text(clearing.welfare)}, rent of binding limits {money_text(clearing.rent)}"
    )
