"""The certificate of one clearing: what was decided, with what proves it, in one canonical encoding.

It names the orders and the feeder by hash and lists fills, flows, and money; for the tree it carries the key
of every branch, which is the solution of the dual program. `check.py` verifies it. Energies are mWh (a flow
is positive towards the parent), prices µ/kWh, money pico-currency (positive: the order's member receives).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.encoding import Value, big_int_bytes, encode
from market.feeder import Branch, Feeder
from market.mechanisms.names import Mechanism
from market.orders import Order, OrderId

DOMAIN = b"wattswarm/certificate/v1\0"
"""What is hashed begins with this, so that the hash is of a certificate and nothing else."""


@dataclass(frozen=True, slots=True)
class CertifiedFill:
    """An order that got energy, and the money of it."""

    order: OrderId
    energy: int
    money: int


@dataclass(frozen=True, slots=True)
class CertifiedTrade:
    """A bid and an ask that met, by order id."""

    buy: OrderId
    sell: OrderId
    energy: int
    price_buy: int
    price_sell: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """All that a checker needs besides the orders and the feeder.

    orders_hash, feeder_hash: `orders_hash()` of the orders (ascending by id; for `continuous` in order of
    arrival) and `feeder_hash()` of the feeder.
    keys: by branch the supporting price as a key (docs/market-clearing.md); empty for `mcafee` and
    `continuous`, which have no supporting price.
    fills: the orders that got energy, ascending by id. flows: by branch, towards the parent.
    trades: who met whom, for `pay-as-bid` and `continuous`, in the order in which they met.
    reduced: the bid and the ask that `mcafee` traded away.
    volume, welfare, kept: as in `MarketResult`.
    """

    mechanism: Mechanism
    orders_hash: bytes
    feeder_hash: bytes
    keys: tuple[int, ...]
    fills: tuple[CertifiedFill, ...]
    flows: tuple[int, ...]
    trades: tuple[CertifiedTrade, ...]
    reduced: tuple[OrderId, OrderId] | None
    volume: int
    welfare: int
    kept: int

    def encode(self) -> bytes:
        """The canonical encoding (docs/wire-format.md)."""
        fills = tuple((_id(fill.order), fill.energy, big_int_bytes(fill.money)) for fill in self.fills)
        trades = tuple(
            (_id(trade.buy), _id(trade.sell), trade.energy, trade.price_buy, trade.price_sell)
            for trade in self.trades
        )
        reduced = None if self.reduced is None else (_id(self.reduced[0]), _id(self.reduced[1]))
        return encode(
            (
                self.mechanism.code,
                self.orders_hash,
                self.feeder_hash,
                self.keys,
                fills,
                self.flows,
                trades,
                reduced,
                self.volume,
                big_int_bytes(self.welfare),
                big_int_bytes(self.kept),
            )
        )

    def hash(self) -> bytes:
        """SHA-256 of the domain and the encoding: what a block carries."""
        return hashlib.sha256(DOMAIN + self.encode()).digest()


def orders_hash(orders: Iterable[Order]) -> bytes:
    """SHA-256 over the orders in the order given: id, branch, side, price, quantity; members do not matter."""
    value = tuple(
        (_id(order.id), order.branch, int(order.side), order.price, order.quantity) for order in orders
    )
    return hashlib.sha256(encode(value)).digest()


def feeder_hash(feeder: Feeder) -> bytes:
    """SHA-256 over the branches (name, parent, limit, a fee and a loss that are not zero) and the grid, or null."""
    branches = tuple(
        (branch.name.encode(), branch.parent, branch.limit, *_fee_and_loss(branch))
        for branch in feeder.branches
    )
    grid = feeder.grid
    connection = (
        None if grid is None else (grid.import_price, grid.export_price, grid.import_limit, grid.export_limit)
    )
    return hashlib.sha256(encode((branches, connection))).digest()


def _fee_and_loss(branch: Branch) -> tuple[int, ...]:
    if branch.loss:
        return (branch.fee, branch.loss)
    return (branch.fee,) if branch.fee else ()


def _id(order_id: OrderId) -> Value:
    return order_id.encode() if isinstance(order_id, str) else order_id
