"""The voltage along a radial feeder by LinDistFlow, for many moments at once. W, var, V (line to line), ohm.

M. E. Baran and F. F. Wu, "Optimal capacitor placement on radial distribution systems", IEEE Transactions on Power
Delivery 4(1), 1989: the branch-flow equations without the losses' terms, so voltages come out slightly high where
much is withdrawn. Injection positive; three-phase balanced, powers are of all three phases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.grid.system import Floats


@dataclass(frozen=True, slots=True)
class FeederNode:
    """A node and the line that leads to it from its parent (None: the feeder's root)."""

    name: str
    parent: str | None
    r_ohm: float
    x_ohm: float


class RadialFeeder:
    """A tree of nodes below a root whose voltage is given."""

    def __init__(self, nodes: Sequence[FeederNode]) -> None:
        """In any order; every parent must be the root or a node, every name unique, no circles (ValueError)."""
        known = {node.name: node for node in nodes}
        if len(known) < len(nodes):
            raise ValueError("a node of the feeder has the name of another")
        ordered: list[FeederNode] = []
        placed: set[str | None] = {None}
        waiting = list(nodes)
        while waiting:
            ready = [node for node in waiting if node.parent in placed]
            if not ready:
                raise ValueError(f"{waiting[0].name} does not hang on the root")
            ordered += ready
            placed |= {node.name for node in ready}
            waiting = [node for node in waiting if node.name not in placed]
        self.nodes = tuple(ordered)
        index = {node.name: place for place, node in enumerate(ordered)}
        self._parents = [-1 if node.parent is None else index[node.parent] for node in ordered]

    @property
    def names(self) -> tuple[str, ...]:
        """The order of nodes in every array: parents before their children."""
        return tuple(node.name for node in self.nodes)

    def downstream(self, injected: Floats) -> Floats:
        """What flows up each line: the sum of all injections at and below it. Shape: moments x nodes."""
        flow = np.array(injected, dtype=np.float64)
        for place in range(len(self.nodes) - 1, -1, -1):
            if self._parents[place] >= 0:
                flow[:, self._parents[place]] += flow[:, place]
        return flow

    def voltages_v(self, root_v: float, injected_w: Floats, injected_var: Floats) -> Floats:
        """The voltage at each node. Shapes: moments x nodes, in the order of `names`."""
        active, reactive = self.downstream(injected_w), self.downstream(injected_var)
        squared = np.empty_like(active)
        for place, node in enumerate(self.nodes):
            parent = self._parents[place]
            before = root_v**2 if parent < 0 else squared[:, parent]
            squared[:, place] = before + 2 * (node.r_ohm * active[:, place] + node.x_ohm * reactive[:, place])
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)), dtype=np.float64)
