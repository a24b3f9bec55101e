"""The answers of the API about what the cell has agreed and who may change it. Powers W, prices µ/kWh, cell time."""

from datetime import datetime

from node.web.answers import Answer


class PlannedTariff(Answer):
    """What the supplier takes and pays from an interval on."""

    from_interval: int
    start: datetime
    import_price: int
    export_price: int


class PlannedLimit(Answer):
    """What a branch carries at most in the intervals from `first` to `last`, both ways; `id` if it may be withdrawn."""

    id: str | None
    branch: str
    first: int
    last: int
    start: datetime
    limit_w: float


class ActingRequest(Answer):
    """A call of the dso that acts, or will; `id` is what its withdrawal names."""

    id: str
    service: str
    power_w: float
    branch: str | None
    start: datetime
    end: datetime


class CellControl(Answer):
    """What can be said of the cell from this node, and what holds of it.

    `operator`, `dso` and `members` say why this node cannot say tariffs and commands, limits and requests, and changes
    of membership: empty where it can, null while its ledger is not read. `first_interval` is the first that a
    tariff may begin with, `commanded` the mode that everybody was ordered into, `waiting` the entries that wait for the
    daemon.
    """

    operator: str | None
    dso: str | None
    members: str | None
    first_interval: int
    first_start: datetime
    interval_s: int
    tariffs: list[PlannedTariff]
    limits: list[PlannedLimit]
    requests: list[ActingRequest]
    branches: list[str]
    services: list[str]
    commanded: str | None
    changes: list[str]
    waiting: int
