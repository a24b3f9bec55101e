"""Watches the units of one node: judges every image, keeps findings until they are surely over, and derates.

A store whose stored energy changes in a way that its own meter cannot explain (frozen, jumping, or counting in
another direction) rests: its state of charge is worth nothing. A finding ends when its cause has been gone for
`CLEAR_NS`, so that power does not flap. Energies in Wh, power in W, injection positive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from devices.der import Nameplate
from devices.health.drift import Drift
from devices.health.end_of_life import EndOfLife, Health, forecast
from devices.health.rules import LITHIUM, Finding, Judgement, Limits, judge, remaining
from devices.image import DerKind, DeviceImage, ProcessImage, Reading, UnitCondition
from devices.limits import PowerRange
from devices.messages.control_messages import HealthReport

PICOJOULES_PER_WH = 3.6e15
NS_PER_HOUR = 3.6e12
CLEAR_NS = 60_000_000_000
REST_NS = 3_600_000_000_000
"""An implausible store rests an hour, then is compared anew: a gauge may have corrected itself."""
SLACK_PART = 0.02
"""A stored energy may be off by 2 % of the capacity before it is called implausible: meters and gauges differ."""
STANDBY_PART = 0.02
"""And may fall by 2 % of the rated power all the time: standby, and flywheels' drag."""
SLACKS_APART = 5.0
"""Two compared moments lie so far apart that a frozen gauge would have shown long before."""
EFFICIENCY_SLACK = 0.1
WINDOW_PART = 0.05
"""Drift is judged whenever so much of the capacity has passed the terminals."""
DRIFT_FLOOR = 0.01
"""A change of one percent of what passed is the least worth an alarm."""
WEEK_NS = 7 * 86_400_000_000_000
MOST_WEEKS = 1_000
"""States of health that are remembered: one a week, for twenty years."""
DRIFT_LEAVES = 0.5
"""A unit that drifts goes on at half its power until somebody has looked at it."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """A moment to compare with (cell time, stored energy), and since then: what passed, and what storing should
    have changed by, at least, at most and by the nameplate.
    """

    cell_ns: int
    stored_wh: float
    moved_wh: float = 0.0
    least_wh: float = 0.0
    most_wh: float = 0.0
    expected_wh: float = 0.0

    def after(self, plate: Nameplate, moved_wh: float) -> "_Tally":
        """The tally after more has passed."""
        slack, generous = (
            _expected_wh(plate, moved_wh, each) for each in (EFFICIENCY_SLACK, -EFFICIENCY_SLACK)
        )
        return replace(
            self,
            moved_wh=self.moved_wh + abs(moved_wh),
            least_wh=self.least_wh + min(slack, generous),
            most_wh=self.most_wh + max(slack, generous),
            expected_wh=self.expected_wh + _expected_wh(plate, moved_wh, 0.0),
        )


@dataclass(frozen=True, slots=True)
class History:
    """The states of health that a unit has shown, one a week."""

    name: str
    weeks: tuple[Health, ...]


@dataclass(slots=True)
class _Unit:
    nameplate: Nameplate
    limits: Limits
    feeds: bool
    plausible: _Tally | None = None
    window: _Tally | None = None
    counter: int | None = None
    drift: Drift = field(default_factory=lambda: Drift(DRIFT_FLOOR))
    findings: dict[Finding, tuple[Judgement, int]] = field(default_factory=dict)
    history: tuple[Health, ...] = ()
    end: EndOfLife | None = None


class HealthMonitor:
    """The health of every store of a node. Give it every image before dispatch decides from it."""

    def __init__(
        self,
        nameplates: Mapping[str, Nameplate],
        max_age_ns: int,
        feeding: frozenset[str] = frozenset(),
        limits: Limits = LITHIUM,
    ) -> None:
        """Only batteries among the nameplates are watched. What is in `feeding` carries a load behind its meter,
        so its stored energy cannot be compared with it.
        """
        self._max_age_ns = max_age_ns
        self._units = {
            name: _Unit(plate, limits, name in feeding)
            for name, plate in nameplates.items()
            if plate.kind is DerKind.BATTERY
        }

    def watch(self, image: ProcessImage) -> ProcessImage:
        """Judge an image; the same image, with what each sick unit could do now narrowed to what is left."""
        return replace(image, devices=tuple(self._watched(device, image) for device in image.devices))

    def judgements(self, name: str) -> tuple[Judgement, ...]:
        """What is wrong with a unit; nothing for one that is not watched."""
        unit = self._units.get(name)
        return () if unit is None else _standing(unit)

    def factor(self, name: str) -> float:
        """The part of its power that a unit may use, 0 to 1."""
        return remaining(self.judgements(name))

    def standing(self, finding: Finding) -> dict[str, str]:
        """What every unit's alarm of this finding says; empty for one that has it not."""
        return {
            name: next((each.text for each in _standing(unit) if each.finding is finding), "")
            for name, unit in self._units.items()
        }

    def end_of_life(self, name: str) -> EndOfLife | None:
        """The forecast of a unit's end from the states of health it has shown, one a week."""
        return self._units[name].end

    @property
    def histories(self) -> tuple[History, ...]:
        """What a restarted process needs to go on forecasting."""
        return tuple(History(name, unit.history) for name, unit in self._units.items() if unit.history)

    def remember(self, histories: tuple[History, ...]) -> None:
        """Go on from an earlier process; units that are no longer there are forgotten."""
        for each in histories:
            if each.name in self._units:
                unit = self._units[each.name]
                unit.history, unit.end = each.weeks, forecast(each.weeks)

    def reports(self, image: ProcessImage) -> tuple[HealthReport, ...]:
        """Every watched unit of an image, for the daemon."""
        return tuple(self._report(device, image) for device in image.devices if device.name in self._units)

    def _report(self, device: DeviceImage, image: ProcessImage) -> HealthReport:
        def known(reading: Reading | None) -> float | None:
            return None if reading is None else reading.usable(image.time.real_ns, self._max_age_ns)

        condition = UnitCondition() if device.condition is None else device.condition
        end = self.end_of_life(device.name)
        return HealthReport(
            name=device.name,
            temperature_c=known(condition.temperature_c),
            voltage_v=known(condition.voltage_v),
            current_a=known(condition.current_a),
            state_of_charge=known(device.state_of_charge),
            state_of_health=known(condition.state_of_health),
            factor=self.factor(device.name),
            ends_ns=None if end is None else end.expected_ns,
            earliest_ns=None if end is None else end.earliest_ns,
            latest_ns=None if end is None else end.latest_ns,
        )

    def begin_anew(self, name: str) -> None:
        """Somebody has looked at the unit: findings are gone, and drift is learned again from its next cycles."""
        unit = self._units[name]
        unit.drift, unit.findings, unit.plausible, unit.window = Drift(DRIFT_FLOOR), {}, None, None

    def _watched(self, device: DeviceImage, image: ProcessImage) -> DeviceImage:
        unit = self._units.get(device.name)
        if unit is None:
            return device
        found = self._judged(unit, device, image)
        now_ns = image.time.real_ns
        unit.findings = {
            finding: held
            for finding, held in unit.findings.items()
            if now_ns - held[1] < (REST_NS if finding is Finding.IMPLAUSIBLE else CLEAR_NS)
        } | {each.finding: (each, now_ns) for each in found}
        factor = remaining(_standing(unit))
        if factor >= 1.0:
            return device
        built = PowerRange(unit.nameplate.minimum_w, unit.nameplate.maximum_w)
        left = PowerRange(built.minimum_w * factor, built.maximum_w * factor)
        could = built if device.possible is None else device.possible
        narrowed = PowerRange(
            min(0.0, max(left.minimum_w, could.minimum_w)), max(0.0, min(left.maximum_w, could.maximum_w))
        )
        return replace(device, possible=narrowed)

    def _judged(self, unit: _Unit, device: DeviceImage, image: ProcessImage) -> tuple[Judgement, ...]:
        now_ns, cell_ns = image.time.real_ns, image.time.cell_ns
        found: tuple[Judgement, ...] = ()
        if device.condition is not None:
            found = judge(device.condition, unit.limits, now_ns, self._max_age_ns)
            self._remember(unit, device, now_ns, cell_ns)
        stored_wh = device.stored_wh.usable(now_ns, self._max_age_ns)
        if unit.feeds:
            return found
        if stored_wh is None or device.counter is None:
            # What passes meanwhile cannot be compared: begin again with the next good reading.
            unit.plausible = unit.window = unit.counter = None
            return found
        moved_wh = 0.0 if unit.counter is None else (device.counter - unit.counter) / PICOJOULES_PER_WH
        unit.counter = device.counter
        begun = _Tally(cell_ns, stored_wh)
        unit.plausible = begun if unit.plausible is None else unit.plausible.after(unit.nameplate, moved_wh)
        unit.window = begun if unit.window is None else unit.window.after(unit.nameplate, moved_wh)
        implausible = _implausible(unit, unit.plausible, cell_ns, stored_wh)
        if implausible is not None:
            found += (implausible,)
        _drifts(unit, unit.window, stored_wh)
        if unit.drift.drifting:
            way = "more" if unit.drift.below > unit.drift.above else "less"
            text = f"it loses {way} of what passes than it used to"
            found += (Judgement(Finding.DRIFTING, text, DRIFT_LEAVES),)
        return found

    def _remember(self, unit: _Unit, device: DeviceImage, now_ns: int, cell_ns: int) -> None:
        """One state of health a week."""
        reading = None if device.condition is None else device.condition.state_of_health
        health = None if reading is None else reading.usable(now_ns, self._max_age_ns)
        if health is None or (unit.history and cell_ns - unit.history[-1].cell_ns < WEEK_NS):
            return
        unit.history = (*unit.history, Health(cell_ns, health))[-MOST_WEEKS:]
        unit.end = forecast(unit.history)


def _standing(unit: _Unit) -> tuple[Judgement, ...]:
    return tuple(judgement for judgement, _ in unit.findings.values())


def _expected_wh(plate: Nameplate, moved_wh: float, slack: float) -> float:
    """What storing changes by when this energy passes the terminals; `slack` worsens (or betters) efficiency."""
    if moved_wh > 0:
        return -moved_wh / min(1.0, plate.discharge_efficiency * (1 - slack))
    return -moved_wh * min(1.0, plate.charge_efficiency * (1 - slack))


def _implausible(unit: _Unit, tally: _Tally, cell_ns: int, stored_wh: float) -> Judgement | None:
    """Compare with an earlier moment, which is moved on when the two agree or clearly do not."""
    capacity_wh = unit.nameplate.capacity_wh or 0.0
    slack_wh = capacity_wh * SLACK_PART
    idle_wh = STANDBY_PART * unit.nameplate.maximum_w * (cell_ns - tally.cell_ns) / NS_PER_HOUR
    seen_wh = stored_wh - tally.stored_wh
    if tally.least_wh - slack_wh - idle_wh <= seen_wh <= tally.most_wh + slack_wh:
        if tally.moved_wh + idle_wh > SLACKS_APART * slack_wh:
            unit.plausible = None
        return None
    unit.plausible = None
    text = f"it holds {seen_wh:+.0f} Wh where {tally.expected_wh:+.0f} Wh passed"
    return Judgement(Finding.IMPLAUSIBLE, text, 0.0)


def _drifts(unit: _Unit, tally: _Tally, stored_wh: float) -> None:
    """One value whenever enough has passed: what more than the nameplate says was kept, per energy that passed."""
    if tally.moved_wh >= WINDOW_PART * (unit.nameplate.capacity_wh or 0.0) > 0:
        kept_wh = stored_wh - tally.stored_wh - tally.expected_wh
        unit.drift = unit.drift.after(kept_wh / tally.moved_wh)
        unit.window = None
