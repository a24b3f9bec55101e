"""What a hub has learned of its home, as it is kept over a restart, and what its owner may read of it. Pure.

Power drawn is positive, energies in Wh, times in ns of cell time.
"""

from dataclasses import dataclass

from devices.hub.advice import DayOfUse
from devices.hub.demand import NS_PER_S, Demand, usual_day
from devices.hub.privacy import Audience, Policy, Released, release
from devices.hub.recognition import DeviceKind

MOST_WINDOWS = 7 * 96
"""A week of quarter hours."""


@dataclass(frozen=True, slots=True)
class CircuitUse:
    """One circuit or socket: what its device was taken for and why, and its latest windows, oldest first."""

    name: str
    kind: DeviceKind
    why: str
    direct_current: bool
    windows: tuple[Demand, ...]


@dataclass(frozen=True, slots=True)
class HomeUse:
    """A home as it was at `now_ns`, in windows of `window_s`."""

    window_s: int
    now_ns: int
    circuits: tuple[CircuitUse, ...]

    def problem(self) -> str:
        """What cannot be in it, in words; empty when all of it can. For what comes from a file."""
        if self.window_s <= 0:
            return "windows of no length"
        for each in self.circuits:
            starts = [window.start_ns for window in each.windows]
            if len(starts) > MOST_WINDOWS or starts != sorted(set(starts)):
                return f"{each.name}: more than {MOST_WINDOWS} windows, or out of order"
            if any(not 0.0 <= window.known <= 1.0 + 1e-9 or window.energy_wh < 0 for window in each.windows):
                return f"{each.name}: a window that cannot be"
        return ""

    def days(self) -> dict[str, DayOfUse]:
        """The usual days, in UTC, of those that were seen in every hour of it, by name."""
        found = {}
        for each in self.circuits:
            mean_w = usual_day(each.windows, self.window_s * NS_PER_S)
            if mean_w is not None:
                found[each.name] = DayOfUse(each.name, each.kind, mean_w, each.direct_current)
        return found

    def released(self, policy: Policy, audience: Audience) -> tuple[Released, ...]:
        """What of this the audience may see, oldest first."""
        demands = tuple(window for each in self.circuits for window in each.windows)
        rows = release(policy, audience, demands, self.window_s, self.now_ns)
        return tuple(sorted(rows, key=lambda row: (row.start_ns, row.name)))
