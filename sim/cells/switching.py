"""Shell: a seeded cell that goes on to another version of the protocol, with members whose programs know it or do not.

This program knows every version that any of the simulated ones knows; what each simulated node speaks is its own. A
member that lacks the version is one of the `guests`: it must have stopped before it, and is asked for nothing more.
"""

from collections.abc import Callable
from functools import partial

from ledger.records import protocols
from ledger.records.changes import SwitchProtocol
from sim.cells.calm import INTERVAL_NS
from sim.cells.faults import ClusterPlan, S
from sim.cells.membership import ChangingCluster, PlannedChange
from sim.cells.node import ClusterNode
from sim.patches import Patches

ASKED_NS = 3 * S
"""When the operator proposes the switch."""


class SwitchingCluster(ChangingCluster):
    """`programs[index]` are the versions that a node's program knows; the operator proposes each of `switches`."""

    def __init__(
        self,
        seed: int,
        plan: ClusterPlan,
        programs: tuple[tuple[int, ...], ...],
        switches: tuple[SwitchProtocol, ...],
        *,
        guests: frozenset[int] = frozenset(),
        live: Callable[[str], None] | None = None,
    ) -> None:
        changes = tuple(
            PlannedChange(ASKED_NS + at * INTERVAL_NS, None, each) for at, each in enumerate(switches)
        )
        super().__init__(seed, len(programs), plan, changes, guests=guests, live=live)
        self._everything = sorted({protocols.FIRST, *(each for program in programs for each in program)})
        for node, program in zip(self.nodes, programs, strict=True):
            node.known = program

    def upgrade(self, at_ns: int, index: int, program: tuple[int, ...]) -> None:
        """At a moment of virtual time a node is stopped and started with another program."""
        self.after(at_ns, partial(self._start_with, self.nodes[index], program))

    def _play(self) -> None:
        with Patches() as patches:
            patches.setattr(protocols, "KNOWN", tuple(self._everything))
            super()._play()

    def _start_with(self, node: ClusterNode, program: tuple[int, ...]) -> None:
        node.known = program
        self._restart(node)
