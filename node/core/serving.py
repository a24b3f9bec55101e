"""What a node does for the grid and with what others say of its devices, composed for the core. Sans-IO.

Offers and reports, shares of requests and of branch limits, alarms, commands and rights. Power mW, energies mWh.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from devices.limits import PowerRange
from devices.messages.control_messages import Alarm, ImageReport, MeterRecord
from ledger.chain.chain import Tip
from ledger.records.entries import SignedEntry
from market.cell_state import CellState
from market.outcomes import BlockOutcomes
from market.services.limits import connection_limits
from market.units import MW_PER_W
from market.virtual_battery.settling import spread
from node.alarms.alarm_feed import AlarmFeed
from node.core.commands import Commands
from node.core.emergency import Emergency
from node.core.offers import Offers
from node.core.requested import Requested
from node.demand.demand import Demand, no_demand
from node.events import Effect, Now, Report
from node.trading.capacities import Capacities
from node.trading.trading import Trading


@dataclass(slots=True)
class Serving:
    """One member's part; `tip` is what was decided last."""

    member: bytes
    tip: Tip[CellState]
    offers: Offers
    requested: Requested
    alarms: AlarmFeed
    commands: Commands
    emergency: Emergency
    demand: Demand = field(default_factory=no_demand)
    _limits: dict[int, tuple[int, int]] = field(default_factory=dict)

    def heard(self, entries: Iterable[SignedEntry]) -> list[Effect]:
        """Entries that were new to us, our own among them."""
        membership = self.tip.membership
        new = list(entries)
        self.requested.heard(new, membership, self.tip.state)
        return self.commands.heard(new, membership, self.tip.state.administration)

    def decided(
        self, tip: Tip[CellState], outcomes: BlockOutcomes, *, timely: bool, active: bool, now: Now
    ) -> list[Effect]:
        """A block was decided."""
        self.tip = tip
        clearing = outcomes.clearing
        contracts = {part.member: part.position for part in clearing.members} if timely else {}
        if tip.state.pending is not None:
            contracts = spread(contracts, tip.state.pending.aggregators, tip.state.rules)
        part = connection_limits(tip.state.rules, clearing, contracts, self.member)
        if part is not None:
            self._limits[clearing.interval] = part
        self.demand.decided(outcomes, tip.state.rules.calendar)
        commanded = self.commands.decided(tip.state.administration, outcomes)
        offered = self.offers.arm(tip.state, now) if active else []
        declared = self.emergency.decided(tip.state, now)
        return [*declared, *self.requested.decided(outcomes), *commanded, *offered]

    def due(self, capacities: Capacities, *, active: bool, now: Now) -> list[Effect]:
        """What a look each second brings."""
        state = self.tip.state
        interval = state.rules.calendar.index_of(now.cell_ns)
        shares = self.requested.due(state, self.tip.membership, capacities.seen, capacities.said, now)
        alarms = [*self.emergency.due(state, now), *self.alarms.due(interval, now)] if active else []
        part, told = self._part(interval)
        asked = self.demand.due(state, part, active=active, now=now)
        return [*shares, *asked, *told, *alarms]

    def metered(self, record: MeterRecord, trading: Trading | None, now: Now) -> list[Effect]:
        """A meter record becomes a reading; reports on services go before it: when it is safe, so are they."""
        self.demand.metered(record, self.tip.state.rules.calendar)
        if trading is None:
            return []
        new = record.complete and record.interval not in trading.reported
        reports = self.offers.report(record, self.tip.state, now) if new else []
        return [*reports, *trading.read(record, now)]

    def measured(self, image: ImageReport) -> None:
        """A process image came."""
        self.alarms.measured()
        self.emergency.measured(image)

    def attached(self, now: Now) -> list[Effect]:
        """A control process answers."""
        self.alarms.attached()
        declared = self.emergency.attached(self.tip.state, now)
        return [*self.commands.attached(self.tip.state.administration), *declared]

    def alarm(self, alarm: Alarm) -> list[Effect]:
        """Control raised or cleared an alarm."""
        return self.alarms.changed(alarm)

    def _part(self, interval: int) -> tuple[tuple[PowerRange, int] | None, list[Effect]]:
        """Our part of a branch limit, to be held while its interval lasts, when it is news."""
        part = self._limits.pop(interval, None)
        self._limits = {key: kept for key, kept in self._limits.items() if key > interval}
        if part is None:
            return None, []
        down_mw, up_mw = part
        limits = PowerRange(-down_mw / MW_PER_W, up_mw / MW_PER_W)
        fields: dict[str, object] = {"interval": interval, "down_mw": down_mw, "up_mw": up_mw}
        end_ns = self.tip.state.rules.calendar.end_ns(interval)
        return (limits, end_ns), [Report("branch_limit", fields)]
