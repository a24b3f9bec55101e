"""A home whose hub has watched it for two days, for tests of what its owner is told."""

from pathlib import Path

from devices.hub.demand import NS_PER_S, Demand
from devices.hub.home_use import CircuitUse, HomeUse
from devices.hub.recognition import DeviceKind
from devices.json_codec import to_json
from devices.process.hub_memory import HUB_NAME

QUARTER_NS = 900 * NS_PER_S
DAYS = 2


def home_use() -> HomeUse:
    """A dishwasher at 19:00, a set-top box that draws 12 W by day and night, and a socket seen for an hour."""

    def windows(name: str, count: int, *quarters: int, rest_wh: float = 0.0) -> tuple[Demand, ...]:
        return tuple(
            Demand(name, each * QUARTER_NS, 500.0 if each % 96 in quarters else rest_wh, 0.0, 1.0)
            for each in range(count)
        )

    circuits = (
        CircuitUse(
            "dishes", DeviceKind.DISHWASHER, "2000 W while on", False, windows("dishes", 96 * DAYS, 76, 77)
        ),
        CircuitUse("box", DeviceKind.UNKNOWN, "fits 0 kinds", False, windows("box", 96 * DAYS, rest_wh=3.0)),
        CircuitUse("new", DeviceKind.UNKNOWN, "not watched for long enough", True, windows("new", 4)),
    )
    return HomeUse(900, DAYS * 96 * QUARTER_NS, circuits)


def keep(directory: Path, use: HomeUse | None = None) -> None:
    """As if a control process had kept it."""
    (directory / HUB_NAME).write_bytes(to_json(home_use() if use is None else use))
