"""One node as its web server knows it: its configuration, what its daemon tells, what its ledger says."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from devices.cell_clock import ClockSpec
from devices.configuration.control_config import ControlConfig
from ledger.membership.members import Member
from market.cell_state import CellState
from market.rules import MemberRule
from market.units import NS_PER_S
from node.configuration.config import Config
from node.web.cell_history import CellHistory
from node.web.live_state import LiveState

LATEST_NS = 253_402_300_799 * NS_PER_S
"""The end of the year 9999: intervals may lie later than a date can say."""


@dataclass(slots=True)
class WatchedNode:
    """Everything a view is made of. `height` is how far the ledger goes; `fault` what keeps it from being followed."""

    config: Config
    control: ControlConfig
    clock: ClockSpec
    history: CellHistory
    live: LiveState = field(default_factory=LiveState)
    height: int = 0
    fault: str | None = None

    @property
    def name(self) -> str:
        """The member's name."""
        return self.config.node.name

    @property
    def state(self) -> CellState | None:
        """The cell's state after the last block that was followed, the founding state before the first."""
        return None if self.history.tip is None else self.history.tip.state

    @property
    def member(self) -> Member | None:
        """Who this node is in the cell, if it belongs to it by now."""
        if self.history.tip is None:
            return None
        everyone = self.history.tip.membership.everyone
        return next((each for each in everyone if each.name.decode() == self.name), None)

    @property
    def rule(self) -> MemberRule | None:
        """This member's metering point, if it has one."""
        state, member = self.state, self.member
        return None if state is None or member is None else state.rules.member(member.id)

    def interval_at(self, cell_ns: int) -> int:
        """The interval that runs at a cell time."""
        state = self.state
        return 0 if state is None else cell_ns // (state.rules.interval_s * NS_PER_S)

    def start_of(self, interval: int) -> datetime:
        """When an interval begins."""
        state = self.state
        seconds = 0 if state is None else state.rules.interval_s
        return moment(min(interval * seconds * NS_PER_S, LATEST_NS))

    def power_w(self, energy: int) -> float:
        """The mean power of an energy (mWh) over one interval, W."""
        state = self.state
        return 0.0 if state is None else energy * 3.6 / state.rules.interval_s

    def reserve_of(self, battery: str) -> float | None:
        """The owner's reserve of a battery that is in force, as a part of its capacity; None for no battery."""
        held = (self.live.core.get("settings") or {}).get("reserves", {})
        configured = next((each.reserve for each in self.control.batteries if each.name == battery), None)
        return None if configured is None else float(held.get(battery, configured))

    def table_of(self, device: str) -> dict[str, Any]:
        """The configuration's table of a device; empty for one that it does not name."""
        return next((dict(each) for each in self.config.site.ders if each.get("name") == device), {})


def moment(unix_ns: int) -> datetime:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(unix_ns / NS_PER_S, UTC)
