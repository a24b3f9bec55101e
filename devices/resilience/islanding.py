"""Whether the public grid is there: detected by the node's own meter, declared for the whole cell by its word.

Hz, per unit of nominal voltage, real time in ns. What is not measured proves nothing, neither that the grid failed
nor that it is back.
"""

from dataclasses import dataclass, replace
from enum import Enum

from devices.response.response_curve import Band

NS_PER_S = 1_000_000_000
DEAD_PU = 0.1
"""Below this nothing holds the bus: what is left is induced or capacitive."""


@dataclass(frozen=True, slots=True)
class GridReading:
    """What the node's meter shows at the connection; None where it is not known.

    `breaker_closed` is the breaker towards the public grid. `public_*` is measured on the grid's side of it. `fed`:
    whether the UPSs of the site are fed, where all that are known agree; it counts where nothing measures the grid.
    """

    frequency_hz: float | None
    voltage_pu: float | None
    breaker_closed: bool | None = None
    public_frequency_hz: float | None = None
    public_voltage_pu: float | None = None
    fed: bool | None = None


KEPT_HZ = Band(47.5, 51.5)
KEPT_PU = Band(0.85, 1.15)
"""EN 50549-1:2019, 4.9.3: the usual settings of interface protection."""
BACK_HZ = Band(49.5, 50.2)
BACK_PU = Band(0.85, 1.10)
"""EN 50549-1:2019, 4.10.2: automatic reconnection, default settings, for 60 s."""


@dataclass(frozen=True, slots=True)
class IslandLimits:
    """When the grid counts as lost, and when as back."""

    frequency_hz: Band = KEPT_HZ
    voltage_pu: Band = KEPT_PU
    lost_after_s: float = 0.5
    back_frequency_hz: Band = BACK_HZ
    back_voltage_pu: Band = BACK_PU
    back_after_s: float = 60.0


class Finding(Enum):
    """What a node's own meter says."""

    CONNECTED = "connected"
    ISLANDED = "islanded"
    DEAD_BUS = "dead-bus"


@dataclass(frozen=True, slots=True)
class Detector:
    """The finding that holds, and since when the meter has been saying something else."""

    finding: Finding = Finding.CONNECTED
    contrary_since_ns: int | None = None
    public_good_since_ns: int | None = None

    def step(self, reading: GridReading, limits: IslandLimits, now_ns: int) -> "Detector":
        """The detector after one reading.

        An open breaker counts at once; a dead bus, or frequency and voltage out of their bands, once it has lasted
        `lost_after_s`. Good values with the breaker known closed count as long; while the breaker is not known they
        may be those of an island that somebody forms, so they must last as long as a reconnection.
        """
        seen = _seen(reading, limits)
        good_since_ns = self._public_good(reading, limits, now_ns)
        if seen is None or seen is self.finding:
            return replace(self, contrary_since_ns=None, public_good_since_ns=good_since_ns)
        since_ns = now_ns if self.contrary_since_ns is None else self.contrary_since_ns
        wait_s = limits.lost_after_s
        if seen is Finding.ISLANDED and reading.breaker_closed is False and self.finding is Finding.CONNECTED:
            wait_s = 0.0
        if seen is Finding.CONNECTED and reading.breaker_closed is None:
            wait_s = limits.back_after_s
        if now_ns - since_ns >= wait_s * NS_PER_S:
            return Detector(seen, None, good_since_ns)
        return replace(self, contrary_since_ns=since_ns, public_good_since_ns=good_since_ns)

    def public_is_back(self, limits: IslandLimits, now_ns: int) -> bool:
        """Whether the grid beyond the breaker has been good for as long as reconnection demands."""
        since_ns = self.public_good_since_ns
        return since_ns is not None and now_ns - since_ns >= limits.back_after_s * NS_PER_S

    def _public_good(self, reading: GridReading, limits: IslandLimits, now_ns: int) -> int | None:
        frequency_hz, voltage_pu = reading.public_frequency_hz, reading.public_voltage_pu
        if frequency_hz is None or voltage_pu is None:
            return None
        if not (limits.back_frequency_hz.holds(frequency_hz) and limits.back_voltage_pu.holds(voltage_pu)):
            return None
        return now_ns if self.public_good_since_ns is None else self.public_good_since_ns


def _seen(reading: GridReading, limits: IslandLimits) -> Finding | None:
    """What one reading says by itself; None where it proves nothing."""
    voltage_pu, frequency_hz = reading.voltage_pu, reading.frequency_hz
    if voltage_pu is not None and voltage_pu < DEAD_PU:
        return Finding.DEAD_BUS
    if reading.breaker_closed is False:
        return Finding.ISLANDED
    if voltage_pu is None and frequency_hz is None and reading.fed is not None:
        return Finding.CONNECTED if reading.fed else Finding.ISLANDED
    if voltage_pu is None or frequency_hz is None:
        return None
    good = limits.voltage_pu.holds(voltage_pu) and limits.frequency_hz.holds(frequency_hz)
    return Finding.CONNECTED if good else Finding.ISLANDED


class Emergency(Enum):
    """The emergency that acts on a node: none, its own, or one that the cell has declared."""

    NONE = "none"
    LOCAL = "local"
    DECLARED = "declared"


def emergency(*, alone: bool, declared: bool) -> Emergency:
    """The emergency that acts on this node.

    `alone`: its own state is one of an outage, which acts in full and goes before what others say. `declared`: the
    cell's agreed word, by a dso or by more members than may lie, runs. It is a lease that ends where agreement does:
    without a quorum nothing new is declared, and only what the node itself finds acts.
    """
    if alone:
        return Emergency.LOCAL
    return Emergency.DECLARED if declared else Emergency.NONE


def reserve_released(own: Finding, reading: GridReading, owner_releases: bool) -> bool:
    """Whether the owner's reserve may be used: by the owner's word, or in a real outage that this node itself sees.

    Real is a dead bus, or an open breaker towards the public grid. What others declare, be it signed by the dso,
    releases nobody's reserve, and neither do values out of band while the breaker is closed or not known.
    """
    if owner_releases or own is Finding.DEAD_BUS:
        return True
    return own is Finding.ISLANDED and reading.breaker_closed is False
