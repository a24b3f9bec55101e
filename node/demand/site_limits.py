"""The limits of the own site that a VTN asks for, beside this member's part of a branch limit. Sans-IO.

Power W, injection positive. A limit is leased to the control process until the event's end, so it ends by itself, and
holds though the daemon or the VTN dies meanwhile.
"""

from dataclasses import dataclass

from devices.limits import PowerRange, narrow
from devices.openadr.timeline import Matter, Timeline
from devices.orders import Restrict
from market.units import NS_PER_S
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

    def wanted(self, timeline: Timeline, now_ns: int) -> PowerRange | None:
        """What the connection may carry at a moment; None without a limit."""
        drawn, given = (timeline.at(matter, now_ns) for matter in (Matter.IMPORT_LIMIT, Matter.EXPORT_LIMIT))
        level = timeline.at(Matter.LEVEL, now_ns)
        imports = [] if drawn is None else [drawn.value]
        if level is not None and level.value > 0:
            imports.append(self.level_shares[int(level.value)] * self.import_limit_w)
        if not imports and given is None:
            return None
        least_w = -max(self.least_import_w, min(imports)) if imports else UNLIMITED.minimum_w
        return PowerRange(least_w, UNLIMITED.maximum_w if given is None else given.value)


@dataclass(slots=True)
class SiteLimits:
    """What control was told of limits; `rule` is None for a node whose site no VTN limits."""

    rule: SiteRule | None
    _part: tuple[PowerRange, int] | None = None
    _told: PowerRange | None = None
    _until_ns: int = 0
    _renew_real_ns: int = 0

    def due(self, part: tuple[PowerRange, int] | None, timeline: Timeline, now: Now) -> list[Effect]:
        """Orders of this second; `part` is a new part of a branch limit, with the cell time of its end."""
        if part is not None or (self._part is not None and self._part[1] <= now.cell_ns):
            self._part = part
        wanted = None if self.rule is None else self.rule.wanted(timeline, now.cell_ns)
        if wanted is None:
            return self._without(part, now)
        limits, until_ns = wanted, timeline.ends(now.cell_ns, SITE_MATTERS)
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
