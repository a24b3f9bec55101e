"""The tables of `wattswarm market clear`, for people."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from market.clearing import Clearing
from market.feeder import Feeder
from market.mechanisms.result import MarketResult
from market.orders import Order
from market.result_json import unit_price
from market.units import kwh_text, money_text, price_text

MAX_ROWS = 200  # of a table on the screen; --json has all


def show_result(console: Console, feeder: Feeder, result: MarketResult) -> None:
    """Branches (on a feeder), fills, trades, and the totals."""
    if result.clearing is not None:
        _print(console, _branches(feeder, result.clearing), len(feeder.branches))
    filled = [place for place, fill in enumerate(result.fills) if fill]
    fills = Table(title="Fills")
    for heading in ("order", "branch", "side", "kWh", "of kWh", "price per kWh"):
        fills.add_column(heading, justify="right" if "kWh" in heading else "left")
    for place in filled[:MAX_ROWS]:
        order = result.orders[place]
        fills.add_row(
            escape(str(order.id)),
            escape(feeder.branches[order.branch].name),
            order.side.name.lower(),
            kwh_text(result.fills[place]),
            kwh_text(order.quantity),
            price_text(unit_price(order, result.fills[place], result.money[place])),
        )
    _print(console, fills, len(filled))
    if result.trades:
        _print(console, _trades(result), len(result.trades))
    console.print(
        f"{len(filled)} of {len(result.orders)} orders filled, volume {kwh_text(result.volume)} kWh"
    )
    if feeder.grid is not None and result.clearing is not None:
        imported, exported = kwh_text(result.clearing.grid_import), kwh_text(result.clearing.grid_export)
        console.print(f"grid import {imported} kWh, export {exported} kWh")
    if feeder.has_losses and result.clearing is not None:
        kept = money_text(result.clearing.loss_money)
        console.print(f"lost {kwh_text(result.clearing.losses)} kWh; the loss account keeps {kept}")
    console.print(_totals(result))


def _print(console: Console, table: Table, total: int) -> None:
    console.print(table)
    if total > MAX_ROWS:
        console.print(f"{table.title}: the first {MAX_ROWS} of {total}; --json shows all.")


def _branches(feeder: Feeder, clearing: Clearing) -> Table:
    table = Table(title="Branches")
    for heading in ("branch", "price per kWh", "flow to parent, kWh", "limit, kWh"):
        table.add_column(heading, justify="left" if heading == "branch" else "right")
    rows = list(zip(feeder.branches, clearing.prices, clearing.flows, strict=True))
    for branch, price, flow in rows[:MAX_ROWS]:
        limit = "" if branch.limit is None else kwh_text(branch.limit)
        shown = "-" if price is None else price_text(price)
        table.add_row(escape(branch.name), shown, kwh_text(flow), limit)
    return table


def _trades(result: MarketResult) -> Table:
    table = Table(title="Trades")
    for heading in ("bid", "ask", "kWh", "buyer pays per kWh", "seller gets per kWh"):
        table.add_column(heading, justify="right" if "kWh" in heading else "left")
    for trade in result.trades[:MAX_ROWS]:
        table.add_row(
            _name(result.orders[trade.buy]),
            _name(result.orders[trade.sell]),
            kwh_text(trade.energy),
            price_text(trade.price_buy),
            price_text(trade.price_sell),
        )
    return table


def _name(order: Order) -> str:
    return escape(str(order.id))


def _totals(result: MarketResult) -> str:
    welfare = f"welfare {money_text(result.welfare)}"
    if result.clearing is not None:
        fees = f", fees {money_text(result.clearing.fees)}" if result.clearing.fees else ""
        return f"{welfare}, rent of binding limits {money_text(result.clearing.rent)}{fees}"
    prices = ""
    if result.price_buy is not None and result.price_sell is not None:
        prices = (
            f"buyers pay {price_text(result.price_buy)} and sellers get {price_text(result.price_sell)} "
            "per kWh on average, "
        )
    return f"{prices}{welfare}, kept by the market {money_text(result.kept)}"
