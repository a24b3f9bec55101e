"""Bidding: from what a member can do and expects to the curve it offers for one interval.

Energies are mWh, prices µ/kWh. A bidder sees one interval at a time; what spans intervals is in what it
remembers or is told. `SimpleBidder` is honest and knows two things: what the supplier's tariff makes a load
and a surplus worth, and where the prices of the last days put a battery's energy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from market.forecast import PriceForecast
from market.payloads import Curve, Step

PRICE_TICK = 1
"""The smallest difference between two prices: 1 µ/kWh."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage as it will be when the interval begins; energies at its terminals, mWh.

    `room` is what it can take until it is full and `stored` what it can give until only the owner's reserve is left,
    both however long that takes. `most_charge` and `most_discharge` are what its power allows in one interval.
    `efficiency_ppm` is the round trip in millionths, `wear` what a kWh given at the terminals costs in lifetime, µ/kWh.
    """

    room: int
    stored: int
    most_charge: int
    most_discharge: int
    efficiency_ppm: int = 1_000_000
    wear: int = 0


@dataclass(frozen=True, slots=True)
class Deferrable:
    """A load that may wait: `energy` mWh within the next `intervals` (the one bid for counts), `most` of it in each."""

    energy: int
    intervals: int
    most: int


@dataclass(frozen=True, slots=True)
class Flexibility:
    """What a member expects to use and make in one interval, and what its storage could do in it.

    `load` and `generation` are must-run energies, both positive. `charge` is the most energy the storage can
    take from its terminals in this interval, `discharge` the most it can give at them without touching the
    reserve. `efficiency_ppm` is the round trip (energy out per energy in) in millionths. `interval` is its index.
    `storage` says more of the storage to a bidder that looks beyond the interval, and `deferrable` what may wait.
    """

    load: int = 0
    generation: int = 0
    charge: int = 0
    discharge: int = 0
    efficiency_ppm: int = 1_000_000
    interval: int = 0
    storage: Storage | None = None
    deferrable: tuple[Deferrable, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What a member trades under: the tariff of the interval and the caps of its metering point.

    `max_injection` and `max_withdrawal` are nameplate energies of one interval.
    """

    import_price: int
    export_price: int
    max_injection: int
    max_withdrawal: int


class Bidder(Protocol):
    """Turns flexibility and forecasts into a curve. Pure: the same arguments give the same curve."""

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The curve to offer for the interval that the arguments speak of."""
        ...


@dataclass(frozen=True, slots=True)
class SimpleBidder:
    """Load at retail less a tick, surplus at feed-in plus a tick, storage at the quartiles of the price.

    Storage charges up to the lower quartile, from the supplier too where retail is that cheap, and discharges
    from the upper one on; it charges only at prices that the discharge pays back after the losses of the round
    trip. Storage and must-run energy become one
    curve of net positions, so that a battery serves its own load first and no sale is more than the meter can
    show.
    """

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        """The curve to offer; within the nameplate, empty when there is nothing to offer."""
        charge_price, discharge_price = _storage_prices(flexibility.efficiency_ppm, forecast, account)
        curve = net_curve(
            flexibility.generation - flexibility.load,
            [Step(charge_price, flexibility.charge)] if flexibility.charge > 0 else [],
            [Step(discharge_price, flexibility.discharge)] if flexibility.discharge > 0 else [],
            ceiling=account.import_price - PRICE_TICK,
            floor=account.export_price + PRICE_TICK,
            dearest=account.import_price,
        )
        return within_nameplate(curve, account)


def within_nameplate(curve: Curve, account: Account) -> Curve:
    """The best steps of the curve, up to what the metering point can carry."""
    return Curve(
        _first(curve.buys, account.max_withdrawal),
        _first(curve.sells, account.max_injection),
    )


def net_curve(
    must_run: int, buys: Iterable[Step], sells: Iterable[Step], *, ceiling: int, floor: int, dearest: int
) -> Curve:
    """The curve of a member whose net energy is `must_run` plus what the steps make of a price.

    A curve has one position per price: what is below zero is bought and what is above is sold, so no price
    fills both sides. A sale that only lessens a purchase becomes a purchase that ends one tick below its
    price, and the other way round. Must-run energy is bought up to `ceiling` and sold from `floor` on; of the
    others, no sale goes below `floor` and no purchase above `dearest`. Steps of equal price are merged. Raises
    `MalformedPayload` when more steps remain than a curve may have.
    """
    jumps = [(step.price, 1, step.quantity) for step in buys] + [
        (step.price, 0, step.quantity) for step in sells
    ]
    position = must_run - sum(quantity for _, is_buy, quantity in jumps if is_buy)
    net_buys: dict[int, int] = {}
    net_sells: dict[int, int] = {}
    _add(net_sells, floor, position)
    # At one price a seller starts before a buyer stops: both would trade at it.
    for price, is_buy, quantity in sorted(jumps):
        bought = min(max(-position, 0), quantity)
        _add(net_buys, min(price, dearest) if is_buy else min(price - PRICE_TICK, ceiling), bought)
        _add(net_sells, max(price + PRICE_TICK if is_buy else price, floor), quantity - bought)
        position += quantity
    _add(net_buys, ceiling, -position)
    return Curve(
        tuple(Step(price, net_buys[price]) for price in sorted(net_buys, reverse=True)),
        tuple(Step(price, net_sells[price]) for price in sorted(net_sells)),
    )


def _storage_prices(efficiency_ppm: int, forecast: PriceForecast, account: Account) -> tuple[int, int]:
    """Dearest price to charge at and cheapest to discharge at."""
    discharge = max(forecast.high, account.export_price + PRICE_TICK)
    pays_back = discharge * efficiency_ppm // 1_000_000
    return min(forecast.low, pays_back - PRICE_TICK, discharge - PRICE_TICK, account.import_price), discharge


def _add(quantities: dict[int, int], price: int, quantity: int) -> None:
    if quantity > 0:
        quantities[price] = quantities.get(price, 0) + quantity


def _first(steps: tuple[Step, ...], energy: int) -> tuple[Step, ...]:
    """The best steps, up to `energy` together."""
    kept = []
    for step in steps:
        quantity = min(step.quantity, energy)
        if quantity > 0:
            kept.append(Step(step.price, quantity))
        energy -= quantity
    return tuple(kept)
