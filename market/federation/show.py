"""A cleared federation as tables for people and as JSON whose numbers are exact decimals.

Energies go in as mWh, money as pico-currency, and come out in kWh and currency. A flow is positive out of a
cell to the one above it.
"""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from market.clear_json import clearing_json
from market.clearing import Clearing
from market.federation.cells_file import CellsFile
from market.federation.federation import FederatedClearing
from market.json_text import json_object
from market.units import kwh_text, money_text, price_text

MAX_ROWS = 200  # of a table on the screen; --json has all


def lost_welfare(cleared: FederatedClearing, together: Clearing) -> int:
    """Welfare less fees that the flat market has more than the cells."""
    return (together.welfare - together.fees) - (cleared.welfare - cleared.fees)


def federation_json(source: CellsFile, cleared: FederatedClearing, together: Clearing) -> str:
    """One JSON object: cells by name, then the sums, what one flat market has, and what was and can be lost.

    A cell has what `wattswarm market clear` prints and, below another one, its transfer: kwh, price and the
    steps of its curve. A flow that is zero has no price.
    """
    cells = {}
    for index, cell in enumerate(source.federation.cells):
        text = clearing_json(source.orders[index], cell.feeder, cleared.cells[index].clearing)
        transfer, curve = cleared.transfers[index], cleared.curves[index]
        if transfer is not None and curve is not None:
            told = json_object(
                {
                    "kwh": kwh_text(transfer.flow),
                    "price": price_text(transfer.price) if transfer.flow else "null",
                    "steps": str(len(curve.keys)),
                    "lost_at_most": money_text(curve.lost),
                }
            )
            text = f'{{"transfer": {told}, {text[1:]}'
        cells[cell.name] = text
    return json_object(
        {
            "cells": json_object(cells),
            "welfare": money_text(cleared.welfare),
            "fees": money_text(cleared.fees),
            "flat_welfare": money_text(together.welfare),
            "flat_fees": money_text(together.fees),
            "lost": money_text(lost_welfare(cleared, together)),
            "lost_at_most": money_text(cleared.lost),
        }
    )


def show_federation(
    console: Console, source: CellsFile, cleared: FederatedClearing, together: Clearing
) -> None:
    """A row per cell, and the totals beside those of one flat market."""
    table = Table(title="Cells")
    for heading in (
        "cell",
        "above",
        "price per kWh",
        "flow up, kWh",
        "transfer price",
        "volume, kWh",
        "steps",
    ):
        table.add_column(heading, justify="left" if heading in {"cell", "above"} else "right")
    for index, cell in enumerate(source.federation.cells[:MAX_ROWS]):
        own, transfer, curve = cleared.cells[index].clearing, cleared.transfers[index], cleared.curves[index]
        local = own.prices[cell.feeder.root]
        above = "" if cell.parent is None else source.federation.cells[cell.parent].name
        table.add_row(
            escape(cell.name),
            escape(above),
            "-" if local is None else price_text(local),
            "" if transfer is None else kwh_text(transfer.flow),
            "-" if transfer is None or not transfer.flow else price_text(transfer.price),
            kwh_text(own.volume),
            "" if curve is None else str(len(curve.keys)),
        )
    console.print(table)
    if len(source.federation.cells) > MAX_ROWS:
        console.print(f"Cells: the first {MAX_ROWS} of {len(source.federation.cells)}; --json shows all.")
    top = cleared.cells[source.federation.top_down[0]].clearing
    if source.federation.top.feeder.grid is not None:
        console.print(f"grid import {kwh_text(top.grid_import)} kWh, export {kwh_text(top.grid_export)} kWh")
    console.print(
        f"welfare {money_text(cleared.welfare)}, rent of binding limits {money_text(cleared.rent)}, "
        f"fees {money_text(cleared.fees)}"
    )
    console.print(
        f"one flat market: welfare {money_text(together.welfare)}, fees {money_text(together.fees)}; "
        f"lost {money_text(lost_welfare(cleared, together))}, at most {money_text(cleared.lost)}"
    )
