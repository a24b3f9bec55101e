"""The answers of the API about what an owner has set. Powers W, prices currency per kWh."""

from datetime import datetime
from typing import Any, Literal

from node.web.answers import Answer
from node.web.tokens import Role


class ServiceSetting(Answer):
    """A service that is configured: what is armed of it, and the most that may be, up (injecting more) and down."""

    name: str
    up_w: float
    down_w: float
    most_up_w: float
    most_down_w: float


class Goal(Answer):
    """A goal of bidding; `fault` says why it cannot be chosen on this node, empty if it can."""

    name: str
    fault: str


class Settings(Answer):
    """What the owner has set, as it is in force; null while the daemon does not answer."""

    mode: str | None
    paused: bool | None
    reserves: dict[str, float]
    goal: str | None
    price_floor: float | None
    price_cap: float | None
    goals: list[Goal]
    services: list[ServiceSetting]
    private: bool
    role: Role | None
    name: str | None


class DeviceAccess(Answer):
    """What the cell has agreed of a device of this node: its priority (null: as configured), and who may use it."""

    name: str
    kind: str
    priority: str | None
    operator: bool
    dso: bool


class Left(Answer):
    """A signed entry that waits for the daemon; `text` says what it will do, `waiting` how many wait together."""

    text: str
    waiting: int


class Done(Answer):
    """One action of the past."""

    at: datetime
    who: str
    role: str
    address: str
    action: dict[str, Any]
    outcome: str


class CellAlarm(Answer):
    """One alarm of a member, from the ledger. It stands while `cleared_at` is null, unless it is `momentary`.

    `device` is its name where it is this node's own, else the start of its key; `may_acknowledge` is whether this
    node's word would count.
    """

    id: str
    member: str
    mine: bool
    code: str
    severity: str
    device: str | None
    raised_at: datetime
    momentary: bool
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    may_acknowledge: bool


class InvoiceMonth(Answer):
    """A month of which there is an invoice; until it is `closed` the invoice is provisional."""

    month: str
    first_interval: int
    last_interval: int
    closed: bool


class UtilityWord(Answer):
    """One thing that the VTN says: `holds` now or comes. Powers W and consumption positive, prices currency per kWh."""

    matter: str
    value: float
    unit: str
    event: str
    begins: datetime
    ends: datetime | None
    holds: bool
    text: str


class SeenDemand(Answer):
    """What was drawn in one period: by one circuit, or by all together where `name` is empty."""

    name: str
    start: datetime
    resolution_s: int
    energy_wh: float


class WatchedCircuit(Answer):
    """What a circuit or socket is taken for and why, and whether its usual day is known."""

    name: str
    kind: str
    why: str
    whole_day: bool


class AdviceAnswer(Answer):
    """One advice in words, and what it saves a year."""

    topic: str
    name: str
    text: str
    saves_kwh: float
    saves_money: float


class HomeUseAnswer(Answer):
    """A home's demand as its owner lets it be seen. Circuits and advice are for the owner alone."""

    audience: Literal["owner", "cell"]
    rows: list[SeenDemand]
    circuits: list[WatchedCircuit]
    advice: list[AdviceAnswer]


class Utility(Answer):
    """What the utility says: `listens` is whether the node has a VTN, `acts` for whom something is done of it."""

    listens: bool
    acts: Literal["site", "cell", "nobody"]
    note: str
    said: list[UtilityWord]
