"""The answers of the API, version 1: one model per object, the source of the served OpenAPI schema.

Injection into the feeder is positive, withdrawal negative. Energies are integers of mWh, prices of µ/kWh, powers W,
money an exact decimal text in the cell's currency, times ISO 8601 in UTC (cell time, unless a name says otherwise).
What is not known is null.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Money = Annotated[str, Field(pattern=r"^-?\d+\.\d+$", examples=["-0.412500"])]


class Answer(BaseModel):
    """What all answers have in common: nothing that is not declared."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """What went wrong: `code` is stable, `message` is for people, `field` names the parameter at fault, if one is."""

    code: str
    message: str
    field: str | None = None


class ErrorAnswer(Answer):
    """Every answer that is not 2xx."""

    error: Problem


class Clock(Answer):
    """Cell time = epoch + (wall - start) x speed, both in ms since 1970."""

    cell_time: datetime
    epoch_ms: float
    start_wall_ms: float
    speed: float


class Status(Answer):
    """How the node stands. `followed` of `height` blocks of the ledger are verified and shown.

    `emergency`: by whose word the cell is in one, members or dso.
    """

    node: str
    member: str
    branch: str | None
    roles: list[str]
    cell: str
    cell_id: str
    currency: str
    interval_s: int
    gate_lead_s: int
    clock: Clock
    connected: bool
    active: bool
    read_only: str | None
    protocol: int | None
    upgrade_needed: bool
    emergency: str | None
    mode: str | None
    peers: list[str]
    members: int
    quorum: int
    tolerates: int
    height: int
    followed: int
    interval: int
    last_block_at: datetime | None
    agreement_ms: float | None
    fault: str | None
    can_act: bool


class Flows(Answer):
    """Where power flows now. `neighbours_w` and `grid_w` split the connection as the running auction did."""

    measured_at: datetime | None
    connection_w: float | None
    pv_w: float | None
    battery_w: float | None
    flywheel_w: float | None
    generator_w: float | None
    load_w: float | None
    neighbours_w: float | None
    grid_w: float | None
    stored_wh: float | None
    capacity_wh: float | None
    reserve_wh: float | None
    mode: str | None
    wish: str | None
    binding: str | None
    settled: bool | None
    readiness: str | None


class Unit(Answer):
    """One DER: its newest process image and, for a store, its health. `binding` is the layer that decided last."""

    name: str
    kind: str
    type: str
    power_w: float | None
    setpoint_w: float | None
    stored_wh: float | None
    capacity_wh: float | None
    available_w: float | None
    reserve: float | None
    maximum_w: float | None
    temperature_c: float | None
    voltage_v: float | None
    state_of_health: float | None
    power_factor: float | None
    bridging_s: float | None
    alarms: list[str]


class Sensor(Answer):
    """One sensor of the expansion port, or what the hub takes a circuit for."""

    name: str
    kind: str
    value: float | None
    unit: str
    text: str


class Ders(Answer):
    """All devices of this node."""

    measured_at: datetime | None
    binding: str | None
    services: list[str]
    units: list[Unit]
    sensors: list[Sensor]


class Slot(Answer):
    """One interval as this member sees it. `position` and `metered` are net energies at the connection."""

    interval: int
    start: datetime
    import_price: int
    export_price: int
    price: int | None
    position: int | None
    metered: int | None
    expected: int | None
    expected_low: int | None
    expected_high: int | None
    expected_load: int | None
    expected_generation: int | None
    state: Literal["settled", "delivered", "running", "cleared", "open"]


class BranchPrice(Answer):
    """The price and the flow of a branch in an interval."""

    name: str
    price: int | None
    flow: int


class IntervalPrice(Answer):
    """One auction: prices, volume, what came from and went to the grid."""

    interval: int
    start: datetime
    height: int
    fate: str
    import_price: int
    export_price: int
    branches: list[BranchPrice]
    volume: int
    grid_import: int
    grid_export: int


class MeritStep(Answer):
    """One step in the merit order. `mine`: of this member."""

    member: str
    mine: bool
    branch: str
    side: Literal["buy", "sell"]
    price: int
    quantity: int
    filled: int


class Auction(IntervalPrice):
    """One auction with all its orders: buys from the dearest, sells from the cheapest."""

    own_price: int | None
    buys: list[MeritStep]
    sells: list[MeritStep]


class BranchState(Answer):
    """One branch of the feeder: the flow of the running interval towards the parent, against its limit."""

    name: str
    parent: str | None
    limit_w: float | None
    set_by_dso: bool
    flow_w: float | None
    price: int | None
    fee: int
    members: list[str]
    mine: bool


class Feeder(Answer):
    """The feeder as a tree; the first branch is the root. `interval` is the one that the flows are of."""

    interval: int | None
    start: datetime | None
    import_limit_w: float | None
    export_limit_w: float | None
    grid_w: float | None
    branches: list[BranchState]


class Member(Answer):
    """One member of the cell. `up`: reachable from here, null of ourselves if the daemon is silent."""

    name: str
    id: str
    roles: list[str]
    branch: str | None
    mine: bool
    up: bool | None
    validator: bool
    protocols: list[int]
    frozen: bool
    commits_signed: int | None
    commits: int | None
    headroom_up_w: float | None
    headroom_down_w: float | None
    state_of_charge: float | None


class Block(Answer):
    """One decided block."""

    height: int
    id: str
    first_interval: int
    last_interval: int
    time: datetime
    proposer: str
    round: int
    signers: int
    validators: int
    entries_of: list[str]
    volume: int
    settled: list[int]
    refused: int
    fate: str


class Commit(Answer):
    """One validator's place in a certificate."""

    validator: str
    signed: bool


class BlockDetail(Block):
    """A block with its header's roots and its certificate."""

    header: dict[str, str]
    certificate: list[Commit]


class FeedEntry(Answer):
    """One entry of this member's feed; `state` is authored or final."""

    sequence: int
    incarnation: int
    kind: str
    interval: int
    time: datetime
    id: str
    says: str
    state: str


class Verdict(Answer):
    """What a proof file proves, or why it does not hold."""

    holds: bool
    says: str
    height: int | None


class Audit(Answer):
    """What an audit of the whole ledger found; `expected` and `found` say what is wrong at `where`."""

    verified: bool
    height: int
    entries: int
    votes: int
    where: str | None
    expected: str | None
    found: str | None
    took_ms: float


class AlarmAnswer(Answer):
    """One alarm. It stands while `cleared_at` is null."""

    number: int
    code: str
    severity: str
    device: str | None
    text: str
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_by: str | None


class EventAnswer(Answer):
    """One line of the node's log."""

    number: int
    time: datetime
    event: str
    text: str


class Today(Answer):
    """Since midnight UTC of cell time, in settled intervals: energies mWh, money positive if received.

    `used` and `produced` are behind the meter, as far as this node's records reach; `saved` is against the bare tariff.
    """

    since: datetime
    intervals: int
    bought: int
    sold: int
    used: int | None
    produced: int | None
    paid: Money
    earned: Money
    bill: Money
    saved: Money
    balance: Money
    neighbours_share: float | None


class Story(Answer):
    """What happens now and next, and why, in sentences for the owner; and what might be done about it."""

    now: str
    next: str
    reserve: str
    advice: list[str]
