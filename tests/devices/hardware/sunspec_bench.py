"""A SunSpec server process, and a driver in front of it on a clock that the test moves."""

from collections.abc import Callable
from typing import Any

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig, parse_config
from devices.der import Nameplate
from devices.drivers.polled import PolledDer
from devices.image import DeviceImage
from devices.leases import Answer, Lease
from devices.opening.real_devices import connect
from sim.counterparts.started import Counterpart

SECOND_NS = 10**9
PATIENCE_S = 20.0
STEP_S = 1.0
"""No longer than the shortest lease: a driver looks several times a second."""


def table(port: int, kind: str = "battery", **changes: Any) -> dict[str, Any]:
    """A table of site.ders."""
    sizes: dict[str, Any] = {"charge_w": 3000, "discharge_w": 3000, "capacity_wh": 8000}
    if kind == "pv":
        sizes = {"maximum_w": 5000}
    if kind == "meter":
        place = {"name": "house", "host": "127.0.0.1", "port": port, "poll_ms": 500, "timeout_ms": 400}
        return {"driver": "sunspec-meter", "positive": "drawn", "maximum_w": 17_250} | place | changes
    way = {"driver": "sunspec", "name": "cellar", "host": "127.0.0.1", "port": port, "poll_ms": 500}
    return way | {"kind": kind, "timeout_ms": 400, **sizes} | changes


def config(*ders: dict[str, Any]) -> ControlConfig:
    return parse_config(
        {
            "data_dir": "node",
            "interval_s": 900,
            "clock": {"start_wall_ns": 0, "epoch_ns": 0},
            "connection": {"minimum_w": -9000, "maximum_w": 9000},
            "ders": list(ders),
        }
    )


class ServerBench:
    """A bench whose time the driver and the server share; the driver looks again whenever time has passed."""

    def __init__(self, server: Counterpart, kind: str = "battery", **changes: Any) -> None:
        self.server = server
        self.now = Instant(10**12, 0)
        parsed = config(table(server.port, kind, **changes)).hardware[0]
        self.polled: PolledDer = connect(parsed, 0.0, lambda: self.now)
        self.der = Awaited(self.polled)
        self.polled.refresh(PATIENCE_S)

    def pass_time(self, seconds: float) -> None:
        left_s = seconds
        while left_s > 0:
            step_s = min(STEP_S, left_s)
            left_s -= step_s
            self.server.ask(advance=step_s)
            passed_ns = round(step_s * SECOND_NS)
            self.now = Instant(self.now.real_ns + passed_ns, self.now.cell_ns + passed_ns)
            assert self.polled.refresh(PATIENCE_S)

    def look(self) -> DeviceImage:
        """What an exchange after the next second brings."""
        self.pass_time(STEP_S)
        return self.polled.measure(self.now)

    def lease(self, power_w: float, reversion_w: float = 0.0, lasts_s: float = 10.0) -> Lease[float]:
        real_ns = self.now.real_ns
        expires_ns = real_ns + round(lasts_s * SECOND_NS)
        return Lease(power_w, reversion_w, real_ns, expires_ns, "test", real_ns)


class Awaited:
    """The driver, whose commands are waited for: a bench is the means to let time pass."""

    def __init__(self, polled: PolledDer) -> None:
        self._polled = polled
        self.measure = polled.measure

    @property
    def name(self) -> str:
        return self._polled.name

    @property
    def nameplate(self) -> Nameplate:
        return self._polled.nameplate

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        answer = self._polled.command(lease, now)
        assert self._polled.refresh(PATIENCE_S)
        return answer


MakeBench = Callable[..., ServerBench]
