"""The hub of one home: watches circuits and sockets, names devices, and says what may sleep. A core: time is in
the images.

Nothing of this leaves the node but through `devices.hub.privacy.release`. Power drawn is positive here, setpoints
are negative as everywhere.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from devices.allocation import Setpoint
from devices.hub.advice import Advice, DayOfUse, advise
from devices.hub.clusters import Cluster, SocketUse, clusters, standby
from devices.hub.demand import NS_PER_S, Demand, DemandMeter, samples, usual_day
from devices.hub.privacy import Audience, Policy, Released, release
from devices.hub.recognition import (
    DeviceKind,
    Recognised,
    UsbIdentity,
    by_enumeration,
    by_trace,
)
from devices.image import ProcessImage

SAMPLE_S = 30
"""One sample per so much cell time is kept: short enough for a kettle."""
MOST_SAMPLES = 7 * 86_400 // SAMPLE_S
MOST_WINDOWS = 7 * 96
"""A week of quarter hours."""
ON_PART = 2.0
"""A device is on when it draws more than so many times its standby."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A circuit or socket: what its device said when plugged in (None: it did not), what the owner knows it is,
    its standby power, whether it may be put into standby, and whether it is DC.
    """

    name: str
    identity: UsbIdentity | None = None
    told: DeviceKind | None = None
    standby_w: float = 1.0
    may_stand_by: bool = False
    direct_current: bool = False


class Hub:
    """Watches and advises. Give it every process image."""

    def __init__(self, watched: tuple[Watched, ...], window_s: int = 900, patience_s: float = 600.0) -> None:
        """`patience_s`: for how long a main device is off before its peripherals may sleep (cell time)."""
        self._watched = {each.name: each for each in watched}
        self._window_s = window_s
        self._patience_s = patience_s
        self._meters = {name: DemandMeter(name, window_s * NS_PER_S, MOST_SAMPLES) for name in self._watched}
        self._demands: dict[str, deque[Demand]] = {name: deque(maxlen=MOST_WINDOWS) for name in self._watched}
        self._next_ns = 0
        self._now_ns = 0

    def observe(self, image: ProcessImage, max_age_ns: int) -> None:
        """Take one image; those in between two samples are let pass."""
        self._now_ns = max(self._now_ns, image.time.cell_ns)
        if image.time.cell_ns < self._next_ns:
            return
        self._next_ns = image.time.cell_ns + SAMPLE_S * NS_PER_S
        for name, sample in samples(image, max_age_ns).items():
            if name in self._meters:
                self._demands[name].extend(self._meters[name].add(sample))

    def demands(self, name: str) -> tuple[Demand, ...]:
        """The latest complete windows of a circuit or socket, oldest first."""
        return tuple(self._demands[name])

    def recognised(self) -> Mapping[str, Recognised]:
        """What each device is: as the owner says, as it enumerates, or as it draws; in this order."""
        return {name: self._kind(each) for name, each in self._watched.items()}

    def clusters(self) -> tuple[Cluster, ...]:
        """Devices that are used together."""
        return clusters(self._uses())

    def limits(self) -> tuple[Setpoint, ...]:
        """Standby for the peripherals of main devices that have been off long enough."""
        uses = self._uses()
        return standby(uses, clusters(uses), self._off_for_s(), self._patience_s)

    def advice(self, price: tuple[float, ...]) -> tuple[Advice, ...]:
        """Advice from the usual day of everything watched; see `devices.hub.advice.advise`."""
        days = []
        for name, each in self._watched.items():
            usual = usual_day(self.demands(name), self._window_s * NS_PER_S)
            if usual is not None:
                days.append(DayOfUse(name, self._kind(each).kind, usual, each.direct_current))
        return advise(tuple(days), price)

    def released(self, policy: Policy, audience: Audience) -> tuple[Released, ...]:
        """What of all this the audience may see."""
        demands = tuple(each for name in self._watched for each in self.demands(name))
        return release(policy, audience, demands, self._window_s, self._now_ns)

    def _kind(self, each: Watched) -> Recognised:
        if each.told is not None:
            return Recognised(each.told, "the owner says so")
        if each.identity is not None:
            found = by_enumeration(each.identity)
            if found.kind is not DeviceKind.UNKNOWN:
                return found
        return by_trace(self._meters[each.name].trace)

    def _uses(self) -> tuple[SocketUse, ...]:
        """The on-states of all, over the samples that every one of them has."""
        traces = {
            name: {sample.cell_ns: sample.drawn_w for sample in meter.trace if sample.drawn_w is not None}
            for name, meter in self._meters.items()
        }
        seen = [set(trace) for trace in traces.values() if trace]
        moments = sorted(set.intersection(*seen)) if seen else []
        return tuple(
            SocketUse(
                name=name,
                kind=self._kind(each).kind,
                on=tuple(trace[moment] > ON_PART * each.standby_w for moment in moments) if trace else (),
                standby_w=each.standby_w,
                may_stand_by=each.may_stand_by,
            )
            for (name, each), trace in zip(self._watched.items(), traces.values(), strict=True)
            if trace
        )

    def _off_for_s(self) -> dict[str, float]:
        """How long each device has been off without a break; an unknown sample breaks it."""
        found = {}
        for name, meter in self._meters.items():
            off_since_ns = None
            for sample in reversed(meter.trace):
                on = sample.drawn_w is None or sample.drawn_w > ON_PART * self._watched[name].standby_w
                if on:
                    break
                off_since_ns = sample.cell_ns
            if off_since_ns is not None:
                found[name] = (self._now_ns - off_since_ns) / NS_PER_S
        return found
