"""Shell: a seeded cell of whole daemons whose meters see the public grid fail, or say that they do.

What each site's control shows is a script; from there on everything is real: observations in feeds, blocks that declare
the emergency, and leases to the devices. Who lies about an outage is a site that shows another state.
"""

from collections.abc import Callable
from functools import partial

from devices.messages.control_messages import ImageReport, Mode
from devices.resilience.modes import State
from node import events as ev
from sim.cells.cluster import Cluster
from sim.cells.faults import MS, ClusterPlan
from sim.cells.node import ClusterNode

IMAGE_NS = 500 * MS
"""How often control shows an image, in virtual real time."""

Script = Callable[[int, int], State]
"""What the site of a node shows at a virtual real time, ns."""


class OutageCluster(Cluster):
    """`shown` is the script; `acting` has, by node, the real times at which its devices knew of an emergency."""

    def __init__(self, seed: int, size: int, plan: ClusterPlan, ill_intervals: int, shown: Script) -> None:
        super().__init__(seed, size, ill_intervals, plan)
        self.shown = shown
        self.acting: dict[int, list[int]] = {node.index: [] for node in self.nodes}
        for node in self.nodes:
            self.after(0, partial(self._show, node))

    def _show(self, node: ClusterNode) -> None:
        self.after(IMAGE_NS, partial(self._show, node))
        now = self.now(node.index)
        if now.real_ns < node.emergency_ends_ns:
            self.acting[node.index].append(now.real_ns)
        state = self.shown(node.index, now.real_ns)
        image = ImageReport(
            real_ns=now.real_ns,
            cell_ns=now.cell_ns,
            interval=now.cell_ns // (self.pace.interval_s * 10**9),
            connection_w=None,
            chargeable_wh=None,
            dischargeable_wh=None,
            mode=Mode.GRID_SUPPORT,
            wish="self-consumption",
            binding="market",
            settled=True,
            devices=(),
            island=state.value,
        )
        self._take(node, ev.DevicesMeasured(image))
