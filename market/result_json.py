"""A result at one place as JSON text whose numbers are exact decimals, in the manner of `clear_json`."""

import json

from market.feeder import PLACE
from market.json_text import json_list, json_object
from market.mechanisms.result import MarketResult
from market.orders import Order, Side
from market.units import kwh_text, money_text, price_text


def result_json(result: MarketResult) -> str:
    """One JSON object: the keys of a uniform clearing, and mechanism, price_buy, price_sell, kept, trades.

    Fills ascend by id; trades are in the order in which they were made.
    """
    one_price = result.price_buy if result.price_buy == result.price_sell else None
    by_id = sorted(range(len(result.orders)), key=lambda place: str(result.orders[place].id))
    fills = (
        json_object(
            {
                "id": _text(result.orders[place]),
                "kwh": kwh_text(result.fills[place]),
                "price": price_text(
                    unit_price(result.orders[place], result.fills[place], result.money[place])
                ),
                "money": money_text(result.money[place]),
            }
        )
        for place in by_id
        if result.fills[place]
    )
    trades = (
        json_object(
            {
                "buy": _text(result.orders[trade.buy]),
                "sell": _text(result.orders[trade.sell]),
                "kwh": kwh_text(trade.energy),
                "price_buy": price_text(trade.price_buy),
                "price_sell": price_text(trade.price_sell),
            }
        )
        for trade in result.trades
    )
    return json_object(
        {
            "mechanism": json.dumps(result.mechanism.value),
            "prices": json_object({PLACE: _price(one_price)}),
            "price_buy": _price(result.price_buy),
            "price_sell": _price(result.price_sell),
            "volume_kwh": kwh_text(result.volume),
            "welfare": money_text(result.welfare),
            "kept": money_text(result.kept),
            "fills": json_list(fills),
            "trades": json_list(trades),
            "flows": json_object({PLACE: kwh_text(0)}),
            "grid_import_kwh": kwh_text(0),
            "grid_export_kwh": kwh_text(0),
        }
    )


def unit_price(order: Order, energy: int, money: int) -> int:
    """What a fill cost or brought per kWh, µ: money through energy, rounded up for a buyer, down for a seller."""
    return -(money // energy) if order.side is Side.BUY else money // energy


def _price(price: int | None) -> str:
    return "null" if price is None else price_text(price)


def _text(order: Order) -> str:
    return json.dumps(str(order.id))
