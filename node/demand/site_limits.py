"""The limits of the own site that a VTN asks for, beside this member's part of a branch limit. Sans-IO.

A change to less is a limit, too: what the site drew before it, less what is asked for. To more no site is made.

Power W, injection positive. A limit is leased to the control process until the event's end, so it ends by itself, and
holds though the daemon or the VTN dies meanwhile.
"""

from dataclasses import dataclass, field

from devices.limits import PowerRange, narrow
from devices.messages.orders import Restrict
from devices.openadr.timeline import Matter, Timeline
from market.units import NS_PER_S
from node.demand.baseline import Baseline
from node.events import Effect, Now, Order, Report

UNLIMITED = PowerRange(-1e9, 1e9)
"""What the site's own limits are not narrowed by."""
LONGEST_S = 2 * 86_400.0
"""Real seconds of one lease, renewed at half time; control takes a week at most."""
SITE_MATTERS = (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT, Matter.LEVEL)


@dataclass(frozen=True, slots=True)
class SiteRule:
    """What levels mean for a site (parts of its import limit), and the import that is always left; W, at least 0."""

    import_limit_w: float
    level_shares: tuple[float, ...]
    least_import_w: float

    def wanted(self, timeline: Timeline, now_ns: int, drawn_w: float | None = None) -> PowerRange | None:
        """What the connection may carry at a moment; None without a limit.

        `drawn_w` is what the site drew before a change that holds now; without it there is nothing to do of one.
        """
        drawn, given = (timeline.at(matter, now_ns) for matter in (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT))
        level = timeline.at(Matter.LEVEL, now_ns)
        imports = [] if drawn is None else [drawn.value]
        if level is not None and level.value > 0:
            imports.append(self.level_shares[int(level.value)] * self.import_limit_w)
        change = timeline.at(Matter.CHANGE, now_ns)
        if change is not None and change.value < 0 and drawn_w is not None:
            imports.append(drawn_w + change.value)
        if not imports and given is None:
            return None
        least_w = -max(self.least_import_w, min(imports)) if imports else UNLIMITED.minimum_w
        return PowerRange(least_w, UNLIMITED.maximum_w if given is None else given.value)


@dataclass(slots=True)
class SiteLimits:
    """What control was told of limits; `rule` is None for a node whose site no VTN limits."""

    rule: SiteRule | None
    baseline: Baseline = field(default_factory=Baseline)
    _part: tuple[PowerRange, int] | None = None
    _told: PowerRange | None = None
    _until_ns: int = 0
    _renew_real_ns: int = 0
    _not_called_ns: int | None = None

    def due(self, part: tuple[PowerRange, int] | None, timeline: Timeline, now: Now) -> list[Effect]:
        """Orders of this second; `part` is a new part of a branch limit, with the cell time of its end."""
        if part is not None or (self._part is not None and self._part[1] <= now.cell_ns):
            self._part = part
        if self.rule is None:
            return self._without(part, now)
        drawn_w = self.baseline.before_less(timeline, now.cell_ns)
        missed = self._missed(timeline, now) if drawn_w is None else []
        wanted = self.rule.wanted(timeline, now.cell_ns, drawn_w)
        if wanted is None:
            return [*missed, *self._without(part, now)]
        matters = SITE_MATTERS if drawn_w is None else (*SITE_MATTERS, Matter.CHANGE)
        return [*missed, *self._with(wanted, timeline.ends(now.cell_ns, matters), now)]

    def _with(self, wanted: PowerRange, until_ns: int, now: Now) -> list[Effect]:
        """A VTN limits us until then: the order, where it is new or has to be renewed."""
        limits = wanted
        if self._part is not None:
            limits, until_ns = narrow(self._part[0], wanted)[0], max(until_ns, self._part[1])
        if (limits, until_ns) == (self._told, self._until_ns) and now.real_ns < self._renew_real_ns:
            return []
        new = limits != self._told
        self._told, self._until_ns = limits, until_ns
        lasts_s = min((until_ns - now.cell_ns) / now.speed / NS_PER_S, LONGEST_S)
        self._renew_real_ns = now.real_ns + round(LONGEST_S / 2 * NS_PER_S)
        order = Order(Restrict(limits, UNLIMITED, lasts_s))
        fields: dict[str, object] = {"minimum_w": limits.minimum_w, "maximum_w": limits.maximum_w}
        return [order, *([Report("demand_limit", fields)] if new else [])]

    def _missed(self, timeline: Timeline, now: Now) -> list[Effect]:
        """Say once of a change that nobody knows what it is relative to."""
        change, began_ns = timeline.at(Matter.CHANGE, now.cell_ns), timeline.began(Matter.CHANGE, now.cell_ns)
        if change is None or change.value >= 0 or began_ns == self._not_called_ns:
            return []
        self._not_called_ns = began_ns
        reason = f"event {change.event}: the meter has no whole interval just before it began"
        return [Report("demand_not_called", {"reason": reason})]

    def _without(self, part: tuple[PowerRange, int] | None, now: Now) -> list[Effect]:
        """No VTN limits us: what a branch leaves us holds alone, and what was told before ends now."""
        ended, self._told = self._told is not None, None
        if self._part is None:
            over = Report("demand_limit", {"minimum_w": None, "maximum_w": None})
            return [Order(Restrict(UNLIMITED, UNLIMITED, 1.0)), over] if ended else []
        if part is None and not ended:
            return []
        limits, end_ns = self._part
        lasts_s = (end_ns - now.cell_ns) / now.speed / NS_PER_S
        return [Order(Restrict(limits, UNLIMITED, lasts_s))]
