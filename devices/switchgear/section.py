"""The configuration of real switchgear: the way to it, and the map of its registers.

Milliseconds and `settle_s`, `watchdog_s` are real time; V, Hz, degrees.
"""

from dataclasses import dataclass

from devices.fields import Fields
from devices.switchgear.points import BITS, Measured, State, read_measured, read_state

MODBUS_PORT = 502
MODBUS = "modbus"
MOST_TOGETHER = 120
"""Addresses of one table that are read with one request: what one reply carries."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A register that always says the same: a reply without it is another's."""

    point: Measured
    raw: int


@dataclass(frozen=True, slots=True)
class SwitchgearConfig:
    """Where the switchgear is and what its registers say.

    `breaker` reads whether the breaker towards the public grid is closed, `former` whether the inverter forms;
    `close_breaker` and `form` command them. `island_*` are measured on the site's side, `grid_*` beyond the breaker,
    `angle` between them (None: never closed onto a live bus). `island_hz` takes the frequency that is formed. `alive`
    is a register that the device changes by itself; `heartbeat` one that it expects to change, or it lets go after
    `watchdog_s`, which is written to `watchdog` where there is one. `settle_s`: how long an order may take to show.
    """

    host: str
    port: int
    unit: int
    poll_ms: int
    timeout_ms: int
    nominal_v: float
    settle_s: float
    breaker: State
    close_breaker: State
    former: State
    form: State
    island_v: Measured
    island_hz_measured: Measured
    grid_v: Measured
    grid_hz: Measured
    angle: Measured | None
    island_hz: Measured | None
    alive: Measured | None
    heartbeat: Measured | None
    watchdog: Measured | None
    watchdog_s: float
    identity: Identity | None

    @property
    def points(self) -> dict[str, State | Measured]:
        """Everything that is read, by the key of the configuration.

        Not the heartbeat and its watchdog: some devices let them only be written.
        """
        found: dict[str, State | Measured | None] = {
            "breaker": self.breaker,
            "former": self.former,
            "form": self.form,
            "island_voltage": self.island_v,
            "island_frequency": self.island_hz_measured,
            "grid_voltage": self.grid_v,
            "grid_frequency": self.grid_hz,
            "angle": self.angle,
            "frequency_setpoint": self.island_hz,
            "alive": self.alive,
            "identity": None if self.identity is None else self.identity.point,
        }
        return {name: point for name, point in found.items() if point is not None}


def parse_switchgear(top: Fields) -> SwitchgearConfig | None:
    """Read the table `switchgear`, if there is one; mistakes are collected in the fields."""
    if top.absent("switchgear"):
        return None
    table = top.table("switchgear")
    table.choice("driver", (MODBUS,), MODBUS)

    def measured(key: str, scale: float | None, writable: bool = False) -> Measured | None:
        return None if table.absent(key) else read_measured(table, key, scale, writable)

    config = SwitchgearConfig(
        host=table.text("host", 253),
        port=table.integer("port", 1, 65_535, MODBUS_PORT),
        unit=table.integer("unit", 0, 255, 1),
        poll_ms=table.integer("poll_ms", 20, 500, 100),
        timeout_ms=table.integer("timeout_ms", 20, 10_000, 500),
        nominal_v=table.number("nominal_v", 1.0, 1e6, 230.0),
        settle_s=table.number("settle_s", 0.1, 60.0, 2.0),
        breaker=read_state(table, "breaker"),
        close_breaker=read_state(table, "close_breaker", writable=True),
        former=read_state(table, "former"),
        form=read_state(table, "form", writable=True),
        island_v=read_measured(table, "island_voltage", 0.1),
        island_hz_measured=read_measured(table, "island_frequency", 0.01),
        grid_v=read_measured(table, "grid_voltage", 0.1),
        grid_hz=read_measured(table, "grid_frequency", 0.01),
        angle=measured("angle", 0.1),
        island_hz=measured("frequency_setpoint", 0.01, writable=True),
        alive=measured("alive", 1.0),
        heartbeat=measured("heartbeat", 1.0, writable=True),
        watchdog=measured("watchdog", 1.0, writable=True),
        watchdog_s=table.number("watchdog_s", 0.5, 60.0, 10.0),
        identity=_identity(table),
    )
    _check_together(table, config)
    table.close()
    return config


def _identity(table: Fields) -> Identity | None:
    if table.absent("identity"):
        return None
    fields = table.table("identity")
    kind = fields.choice("kind", ("holding", "input"), "holding")
    identity = Identity(
        Measured(kind, fields.integer("address", 0, 65_535), 1.0), fields.integer("value", 0, 65_535)
    )
    fields.close()
    return identity


def _check_together(table: Fields, config: SwitchgearConfig) -> None:
    """What only who sees several points can find wrong."""
    if config.watchdog is not None and config.heartbeat is None:
        table.problem("watchdog", "needs a heartbeat, which it watches")
    written = [
        (name, point.kind, point.address)
        for name, point in (
            ("close_breaker", config.close_breaker),
            ("form", config.form),
            ("frequency_setpoint", config.island_hz),
            ("heartbeat", config.heartbeat),
            ("watchdog", config.watchdog),
        )
        if point is not None
    ]
    for index, (name, kind, address) in enumerate(written):
        for other, other_kind, other_address in written[:index]:
            if (kind, address) == (other_kind, other_address):
                table.problem(
                    name, f"is the same {kind} {address} as {other}, and each is told something else"
                )
    for name, state in (("breaker", config.breaker), ("former", config.former)):
        told = {"breaker": config.close_breaker, "former": config.form}[name]
        if (state.kind, state.address) == (told.kind, told.address):
            table.problem(name, "must be read back from elsewhere than where it is commanded")


def together(points: dict[str, State | Measured]) -> list[tuple[str, int, int]]:
    """Requests that read all points: table, first address and count; those that lie close are read together, so that
    one reply holds them at one moment.
    """
    requests: list[tuple[str, int, int]] = []
    for kind, address in sorted({(point.kind, point.address) for point in points.values()}):
        if requests and requests[-1][0] == kind and address < requests[-1][1] + MOST_TOGETHER:
            # A gap in between may hold addresses that the device does not have: only neighbours are joined.
            first, count = requests[-1][1:]
            if address <= first + count:
                requests[-1] = (kind, first, address - first + 1)
                continue
        requests.append((kind, address, 1))
    return requests


def is_bit(point: State | Measured) -> bool:
    """Whether a point is a single bit."""
    return point.kind in BITS
