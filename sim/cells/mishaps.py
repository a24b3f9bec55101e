"""Shell: what befalls the power and the disks of a simulated cell's nodes, as its plan says, until all is healed."""

from collections.abc import Callable, Sequence
from functools import partial

from sim.cells.disk import DiskCopy
from sim.cells.faults import ClusterPlan, Damage, OldBackup, Outage
from sim.cells.node import ClusterNode
from sim.cells.timeline import EventQueue, Trace


class Mishaps:
    """Cuts power, damages disks and puts back old ones; `restart` starts a node that may be running."""

    def __init__(
        self,
        plan: ClusterPlan,
        queue: EventQueue,
        trace: Trace,
        nodes: Sequence[ClusterNode],
        restart: Callable[[ClusterNode], None],
    ) -> None:
        self._plan, self._queue, self._trace = plan, queue, trace
        self._nodes, self._restart = nodes, restart

    def schedule(self) -> None:
        """Plan all of it."""
        after = self._queue.after
        for outage in self._plan.outages:
            after(outage.at_ns, partial(self._cut_power, outage))
        for damage in self._plan.damages:
            after(damage.at_ns, partial(self._damage, damage))
        for backup in self._plan.backups:
            after(backup.made_ns, partial(self._back_up, backup))
        after(self._plan.healed_ns, self._heal)

    def _back_up(self, backup: OldBackup) -> None:
        """Copy a disk now and put it back later."""
        copy = self._nodes[backup.node].disk.back_up()
        self._queue.after(backup.restored_ns - backup.made_ns, partial(self._put_back, backup, copy))

    def _put_back(self, backup: OldBackup, copy: DiskCopy) -> None:
        node = self._nodes[backup.node]
        self._trace.note("node", node.index, "gets an old backup, its guard:", backup.guard.value)
        node.turns = None
        node.disk.put_back(copy, backup.guard)
        self._restart(node)

    def _damage(self, damage: Damage) -> None:
        node = self._nodes[damage.node]
        self._trace.note("node", node.index, "has a bad disk:", node.disk.befall(damage.fault))
        self._cut_power(Outage(damage.at_ns, damage.node, damage.down_ns, damage.operations))

    def _cut_power(self, outage: Outage) -> None:
        node = self._nodes[outage.node]
        if node.up:
            node.disk.power.fail_after(outage.operations)
            self._queue.after(outage.down_ns, partial(self._restart, node))

    def _heal(self) -> None:
        """From now on only cheats are left: disks are repaired, and whoever waited for that starts."""
        self._trace.note("the cell is healed")
        for node in self._nodes:
            node.disk.power.restore()
            node.disk.health.refuses = node.disk.health.mishap = None
            node.disk.operation_ns = 0
