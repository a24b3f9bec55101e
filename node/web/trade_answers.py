"""The answers of the API about what one member offers and contracts. Energies mWh, prices µ/kWh."""

from datetime import datetime
from typing import Literal

from node.web.answers import Answer, Money


class Step(Answer):
    """One step of an order: up to `quantity` at `price` or better, and what of it was filled."""

    side: Literal["buy", "sell"]
    price: int
    quantity: int
    filled: int | None


class Order(Answer):
    """This member's curve for an interval: `fate` is open, pending, stands or void."""

    interval: int
    start: datetime
    fate: str
    steps: list[Step]


class Fill(Answer):
    """What this member contracted in an interval, and what came of it once it was settled.

    In a virtual battery `aggregator` is who bid for this member (null: it bid itself), and `passed_on` the energy that
    it gave to the others (positive) or got from them, null until that is settled and outside of one.
    """

    interval: int
    start: datetime
    fate: str
    price: int | None
    position: int
    aggregator: str | None
    passed_on: int | None
    metered: int | None
    estimated: bool
    contract_money: Money | None
    imbalance_money: Money | None
    saving: Money | None
