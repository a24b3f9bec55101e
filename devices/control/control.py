"""The control core: measures, meters, decides and commands, once per cycle. No I/O and no clock: time is an
argument.

Metered and contracted energies are mWh, power W; injection positive.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig
from devices.configuration.reversions import reversions
from devices.control.access import AccessList
from devices.control.alarms import AlarmBoard
from devices.control.control_state import SavedState, stored_energies
from devices.control.cycle_alarms import device_conditions, site_conditions, standing_conditions
from devices.control.hand_over import HandOver
from devices.control.mandate import Mandate
from devices.control.metering import Meter
from devices.control.outage import Outage
from devices.control.owner_reserve import with_reserve
from devices.control.service_meter import ServiceMeter
from devices.control.site_meter import site_meter
from devices.control.wish import wish_of
from devices.der import Der, GridMeter
from devices.dispatch.circuit_guard import CircuitGuard
from devices.dispatch.cycle_record import CycleRecord
from devices.dispatch.dispatch import dispatch
from devices.dispatch.flexible_loads import lowered, observe_flexible, permit
from devices.dispatch.observation import Commission, observe, report
from devices.dispatch.settling import Settling
from devices.health.monitor import HealthMonitor
from devices.hub.home_use import HomeUse
from devices.hub.hub import Hub
from devices.image import ProcessImage
from devices.leases import Lease, Refused
from devices.messages.control_messages import (
    Acknowledge,
    AlarmCode,
    Asked,
    Attached,
    ChangeMode,
    Downward,
    Heartbeat,
    MeterRecord,
    ReleaseCircuit,
    SetAccess,
    SetReserve,
    Stop,
    TakeOver,
    Upward,
)
from devices.power.allocation import Setpoint
from devices.profiles import Profile
from devices.resilience.islanding import Emergency
from devices.resilience.switchgear import Switchgear

if TYPE_CHECKING:
    from devices.control.readiness_control import ReadinessControl

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
MOST_RECORDS = 4_000
"""Meter records kept without acknowledgement: a month of quarter hours, and some."""
MOST_CYCLES = 600
"""Cycle records kept: the last minute at 100 ms."""
MOST_CATCH_UP = 10_000
"""Intervals of missed time that are metered one by one; more is a clock that was set, not a pause."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the shell is to do after a step: tell these to the daemon, and save the state if asked to."""

    messages: tuple[Upward, ...]
    save: bool


class ControlCore:
    """Control of one node's devices. Call `handle` with what the daemon says, and `cycle` at the cycle's
    pace.
    """

    def __init__(
        self,
        config: ControlConfig,
        ders: tuple[Der, ...],
        profile: Profile | None,
        saved: SavedState,
        start: Instant,
        issuer: str,
        grid: GridMeter | None = None,
        switchgear: Switchgear | None = None,
        readiness: "ReadinessControl | None" = None,
        use: HomeUse | None = None,
    ) -> None:
        """`ders` are the devices that `config` names, in any order; `issuer` signs the leases given to them;
        `grid` measures frequency and voltage, without which no service responds; `switchgear` closes a former and a
        breaker; `readiness` prepares for trouble; `use` is what the hub had learned before a restart.
        """
        self._config = config
        self._ders = {der.name: der for der in ders}
        self._edges = None if profile is None else profile.load
        self._mandate = Mandate(saved.mode, saved.limits)
        self._records = {record.interval: record for record in saved.records}
        self._alarms = AlarmBoard()
        self._settling = Settling({der.name: der.nameplate for der in ders}, config.settle_ms * NS_PER_MS)
        self._reversions = reversions(config)
        self._guard = CircuitGuard(config, saved.trips)
        nameplates = {der.name: der.nameplate for der in ders}
        feeding = frozenset(each.name for each in config.models if each.feeds is not None)
        self._health = HealthMonitor(nameplates, config.reading_age_ms * NS_PER_MS, feeding)
        self._health.remember(saved.health)
        self._hub = Hub(tuple(each.watched for each in config.models if each.watched is not None), known=use)
        self._grid = grid
        self._site_meter = site_meter(config)
        self._outage = Outage(config, switchgear, issuer)
        self._readiness = readiness
        self._access = AccessList()
        acting_ns = round(config.command_lease_ms * NS_PER_MS * config.clock.speed)
        self._services = ServiceMeter(config.interval_s * NS_PER_S, acting_ns)
        self._issuer = issuer
        self._sequence = 0
        self._now = start
        self._image = self._measure(start)
        self._meter = self._new_meter()
        self._next_report_ns = start.real_ns
        self.cycles: deque[CycleRecord] = deque(maxlen=MOST_CYCLES)
        # What was off before a restart is off before the first cycle.
        self._command(self._guard.setpoints, start)

    @property
    def next_boundary(self) -> int:
        """The cell time at which the interval ends: a cycle right there follows the next position from its
        start.
        """
        return self._meter.next_boundary

    def greeting(self, pid: int) -> tuple[Upward, ...]:
        """What a daemon is told first: who controls what, the standing alarms, the records not acknowledged."""
        batteries = self._config.batteries
        attached = Attached(
            pid=pid,
            charge_w=sum(battery.charge_w for battery in batteries),
            discharge_w=sum(battery.discharge_w for battery in batteries),
            capacity_wh=sum(battery.capacity_wh for battery in batteries),
        )
        return attached, *self._alarms.standing, *self._records.values()

    def handle(self, message: Asked, now: Instant) -> Outcome:
        """Take a message from the daemon; what is refused becomes an alarm.

        A heartbeat that comes too late (control was stopped for a while) is none: the next one is under way.
        """
        if isinstance(message, Acknowledge):
            self._records.pop(message.interval, None)
            return Outcome((), save=False)
        if isinstance(message, SetAccess):
            self._access = AccessList(message.devices)
            return Outcome((), save=False)
        if isinstance(message, ReleaseCircuit):
            return self._release(message.name, now)
        if isinstance(message, SetReserve):
            return self._reserve(message, now)
        answer = self._mandate.offer(message, now.real_ns)
        if isinstance(answer, Refused) and not isinstance(message, Heartbeat):
            text = f"{type(message).__name__}: {answer.reason}"
            self._alarms.event(AlarmCode.LEASE_REFUSED, now.cell_ns, text)
        return Outcome(self._alarms.take_news(), save=isinstance(message, ChangeMode))

    def cycle(self, now: Instant) -> Outcome:
        """Let time pass until `now`, then decide and command once."""
        now = Instant(now.real_ns, max(now.cell_ns, self._now.cell_ns))
        if self.cycles:
            self._services.count(self.cycles[-1], now.cell_ns)
        records = self._pass_time(now)
        tripped = self._guard.watch(self._image)
        read_back = self._settling.check(self._image, self._config.reading_age_ms * NS_PER_MS)
        commission = self._commission(now)
        if self._readiness is not None:
            on_grid = self._outage.acting is not Emergency.LOCAL
            commission = self._readiness.commission(commission, self._image, connected=on_grid)
        inputs = observe(self._health.watch(self._image), self._config, commission)
        decision = dispatch(inputs)
        settled = all(self._settling.reached(each) for each in read_back)
        flexible = observe_flexible(
            self._image,
            self._config,
            self._guard.off,
            self._access.priorities,
            self._outage.tiers,
            self._outage.connected,
        )
        permitted = permit(flexible, inputs, decision)
        self._hub.observe(self._image, self._config.reading_age_ms * NS_PER_MS)
        asleep = self._hub.asleep
        record = CycleRecord(now, inputs, decision, read_back, settled, flexible, permitted, asleep)
        self.cycles.append(record)
        self._command(decision.setpoints + lowered(permitted, asleep) + self._guard.setpoints, now)
        self._switch(now)
        self._raise_alarms(record)
        messages: list[Upward] = [*records, *self._alarms.take_news()]
        if records or now.real_ns >= self._next_report_ns:
            self._next_report_ns = now.real_ns + self._config.image_ms * NS_PER_MS
            seen = self._outage.shown(report(record, self._image, self._config, self._mandate.mode))
            health, watched = self._health.reports(self._image), self._hub.reports(asleep)
            seen = replace(seen, health=health, watched=watched)
            messages.append(seen if self._readiness is None else self._readiness.shown(seen))
        return Outcome(tuple(messages), save=bool(records) or tripped)

    def hand_over(self) -> tuple[HandOver, tuple[Downward, ...]]:
        """All that a successor needs: what is remembered and metered, and what was granted and said."""
        real_ns = self.cycles[-1].time.real_ns if self.cycles else self._now.real_ns
        said: list[Downward] = [SetAccess(self._access.devices)]
        said += [SetReserve(battery.name, battery.reserve) for battery in self._config.batteries]
        handed = HandOver(self.saved_state(), self._meter.running(self._image), real_ns)
        return handed, (*self._mandate.standing(), *said)

    def resume(self, handed: HandOver, leases: tuple[Downward, ...]) -> None:
        """Go on where the one before stopped, before the first cycle. What has ended by now is refused silently."""
        for message in leases:
            if not isinstance(message, Stop | TakeOver):
                self.handle(message, self._now)
        lease_ns = self._config.command_lease_ms * NS_PER_MS
        self._meter.resume(handed.meter, held=self._now.real_ns - handed.real_ns <= lease_ns)

    def stop(self, now: Instant) -> None:
        """Give every device its reversion value."""
        off = self._guard.off
        held = {name: power_w for name, power_w in self._reversions.items() if name not in off}
        setpoints = tuple(Setpoint(name, power_w) for name, power_w in held.items())
        self._command(setpoints + self._guard.setpoints, now)
        self._outage.let_go(now)

    def not_saved(self, reason: str) -> Outcome:
        """The shell could not write the state: an alarm, until it can again (`reason` is then empty)."""
        self._alarms.update(AlarmCode.STATE_NOT_SAVED, None, self._now.cell_ns, reason, raised=bool(reason))
        return Outcome(self._alarms.take_news(), save=False)

    @property
    def home_use(self) -> HomeUse:
        """What the hub has learned of circuits and sockets."""
        return self._hub.use

    def saved_state(self) -> SavedState:
        """What a restarted control process needs."""
        return SavedState(
            mode=self._mandate.mode,
            limits=self._mandate.limits_to_save(),
            stored=stored_energies(self._image),
            records=tuple(self._records.values()),
            cell_ns=self._now.cell_ns,
            trips=self._guard.trips,
            health=self._health.histories,
        )

    def _release(self, name: str, now: Instant) -> Outcome:
        answer = self._guard.release(name)
        if isinstance(answer, Refused):
            text = f"{name}: not released: {answer.reason}"
            self._alarms.event(AlarmCode.LEASE_REFUSED, now.cell_ns, text)
        return Outcome(self._alarms.take_news(), save=not isinstance(answer, Refused))

    def _reserve(self, wanted: SetReserve, now: Instant) -> Outcome:
        answer = with_reserve(self._config, wanted)
        if isinstance(answer, Refused):
            self._alarms.event(AlarmCode.LEASE_REFUSED, now.cell_ns, f"reserve: {answer.reason}")
        else:
            self._config = answer
        return Outcome(self._alarms.take_news(), save=False)

    def _pass_time(self, now: Instant) -> list[MeterRecord]:
        """Measure at every moment at which something changes, so that pauses are metered as if there were
        none.
        """
        if now.cell_ns - self._now.cell_ns > MOST_CATCH_UP * self._config.interval_s * NS_PER_S:
            self._now = now
            self._image = self._measure(now)
            self._meter = self._new_meter()
            return []
        records = []
        while True:
            self._now = self._next_moment(now)
            self._image = self._measure(self._now)
            record = self._meter.add(self._image)
            if record is not None:
                record = self._services.close(record)
                records.append(record)
                self._keep(record)
            if self._now == now:
                return records

    def _next_moment(self, now: Instant) -> Instant:
        """The end of an interval, of a profile's step or of the setpoints' leases, or now, whichever comes
        first.
        """
        earlier = self._now
        cell_ns = min(self._meter.next_boundary, now.cell_ns)
        edge = None if self._edges is None else self._edges.next_edge(earlier.cell_ns)
        if edge is not None:
            cell_ns = min(cell_ns, edge)
        moment = earlier.at_cell(now, cell_ns)
        expires_ns = self._expires_ns()
        if earlier.real_ns < expires_ns < moment.real_ns:
            return earlier.until(now, expires_ns)
        return moment

    def _expires_ns(self) -> int:
        """When the setpoints given in the last cycle run out."""
        if not self.cycles:
            return self._now.real_ns
        return self.cycles[-1].time.real_ns + self._config.command_lease_ms * NS_PER_MS

    def _measure(self, now: Instant) -> ProcessImage:
        grid = None if self._grid is None else self._grid.measure(now)
        image = ProcessImage(now, tuple(der.measure(now) for der in self._ders.values()), grid)
        return image if self._site_meter is None else self._site_meter.apply(image)

    def _new_meter(self) -> Meter:
        kinds = {der.name: der.nameplate.kind for der in self._ders.values()}
        return Meter(self._config.interval_s * NS_PER_S, kinds, self._image)

    def _keep(self, record: MeterRecord) -> None:
        self._records[record.interval] = record
        if len(self._records) > MOST_RECORDS:
            oldest = next(iter(self._records))
            del self._records[oldest]
            text = f"interval {oldest}: its record was never acknowledged and is forgotten"
            self._alarms.event(AlarmCode.RECORDS_DROPPED, self._now.cell_ns, text)

    def _commission(self, now: Instant) -> Commission:
        mandate = self._mandate
        at_ns = now.real_ns
        commission = Commission(
            mandate.mode,
            mandate.limits(at_ns),
            wish_of(mandate, self._meter, self._services, now),
            mandate.armed(at_ns),
            mandate.activations(at_ns),
            private=self._access.private,
        )
        last, declared = self.cycles[-1] if self.cycles else None, mandate.declared(at_ns)
        commission = self._outage.commission(commission, self._image, last, declared=declared)
        self._alarm(AlarmCode.GRID_LOST, None, "the public grid is lost", self._outage.lost)
        self._alarm(AlarmCode.FORMER_FAILED, None, "the bus stayed dead", self._outage.failed)
        return commission

    def _command(self, setpoints: tuple[Setpoint, ...], now: Instant) -> None:
        for setpoint in setpoints:
            self._sequence += 1
            lease = Lease(
                value=setpoint.power_w,
                reversion=0.0 if setpoint.name in self._guard.off else self._reversions[setpoint.name],
                issued_ns=now.real_ns,
                expires_ns=now.real_ns + self._config.command_lease_ms * NS_PER_MS,
                issuer=self._issuer,
                sequence=self._sequence,
            )
            answer = self._ders[setpoint.name].command(lease, now)
            self._alarms.update(
                AlarmCode.SETPOINT_REFUSED,
                setpoint.name,
                now.cell_ns,
                answer.reason if isinstance(answer, Refused) else "",
                raised=isinstance(answer, Refused),
            )
        self._settling.told(setpoints)

    def _switch(self, now: Instant) -> None:
        answer = self._outage.command(now)
        reason = answer.reason if isinstance(answer, Refused) else ""
        self._alarm(AlarmCode.SWITCH_REFUSED, None, reason, bool(reason))

    def _raise_alarms(self, record: CycleRecord) -> None:
        age_ns = self._config.reading_age_ms * NS_PER_MS
        lost = self._mandate.lost(record.time.real_ns)
        for condition in (
            *device_conditions(record, self._image, self._settling, age_ns),
            *standing_conditions(self._guard, self._health),
            *site_conditions(record, self._image, age_ns),
            (AlarmCode.DAEMON_LOST, None, "the daemon's heartbeat has run out", lost),
        ):
            self._alarm(*condition)
        if self._readiness is not None:
            self._alarm(AlarmCode.TROUBLE_EXPECTED, None, self._readiness.text, self._readiness.ready)

    def _alarm(self, code: AlarmCode, device: str | None, text: str, raised: bool) -> None:
        self._alarms.update(code, device, self._now.cell_ns, text, raised=raised)
