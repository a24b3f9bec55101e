"""What a VTN asks of a dso, said in its feed: requests of a service, and limits of a branch. Sans-IO.

An entry cannot be taken back. So a request covers a slice of cell time at most, and the next one is made only while the
event is still there: what is modified or deleted ends with its slice. A limit is said interval by interval, for the one
whose gate closes next. Power mW, up (injecting more) positive.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from devices.openadr.timeline import Matter, Timeline
from ledger.errors import Malformed
from ledger.records.entries import Entry
from market.cell_state import CellState
from market.errors import MalformedPayload
from market.payloads import Kind, decode_limit, encode_limit
from market.rules import BranchLimit
from market.services.payloads import Cause, ServiceRequest, decode_request, encode_request
from market.units import MW_PER_W, NS_PER_S
from node.events import Effect, Now, Report, SignEntry

LEAD_REAL_S = 2
"""Real seconds before a slice begins in which it is asked for: gossip takes less."""
SHORTEST_SLICE_REAL_S = 5
"""Real seconds of a slice at least, however fast the cell's clock runs: entries are not for free."""
MOST_REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class DsoRule:
    """What a dso's node does of events: the service it calls, the branch it is for, and what levels call (W)."""

    member: bytes
    service: bytes | None
    branch: str | None
    level_w: tuple[float, ...]
    request_s: int

    def power_mw(self, timeline: Timeline, now_ns: int) -> int:
        """What is to be called at a moment: a change of consumption, else what the level stands for."""
        change, level = (timeline.at(matter, now_ns) for matter in (Matter.CHANGE, Matter.LEVEL))
        if change is not None:
            return -round(change.value * MW_PER_W)
        if level is not None and self.level_w:
            return round(self.level_w[int(level.value)] * MW_PER_W)
        return 0


@dataclass(frozen=True, slots=True)
class _Asked:
    start_ns: int
    end_ns: int
    power_mw: int


@dataclass(slots=True)
class Calls:
    """What one dso has said for its VTN, and what is to be said next."""

    rule: DsoRule
    _asked: list[_Asked] = field(default_factory=list)
    _limited: dict[int, int] = field(default_factory=dict)
    _complaint: str = ""

    def remember(self, entries: Iterable[Entry]) -> None:
        """What our feed says already, as far as it is read again at a start."""
        for entry in entries:
            try:
                if entry.kind == Kind.REQUEST:
                    request = decode_request(entry.payload)
                    if request.name == self.rule.service:
                        self._asked.append(_Asked(request.start_ns, request.end_ns, request.power_mw))
                elif entry.kind == Kind.LIMIT:
                    limit = decode_limit(entry.payload)
                    if limit.first == limit.last:
                        self._limited[limit.first] = limit.limit_mw
            except (MalformedPayload, Malformed):
                continue

    def due(self, state: CellState, timeline: Timeline, now: Now) -> list[Effect]:
        """What is to be said at this moment, by a node that may speak."""
        self._asked = [each for each in self._asked if each.end_ns > now.cell_ns][-MOST_REMEMBERED:]
        return [*self._requests(state, timeline, now), *self._limits(state, timeline, now)]

    def _requests(self, state: CellState, timeline: Timeline, now: Now) -> list[Effect]:
        if self.rule.service is None:
            return []
        slice_ns = max(self.rule.request_s, SHORTEST_SLICE_REAL_S * now.speed) * NS_PER_S
        at_ns, last_ns = _second(now.cell_ns), now.cell_ns + LEAD_REAL_S * now.speed * NS_PER_S
        effects: list[Effect] = []
        while at_ns <= last_ns:
            until_ns = self._same_until(timeline, at_ns, (at_ns // slice_ns + 1) * slice_ns)
            missing_mw = self._missing_mw(self.rule.power_mw(timeline, at_ns), at_ns)
            if missing_mw:
                effects += self._request(state, at_ns, until_ns, missing_mw, now)
            at_ns = until_ns
        return effects

    def _same_until(self, timeline: Timeline, at_ns: int, end_ns: int) -> int:
        """Until when the power of a moment is called, `end_ns` at the latest; whole seconds, and at least one."""
        power_mw, until_ns = self.rule.power_mw(timeline, at_ns), at_ns
        while until_ns < end_ns and self.rule.power_mw(timeline, until_ns) == power_mw:
            until_ns = timeline.next_change(until_ns, (Matter.CHANGE, Matter.LEVEL))
        return max(_second(min(until_ns, end_ns)), at_ns + NS_PER_S)

    def _missing_mw(self, wanted_mw: int, at_ns: int) -> int:
        """What is still to be asked for: never against what was asked for already, which ends by itself."""
        asked_mw = sum(each.power_mw for each in self._asked if each.start_ns <= at_ns < each.end_ns)
        if wanted_mw * asked_mw < 0 or abs(wanted_mw) <= abs(asked_mw):
            return 0
        return wanted_mw - asked_mw

    def _request(self, state: CellState, start_ns: int, end_ns: int, power_mw: int, now: Now) -> list[Effect]:
        service = self.rule.service
        assert service is not None, "only a rule with a service asks for power"
        interval = state.rules.calendar.index_of(start_ns)
        terms = state.services.terms_at(service, interval)
        if terms is None or not terms.terms.requested or terms.payer != self.rule.member:
            return self._complain(
                f"{service.decode()} is no requested service of this dso; buy it with `wattswarm cell service"
                f" {service.decode()} --requested`"
            )
        request = ServiceRequest(
            name=service,
            cause=Cause.DEMAND_SURGE,
            power_mw=power_mw,
            start_ns=start_ns,
            duration_s=(end_ns - start_ns) // NS_PER_S,
            branch=self._branch(state),
        )
        self._asked.append(_Asked(start_ns, end_ns, power_mw))
        self._complaint = ""
        entry = SignEntry(int(Kind.REQUEST), interval, now.cell_ns, encode_request(request))
        fields: dict[str, object] = {"power_mw": power_mw, "seconds": request.duration_s}
        return [entry, Report("demand_request", fields)]

    def _limits(self, state: CellState, timeline: Timeline, now: Now) -> list[Effect]:
        calendar = state.rules.calendar
        interval = calendar.next_gate(now.cell_ns)
        self._limited = {key: value for key, value in self._limited.items() if key >= interval - 1}
        branch = self._branch(state)
        bounds = (
            timeline.lowest(matter, calendar.start_ns(interval), calendar.end_ns(interval))
            for matter in (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT)
        )
        found = [bound for bound in bounds if bound is not None]
        if branch is None or not found:
            return []
        limit_mw = round(min(found) * MW_PER_W)
        said_mw = self._limited.get(interval)
        if said_mw is not None and said_mw <= limit_mw:
            return []
        self._limited[interval] = limit_mw
        payload = encode_limit(BranchLimit(branch, interval, interval, limit_mw))
        fields: dict[str, object] = {"interval": interval, "limit_mw": limit_mw}
        return [
            SignEntry(int(Kind.LIMIT), interval, now.cell_ns, payload),
            Report("demand_branch_limit", fields),
        ]

    def _branch(self, state: CellState) -> int | None:
        names = [branch.name for branch in state.rules.branches]
        return None if self.rule.branch not in names else names.index(self.rule.branch)

    def _complain(self, reason: str) -> list[Effect]:
        """Say why nothing is called, once."""
        if reason == self._complaint:
            return []
        self._complaint = reason
        return [Report("demand_not_called", {"reason": reason})]


def _second(at_ns: int) -> int:
    return at_ns // NS_PER_S * NS_PER_S
