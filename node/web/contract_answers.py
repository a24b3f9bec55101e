"""The answers of the API about services, money and meters of the cell. Powers W, prices µ/kWh, energies mWh."""

from datetime import datetime

from node.web.answers import Answer, Money


class TermsInForce(Answer):
    """What a dso buys of a service from an interval on, until the next terms of the same service.

    Capacity prices are for a kW and an hour, energy prices what a member gets for a kWh; `payer` pays for it.
    """

    from_interval: int
    start: datetime
    payer: str
    up_w: float
    down_w: float
    up_price: int
    down_price: int
    up_energy_price: int
    down_energy_price: int


class BoughtService(Answer):
    """A service that a dso buys, or bought: its terms, those in force first, and what members have armed of it now.

    `requested`: it is called; else it responds by its curve. `mine`: this node's member pays for it.
    """

    name: str
    requested: bool
    mine: bool
    terms: list[TermsInForce]
    armed_up_w: float
    armed_down_w: float


class Account(Answer):
    """What stands in an account of the cell. Of a member `member` is its name, `gone` says that it has left."""

    name: str
    member: bool
    gone: bool
    balance: Money


class Accounts(Answer):
    """All accounts of the cell; they sum to zero. `external` is the counterpart of deposits and payouts.

    `fault` says why this node cannot book money: empty if it can, null while its ledger is not read.
    """

    fault: str | None
    currency: str
    accounts: list[Account]


class MeteredBranch(Answer):
    """What the meter of a branch counted in an interval: towards its parent (`contribution`) and into it."""

    branch: str
    interval: int
    start: datetime
    contribution: int
    consumption: int


class Meters(Answer):
    """The readings of branch meters that can still be corrected, newest first.

    `first` and `last` are the intervals that a reading may be said for now, null where there is none. `fault` says why
    this node cannot say one: empty if it can, null while its ledger is not read.
    """

    fault: str | None
    first: int | None
    last: int | None
    last_start: datetime | None
    branches: list[str]
    readings: list[MeteredBranch]
