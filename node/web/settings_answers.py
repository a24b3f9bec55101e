"""The answers of the API about what an owner has set. Powers W, prices currency per kWh."""

from datetime import datetime
from typing import Any

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
