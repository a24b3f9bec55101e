"""The curves of all homes at once: what market/bidding.py and market/bidders/ make of one home, on arrays.

Energies are mWh, prices µ/kWh. In `Bids` a home has a row of purchases and then as many sales, of which those with no
quantity are no orders; the strategies here have three each, and `optimising` is in lookahead.py. `net_curves` is
`market.bidding.net_curve` for a must-run energy, one purchase and one sale of storage; the strategies give the prices.
A test holds each against the bidder that it stands for.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.bidders.strategies import Strategy
from market.bidding import PRICE_TICK
from market.forecast import PriceForecast
from market.orders import Side

IntArray = npt.NDArray[np.int64]
PURCHASES = 3
"""Columns of a plain strategy that are purchases; as many sales follow."""
PLAIN = (Strategy.ZERO_INTELLIGENCE, Strategy.TRUTHFUL, Strategy.THRESHOLD)
"""The strategies that look at nothing but this interval and the prices of the last days."""
STRATEGIES = (*PLAIN, Strategy.OPTIMISING)
"""What exists on arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """What each home expects: must-run net energy (injection positive) and what its battery can do, both >= 0."""

    must_run: IntArray
    charge: IntArray
    discharge: IntArray
    efficiency_ppm: int


@dataclass(frozen=True, slots=True, eq=False)
class Bids:
    """Prices and quantities by home and column: purchases, then as many sales."""

    price: IntArray
    quantity: IntArray

    def orders(self) -> tuple[IntArray, IntArray, IntArray, npt.NDArray[np.int8]]:
        """Home, price, quantity and side of every order, by home and then by column."""
        home, column = np.nonzero(self.quantity)
        side = np.where(column < self.price.shape[1] // 2, Side.BUY.value, Side.SELL.value).astype(np.int8)
        return home, self.price[home, column], self.quantity[home, column], side


def bids_of(
    strategy: Strategy,
    needs: Needs,
    forecast: PriceForecast,
    prices: tuple[int, int],
    draw: np.random.Generator,
) -> Bids:
    """The curves of all homes by one strategy; `prices` are import and export price, `draw` is for ZI-C."""
    if strategy is Strategy.THRESHOLD:
        return _threshold(needs, forecast, *prices)
    if strategy is Strategy.TRUTHFUL:
        return _truthful(needs, forecast, *prices)
    if strategy is Strategy.ZERO_INTELLIGENCE:
        return zero_intelligence(
            needs, draw.integers(prices[1], prices[0] + 1, (3, len(needs.must_run))), *prices
        )
    raise ValueError(f"{strategy.value} is not plain: it looks ahead")


def _threshold(needs: Needs, forecast: PriceForecast, import_price: int, export_price: int) -> Bids:
    """`market.bidding.SimpleBidder`."""
    discharge = max(forecast.high, export_price + PRICE_TICK)
    pays_back = discharge * needs.efficiency_ppm // 1_000_000
    charge = min(forecast.low, pays_back - PRICE_TICK, discharge - PRICE_TICK, import_price)
    return net_curves(
        needs, charge, discharge, import_price - PRICE_TICK, export_price + PRICE_TICK, import_price
    )


def _truthful(needs: Needs, forecast: PriceForecast, import_price: int, export_price: int) -> Bids:
    """`market.bidders.truthful.TruthfulBidder`."""
    one_way = math.sqrt(max(needs.efficiency_ppm, 1) / 1_000_000)
    worth = min(import_price, max(export_price, (forecast.low + forecast.high) / 2))
    charge, discharge = math.floor(worth * one_way) - PRICE_TICK, math.ceil(worth / one_way)
    return net_curves(needs, charge, discharge, import_price, export_price, import_price)


def zero_intelligence(needs: Needs, drawn: IntArray, import_price: int, export_price: int) -> Bids:
    """`market.bidders.zero_intelligence` with these draws: a price each for must-run energy, storing and giving."""
    cheap, dear = np.minimum(drawn[1], drawn[2]), np.maximum(drawn[1], drawn[2])
    ceiling = np.where(needs.must_run < 0, drawn[0], import_price)
    floor = np.where(needs.must_run > 0, drawn[0], export_price)
    bids = net_curves(needs, cheap, dear, ceiling, floor, import_price)
    beyond = np.empty_like(bids.price, bool)
    beyond[:, :PURCHASES] = bids.price[:, :PURCHASES] < export_price
    beyond[:, PURCHASES:] = bids.price[:, PURCHASES:] > import_price
    return Bids(bids.price, np.where(beyond, 0, bids.quantity))


def net_curves(
    needs: Needs,
    charge_price: IntArray | int,
    discharge_price: IntArray | int,
    ceiling: IntArray | int,
    floor: IntArray | int,
    dearest: int,
) -> Bids:
    """`market.bidding.net_curve` for every home; prices are one for all or one per home, charge <= discharge."""
    homes = len(needs.must_run)
    low, high = np.broadcast_to(charge_price, homes), np.broadcast_to(discharge_price, homes)
    # At one price a seller starts before a buyer stops, so there the sale is the first jump.
    buys_first = low < high
    price, quantity = np.zeros((homes, 2 * PURCHASES), np.int64), np.zeros((homes, 2 * PURCHASES), np.int64)
    position = needs.must_run - needs.charge
    price[:, PURCHASES], quantity[:, PURCHASES] = floor, np.maximum(position, 0)
    for jump in (0, 1):
        is_buy = buys_first if jump == 0 else ~buys_first
        at = np.where(is_buy, low, high)
        amount = np.where(is_buy, needs.charge, needs.discharge)
        bought = np.minimum(np.maximum(-position, 0), amount)
        price[:, jump] = np.where(is_buy, np.minimum(at, dearest), np.minimum(at - PRICE_TICK, ceiling))
        quantity[:, jump] = bought
        price[:, PURCHASES + 1 + jump] = np.maximum(np.where(is_buy, at + PRICE_TICK, at), floor)
        quantity[:, PURCHASES + 1 + jump] = amount - bought
        position = position + amount
    price[:, 2], quantity[:, 2] = ceiling, np.maximum(-position, 0)
    for first, second in ((0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)):
        _merge(price, quantity, first, second)
    return Bids(price, quantity)


def _merge(price: IntArray, quantity: IntArray, first: int, second: int) -> None:
    """One order of two columns where their prices are equal."""
    equal = price[:, first] == price[:, second]
    quantity[:, first] += equal * quantity[:, second]
    quantity[equal, second] = 0
