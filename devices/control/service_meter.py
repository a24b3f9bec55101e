"""What services asked of a node and what it gave, interval by interval, from the records of its cycles.

Power W, energies in reports mWh; up is injecting more. Time is cell time. A decision counts from its own cycle until
the next one, or until its setpoints' leases run out, and on the side of an interval's end on which it acted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from devices.dispatch.cycle_record import CycleRecord
from devices.messages.control_messages import MeterRecord, ServiceEnergy
from devices.response.fast_response import asked_w

W_NS_PER_WH = 3_600e9
W_NS_PER_MWH = 3_600e6
PPM = 1_000_000


@dataclass(slots=True)
class _Sums:
    """One service in one interval: time available, and W times ns, each at least 0."""

    available_ns: int = 0
    asked_up: float = 0.0
    asked_down: float = 0.0
    delivered_up: float = 0.0
    delivered_down: float = 0.0


@dataclass(slots=True)
class _Interval:
    services: dict[str, _Sums] = field(default_factory=dict)
    response_w_ns: float = 0.0


class ServiceMeter:
    """The services of one node. `acting_ns` is how long a decision acts at most."""

    def __init__(self, interval_ns: int, acting_ns: int) -> None:
        self._interval_ns = interval_ns
        self._acting_ns = acting_ns
        self._intervals: dict[int, _Interval] = {}

    def count(self, last: CycleRecord, now_ns: int) -> None:
        """Count what the last decision did until now."""
        for interval, lasted_ns in self._spans(last.time.cell_ns, now_ns):
            found = self._intervals.setdefault(interval, _Interval())
            _count(found, last, lasted_ns)

    def response_wh(self, interval: int) -> float:
        """What all responses moved in an interval so far: no position is responsible for it."""
        found = self._intervals.get(interval)
        return 0.0 if found is None else found.response_w_ns / W_NS_PER_WH

    def close(self, record: MeterRecord) -> MeterRecord:
        """The record of an interval that is over, with its services; what is as old or older is forgotten."""
        found = self._intervals.get(record.interval, _Interval())
        self._intervals = {key: kept for key, kept in self._intervals.items() if key > record.interval}
        services = tuple(
            _energy(name, sums, self._interval_ns) for name, sums in sorted(found.services.items())
        )
        return replace(record, services=services)

    def _spans(self, begin_ns: int, now_ns: int) -> Iterator[tuple[int, int]]:
        """The intervals between two moments, as far as a decision of the first acts, and how long in each."""
        end_ns = min(now_ns, begin_ns + self._acting_ns)
        while begin_ns < end_ns:
            interval = begin_ns // self._interval_ns
            until_ns = min(end_ns, (interval + 1) * self._interval_ns)
            yield interval, until_ns - begin_ns
            begin_ns = until_ns


def _count(found: _Interval, last: CycleRecord, lasted_ns: int) -> None:
    inputs, decision = last.inputs.response, last.decision
    found.response_w_ns += decision.response_w * lasted_ns
    given = decision.response_w / decision.offset_w if decision.offset_w else 0.0
    given = min(max(given, 0.0), 1.0)
    for each in inputs.armed:
        sums = found.services.setdefault(each.curve.name, _Sums())
        power_w = asked_w(each, inputs)
        sums.available_ns += lasted_ns if decision.armed_available else 0
        sums.asked_up += max(0.0, power_w) * lasted_ns
        sums.asked_down += max(0.0, -power_w) * lasted_ns
        sums.delivered_up += max(0.0, power_w) * given * lasted_ns
        sums.delivered_down += max(0.0, -power_w) * given * lasted_ns


def _energy(name: str, sums: _Sums, interval_ns: int) -> ServiceEnergy:
    """What is reported: whole millionths and mWh, rounded down, and nothing delivered that was not asked."""
    up, down = int(sums.asked_up / W_NS_PER_MWH), int(sums.asked_down / W_NS_PER_MWH)
    return ServiceEnergy(
        name=name,
        available_ppm=min(PPM, sums.available_ns * PPM // interval_ns),
        asked_up=up,
        asked_down=down,
        delivered_up=min(up, int(sums.delivered_up / W_NS_PER_MWH)),
        delivered_down=min(down, int(sums.delivered_down / W_NS_PER_MWH)),
    )
