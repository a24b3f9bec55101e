"""Clusters of use: sockets that are on and off together, and the peripherals that sleep with their main device.

Which sockets belong together is read from the correlation of their on-states (the phi coefficient, Pearson's r
of two binary series; Yule, J. Royal Statistical Society 75 (1912) 579). Only devices whose owner allows it, and
never one whose kind is unknown or that runs for others (network equipment, fridges), is put into standby.
"""

import math
from dataclasses import dataclass
from itertools import combinations, pairwise

from devices.hub.recognition import DeviceKind
from devices.power.allocation import Setpoint

LEAST_CORRELATION = 0.8
LEAST_CHANGES = 4
"""Two sockets that never switch are on together without belonging together."""
PERIPHERALS = frozenset({DeviceKind.MONITOR, DeviceKind.DOCK, DeviceKind.PERIPHERAL, DeviceKind.LIGHT})
MAIN = frozenset({DeviceKind.LAPTOP})


@dataclass(frozen=True, slots=True)
class SocketUse:
    """One socket: its device's kind, when it was on (one value per equal window), what it needs in standby, and
    whether its owner lets the hub put it into standby.
    """

    name: str
    kind: DeviceKind
    on: tuple[bool, ...]
    standby_w: float
    may_stand_by: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """Sockets used together: the main device's, and those of its peripherals."""

    main: str
    peripherals: tuple[str, ...]


def correlation(first: tuple[bool, ...], second: tuple[bool, ...]) -> float | None:
    """The phi coefficient of two on-series of equal length (ValueError if not); None where one never changes
    or both change too seldom to say.
    """
    if len(first) != len(second):
        raise ValueError(f"series of {len(first)} and {len(second)} windows")
    if _changes(first) < LEAST_CHANGES or _changes(second) < LEAST_CHANGES:
        return None
    both = sum(one and other for one, other in zip(first, second, strict=True))
    ones, others, all_ = sum(first), sum(second), len(first)
    spread = ones * (all_ - ones) * others * (all_ - others)
    return (all_ * both - ones * others) / math.sqrt(spread) if spread > 0 else None


def clusters(sockets: tuple[SocketUse, ...]) -> tuple[Cluster, ...]:
    """Each main device with the peripherals that correlate with it best and well enough, in order of names.

    A peripheral belongs to one main device at most: the one it correlates with most.
    """
    best: dict[str, tuple[float, str]] = {}
    for one, other in combinations(sorted(sockets, key=lambda socket: socket.name), 2):
        for main, peripheral in ((one, other), (other, one)):
            if main.kind not in MAIN or peripheral.kind not in PERIPHERALS:
                continue
            strength = correlation(main.on, peripheral.on)
            if strength is None or strength < LEAST_CORRELATION:
                continue
            if peripheral.name not in best or strength > best[peripheral.name][0]:
                best[peripheral.name] = (strength, main.name)
    mains = sorted({main for _, main in best.values()})
    return tuple(
        Cluster(main, tuple(name for name in sorted(best) if best[name][1] == main)) for main in mains
    )


def standby(
    sockets: tuple[SocketUse, ...], found: tuple[Cluster, ...], off_for_s: dict[str, float], patience_s: float
) -> tuple[Setpoint, ...]:
    """Limits for the peripherals of main devices that have been off for `patience_s`: their standby power.

    `off_for_s`: how long each socket's device has been off; one that is on, or of which nothing is known, is
    not in it, and its peripherals stay as they are. Withdrawal is negative in a setpoint.
    """
    by_name = {socket.name: socket for socket in sockets}
    return tuple(
        Setpoint(name, -by_name[name].standby_w)
        for cluster in found
        if off_for_s.get(cluster.main, -1.0) >= patience_s
        for name in cluster.peripherals
        if by_name[name].may_stand_by
    )


def _changes(series: tuple[bool, ...]) -> int:
    return sum(one != other for one, other in pairwise(series))
