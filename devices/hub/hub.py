"""The hub of one home: watches circuits and sockets, names devices, and says what may sleep. A core: time is in
the images.

What it learns is kept as a `HomeUse`; nothing of that leaves the node but through `devices.hub.privacy.release`. Power
drawn is positive here, setpoints are negative as everywhere.
"""

from collections import deque
from collections.abc import Mapping

from devices.hub.clusters import Cluster, SocketUse, clusters, standby
from devices.hub.demand import NS_PER_S, Demand, DemandMeter, samples
from devices.hub.home_use import MOST_WINDOWS, CircuitUse, HomeUse
from devices.hub.recognition import DeviceKind, Recognised, by_enumeration, by_trace
from devices.hub.watched import Watched
from devices.image import ProcessImage
from devices.messages.control_messages import WatchedReport
from devices.power.allocation import Setpoint

SAMPLE_S = 30
"""One sample per so much cell time is kept: short enough for a kettle."""
MOST_SAMPLES = 7 * 86_400 // SAMPLE_S
USE_NS = 300 * NS_PER_S
"""One sample of every five minutes is compared for clusters."""
LEARNS_EVERY_NS = 6 * 3600 * NS_PER_S
"""How long a recognition or a set of clusters is used before it is worked out again (cell time)."""
FORGETS_AFTER = 86_400 // SAMPLE_S
"""Samples after which what a device was taken for before a restart no longer counts beside its own trace."""
NOT_YET = Recognised(DeviceKind.UNKNOWN, "not watched for long enough")
ON_PART = 2.0
"""A device is on when it draws more than so many times its standby."""


class Hub:
    """Watches and learns. Give it every process image."""

    def __init__(
        self,
        watched: tuple[Watched, ...],
        window_s: int = 900,
        patience_s: float = 600.0,
        known: HomeUse | None = None,
    ) -> None:
        """`patience_s`: for how long a main device is off before its peripherals may sleep (cell time). `known`: what
        was learned before a restart.
        """
        self._watched = {each.name: each for each in watched}
        self._window_s = window_s
        self._patience_s = patience_s
        self._meters = {name: DemandMeter(name, window_s * NS_PER_S, MOST_SAMPLES) for name in self._watched}
        self._demands: dict[str, deque[Demand]] = {name: deque(maxlen=MOST_WINDOWS) for name in self._watched}
        self._next_ns = 0
        self._now_ns = 0
        self._off_since_ns: dict[str, int] = {}
        self._learned: dict[str, tuple[int, Recognised]] = {}
        self._clusters: tuple[int, tuple[Cluster, ...]] | None = None
        self._before: dict[str, Recognised] = {}
        if known is not None and known.window_s == window_s:
            for each in known.circuits:
                if each.name in self._watched:
                    self._demands[each.name].extend(each.windows)
                    self._before[each.name] = Recognised(each.kind, each.why)
        self.asleep: tuple[Setpoint, ...] = ()
        """Standby limits as of the last sample, from what was learned lately: cheap enough for a control cycle."""

    def observe(self, image: ProcessImage, max_age_ns: int) -> None:
        """Take one image; those in between two samples are let pass."""
        self._now_ns = max(self._now_ns, image.time.cell_ns)
        if image.time.cell_ns < self._next_ns:
            return
        self._next_ns = image.time.cell_ns + SAMPLE_S * NS_PER_S
        for name, sample in samples(image, max_age_ns).items():
            if name in self._meters:
                for window in self._meters[name].add(sample):
                    self._keep(name, window)
                off = sample.drawn_w is not None and sample.drawn_w <= ON_PART * self._watched[name].standby_w
                if not off:
                    self._off_since_ns.pop(name, None)
                else:
                    self._off_since_ns.setdefault(name, sample.cell_ns)
        self._learn()
        found = () if self._clusters is None else self._clusters[1]
        self.asleep = standby(self._uses(with_series=False), found, self._off_for_s(), self._patience_s)

    def demands(self, name: str) -> tuple[Demand, ...]:
        """The latest complete windows of a circuit or socket, oldest first."""
        return tuple(self._demands[name])

    def recognised(self) -> Mapping[str, Recognised]:
        """What each device is: as the owner says, as it enumerates, or as it draws; in this order."""
        return {name: self._kind(each) for name, each in self._watched.items()}

    @property
    def learned(self) -> Mapping[str, Recognised]:
        """What each device was recognised as when that was last worked out."""
        return {name: found for name, (_, found) in self._learned.items()}

    def reports(self, asleep: tuple[Setpoint, ...]) -> tuple[WatchedReport, ...]:
        """What the daemon is told of each device: what it is, why, and whether it is among the `asleep`."""
        sleeping = {each.name for each in asleep}
        return tuple(
            WatchedReport(name, found.kind.value, found.why, name in sleeping)
            for name, found in self.learned.items()
        )

    def clusters(self) -> tuple[Cluster, ...]:
        """Devices that are used together."""
        return clusters(self._uses())

    def limits(self) -> tuple[Setpoint, ...]:
        """Standby for the peripherals of main devices that have been off long enough."""
        uses = self._uses()
        return standby(uses, clusters(uses), self._off_for_s(), self._patience_s)

    @property
    def use(self) -> HomeUse:
        """All that was learned, to be kept."""
        circuits = []
        for name, each in self._watched.items():
            found = self.learned.get(name) or self._before.get(name) or NOT_YET
            circuits.append(CircuitUse(name, found.kind, found.why, each.direct_current, self.demands(name)))
        return HomeUse(self._window_s, self._now_ns, tuple(circuits))

    def _keep(self, name: str, window: Demand) -> None:
        kept = self._demands[name]
        if kept and kept[-1].start_ns >= window.start_ns:
            kept.clear()  # The clock of the cell was set back: what was kept is of another time.
        kept.append(window)

    def _kind(self, each: Watched) -> Recognised:
        if each.told is not None:
            return Recognised(each.told, "the owner says so")
        if each.identity is not None:
            found = by_enumeration(each.identity)
            if found.kind is not DeviceKind.UNKNOWN:
                return found
        trace = self._meters[each.name].trace
        found, before = by_trace(trace), self._before.get(each.name)
        if found.kind is DeviceKind.UNKNOWN and before is not None and len(trace) < FORGETS_AFTER:
            return before
        return found

    def _learn(self) -> None:
        """Work out one thing that is due: a device's kind, or the clusters."""
        due_ns = self._now_ns - LEARNS_EVERY_NS
        for name, each in self._watched.items():
            if name not in self._learned or self._learned[name][0] <= due_ns:
                self._learned[name] = (self._now_ns, self._kind(each))
                return
        if self._clusters is None or self._clusters[0] <= due_ns:
            self._clusters = (self._now_ns, clusters(self._uses()))

    def _uses(self, *, with_series: bool = True) -> tuple[SocketUse, ...]:
        """The on-states of all, over the samples that every one of them has; kinds as learned."""
        known: dict[str, dict[int, float]] = {name: {} for name in self._meters}
        for name, meter in self._meters.items() if with_series else ():
            for sample in meter.trace:
                if sample.drawn_w is not None:
                    known[name].setdefault(sample.cell_ns // USE_NS, sample.drawn_w)
        seen = [set(trace) for trace in known.values() if trace]
        moments = sorted(set.intersection(*seen)) if seen else []
        return tuple(
            SocketUse(
                name=name,
                kind=self._learned[name][1].kind if name in self._learned else DeviceKind.UNKNOWN,
                on=tuple(trace[moment] > ON_PART * each.standby_w for moment in moments) if trace else (),
                standby_w=each.standby_w,
                may_stand_by=each.may_stand_by,
            )
            for (name, each), trace in zip(self._watched.items(), known.values(), strict=True)
            if trace or not with_series
        )

    def _off_for_s(self) -> dict[str, float]:
        """How long each device has been off without a break; an unknown sample breaks it."""
        return {name: (self._now_ns - since_ns) / NS_PER_S for name, since_ns in self._off_since_ns.items()}
