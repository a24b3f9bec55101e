"""A switchgear server process, its table in a configuration, and the driver in front of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from devices.cell_clock import Instant
from devices.fields import Fields
from devices.image import GridImage
from devices.leases import Answer, Lease
from devices.modbus.link import ModbusLink
from devices.resilience.switchgear import REST, SwitchOrder
from devices.switchgear.driver import ModbusSwitchgear
from devices.switchgear.section import SwitchgearConfig, parse_switchgear
from sim.counterparts.started import Started

PATIENCE_S = 20.0
AGE_NS = 1_000_000_000
LEASE_NS = 10_000_000_000


def table(port: int, **changes: Any) -> dict[str, Any]:
    """The table of `[site.switchgear]` for the server."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "poll_ms": 20,
        "timeout_ms": 300,
        "settle_s": 1.0,
        "breaker": {"kind": "discrete", "address": 0},
        "close_breaker": {"kind": "coil", "address": 0},
        "former": {"kind": "discrete", "address": 1},
        "form": {"kind": "coil", "address": 1},
        "island_voltage": {"address": 0, "scale": 0.1},
        "island_frequency": {"address": 1, "scale": 0.001},
        "grid_voltage": {"address": 2, "scale": 0.1},
        "grid_frequency": {"address": 3, "scale": 0.001},
        "angle": {"address": 4, "scale": 0.1, "signed": True},
        "alive": {"kind": "input", "address": 5},
        "frequency_setpoint": {"address": 0, "scale": 0.001},
        "heartbeat": {"address": 1},
        "watchdog": {"address": 2},
        "watchdog_s": 3,
        "identity": {"kind": "holding", "address": 3, "value": 4711},
    } | changes


def parsed(source: dict[str, Any]) -> tuple[SwitchgearConfig | None, list[str]]:
    """What a table reads as, and its mistakes."""
    problems: list[str] = []
    return parse_switchgear(Fields.of({"switchgear": source}, "", problems)), problems


class SwitchgearBench:
    """The driver, a server whose time runs by the clock, and orders."""

    def __init__(self, server: Started, **changes: Any) -> None:
        self.server = server
        config, problems = parsed(table(server.port, **changes))
        assert config is not None, problems
        assert not problems
        self.driver = ModbusSwitchgear(config, ModbusLink("127.0.0.1", server.port, 1, 0.3), self.now, AGE_NS)
        self._sequence = count(1)

    def now(self) -> Instant:
        return Instant(time.monotonic_ns(), 0)

    def look(self) -> GridImage:
        """What exchanges that begin from now on bring."""
        for _ in range(2):
            assert self.driver.refresh(PATIENCE_S)
        return self.driver.measure(self.now())

    def order(self, order: SwitchOrder, lasts_ns: int = LEASE_NS) -> Answer:
        now = self.now()
        lease = Lease(order, REST, now.real_ns, now.real_ns + lasts_ns, "test", next(self._sequence))
        return self.driver.command(lease, now)

    def hold(self, order: SwitchOrder, wanted: Any) -> Answer:
        """Order again and again, as control does, until the truth is as wanted; the last answer."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            answer = self.order(order)
            assert self.driver.refresh(PATIENCE_S)
            if wanted(self.truth(), answer):
                return answer
            assert time.monotonic() < end_s, (self.truth(), answer)

    def truth(self) -> dict[str, Any]:
        """How the switchgear is, whatever it says."""
        return self.server.ask(get=True)

    def lose_the_grid(self) -> None:
        """The public grid fails, and the breaker opens by itself."""
        self.server.ask(grid=[0.0, 0.0])
        self.hold(REST, lambda truth, _: not truth["closed"])
        while self.look().breaker_closed is not False:
            pass


@contextmanager
def switchgear_bench(**changes: Any) -> Iterator[SwitchgearBench]:
    """A bench, ended in the end."""
    server = Started("switchgear_server", "--real-time")
    bench = None
    try:
        bench = SwitchgearBench(server, **changes)
        yield bench
    finally:
        if bench is not None:
            bench.driver.close()
        server.end()
