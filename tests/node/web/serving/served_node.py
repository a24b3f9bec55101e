"""A node's web server for tests: the real application on a real port, with a ledger of a simulated cell behind it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trio
from hypercorn.config import Config as ServerConfig
from hypercorn.trio import serve

from devices.image import DerKind
from devices.messages.control_messages import (
    Alarm,
    AlarmCode,
    DeviceReport,
    HealthReport,
    ImageReport,
    MeterRecord,
    Mode,
    SensorReport,
    Severity,
)
from devices.messages.control_messages import DeviceEnergy as Energy
from devices.messages.sensor_port import SensorKind
from node.configuration.config import load_config
from node.configuration.config_file import config_text
from node.web.access import Access
from node.web.app import node_app
from node.web.tokens import TokenBook
from node.web.watcher import Watcher
from node.web.web_process import hosts_of, server_config
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S

NAME = "home-0"


def saved_cell(directory: Path) -> Cluster:
    """A cell of four members after some blocks, and the data directory of its first."""
    cluster = Cluster(1, 4, 1, ClusterPlan(3 * S, 0.0, 0.0, S // 100))
    assert cluster.run().violation is None
    cluster.nodes[0].save(directory)
    last = cluster.nodes[0].core.ordering.tip.last_interval
    interval_ns = cluster.pace.interval_s * S
    ders = [
        {"kind": "load", "name": "house", "maximum_w": 5000.0},
        {"kind": "pv", "name": "roof", "maximum_w": 5000.0},
        {
            "kind": "battery",
            "name": "battery",
            "capacity_wh": 10_000.0,
            "charge_w": 3000.0,
            "discharge_w": 3000.0,
            "charge_efficiency": 0.95,
            "discharge_efficiency": 0.95,
            "initial_state_of_charge": 0.5,
            "reserve": 0.2,
        },
    ]
    table: dict[str, object] = {
        "node": {"name": NAME, "genesis": "genesis.cbor"},
        "clock": {"start_wall_ns": time.time_ns(), "epoch_ns": last * interval_ns, "speed": 1},
        "site": {"profile": "profile.csv", "ders": ders},
        "web": {"listen": "127.0.0.1:0"},
    }
    (directory / "node.toml").write_text(config_text(table), "utf-8")
    return cluster


def image(battery_w: float = 1200.0) -> ImageReport:
    """A process image of now: sun, a house that uses, a battery that gives."""
    devices = (
        DeviceReport("battery", DerKind.BATTERY, battery_w, battery_w, 4321.0, None),
        DeviceReport("house", DerKind.LOAD, -2500.0, None, None, None),
        DeviceReport("roof", DerKind.PV, 900.0, 5000.0, None, 900.0),
    )
    return ImageReport(
        real_ns=time.monotonic_ns(),
        cell_ns=time.time_ns(),
        interval=1,
        connection_w=battery_w - 1600.0,
        chargeable_wh=5000.0,
        dischargeable_wh=2000.0,
        mode=Mode.GRID_SUPPORT,
        wish="position",
        binding="position",
        settled=True,
        devices=devices,
        sensors=(SensorReport("cellar", SensorKind.TEMPERATURE, 14.5, "°C", ""),),
        health=(HealthReport("battery", 21.0, 51.2, 2.0, 0.43, 0.97, 1.0, None, None, None),),
    )


def record(interval: int) -> MeterRecord:
    """What was metered in an interval."""
    house = Energy("house", DerKind.LOAD, 0, 2_500_000)
    return MeterRecord(interval, 0, 1_600_000, True, (house, Energy("roof", DerKind.PV, 900_000, 0)))


def alarm(raised: bool = True) -> Alarm:
    """An alarm of the battery."""
    text = "it is hot: 61 °C" if raised else ""
    return Alarm(AlarmCode.UNIT_HOT, Severity.CRITICAL, raised, "battery", text, time.time_ns())


@dataclass
class ServedNode:
    """A running server: `url` where, `do` runs something beside it, in its own thread."""

    url: str
    watcher: Watcher
    access: Access
    directory: Path
    token: trio.lowlevel.TrioToken

    def do(self, act: Callable[[], Any]) -> Any:
        """Run in the server's thread; returns what it returns."""
        return trio.from_thread.run_sync(act, trio_token=self.token)

    def tell(self, *messages: object) -> None:
        """As if control had said this."""
        for message in messages:
            self.do(lambda said=message: self.watcher._take({"kind": "upward", "message": said}))

    def client(self, token: str | None = None) -> httpx.Client:
        """A client of the API."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=20.0)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Until something is so."""
        gone = threading.Event()
        for _ in range(400):
            if condition():
                return
            gone.wait(0.05)
        raise AssertionError(f"not within 20 s: {what}")


@contextmanager
def served(
    directory: Path,
    *,
    open_on_loopback: bool = True,
    server: ServerConfig | None = None,
    blocks: bool = True,
) -> Iterator[ServedNode]:
    """Serve the node of a data directory on any free port of loopback; `blocks` is whether its ledger has some."""
    ready: list[ServedNode] = []
    failed: list[BaseException] = []
    begun = threading.Event()
    ends: list[trio.CancelScope] = []

    async def run() -> None:
        config = load_config(directory / "node.toml")
        watcher = Watcher.of(directory / "node.toml")
        book = TokenBook(directory)
        access = Access(book, open_on_loopback, hosts_of(config), rate=1e6, burst=1e6)
        async with trio.open_nursery() as nursery:
            ends.append(nursery.cancel_scope)
            nursery.start_soon(watcher.run)
            listens = server_config(config) if server is None else server
            (url,) = await nursery.start(serve, node_app(watcher, access), listens)
            token = trio.lowlevel.current_trio_token()
            ready.append(ServedNode(url, watcher, access, directory, token))
            begun.set()

    def thread() -> None:
        try:
            trio.run(run)
        except BaseException as fault:  # noqa: BLE001 - told to whoever waits
            failed.append(fault)
        begun.set()

    running = threading.Thread(target=thread)
    running.start()
    begun.wait(60)
    assert ready, failed
    node = ready[0]
    try:
        node.do(lambda: setattr(node.watcher.node.live, "connected", True))
        history = node.watcher.node.history
        node.wait(lambda: history.height > 0 if blocks else history.tip is not None, "the ledger is followed")
        yield node
    finally:
        node.do(ends[0].cancel)
        running.join(20)
