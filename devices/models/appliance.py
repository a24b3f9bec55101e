"""A smart appliance: a programme that may start any time from when it is ready until its deadline.

W, withdrawal negative. A setpoint is the most it may draw: the programme starts, or goes on, only while its
present phase fits; otherwise it pauses where it is.

Sources: start by deadline and pausing between phases: EN 50631 (household appliances and the grid) and the
EEBUS use case "flexible start for white goods"; phases of a dishwasher at 50 C: Pipattanasomporn et al., IEEE
Trans. Power Systems 29 (2014) 3, table of measured appliances.
"""

from dataclasses import dataclass

from devices.der import Nameplate
from devices.limits import PowerRange
from devices.models.daily_use import hour_of_day, hours_until, within
from devices.models.flexible_nameplate import flexible
from devices.models.model import SECONDS_PER_HOUR, Flow, Status, Surroundings

DISHWASHER = ((20.0, 60.0), (15.0, 1900.0), (30.0, 70.0), (15.0, 1900.0), (20.0, 30.0))
"""Minutes and W: rinse, heat, wash, heat, dry."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """Parameters. `programme`: (minutes, W) in order, run once between `ready_h` and `deadline_h` each day."""

    ready_h: float
    deadline_h: float
    programme: tuple[tuple[float, float], ...] = DISHWASHER
    standby_w: float = 0.5
    step_s: float = 10.0

    @property
    def nameplate(self) -> Nameplate:
        """The strongest phase."""
        return flexible(max(phase_w for _, phase_w in self.programme) + self.standby_w)

    @property
    def lasts_s(self) -> float:
        """Duration of the whole programme."""
        return sum(minutes for minutes, _ in self.programme) * 60

    def begin(self, stored_wh: float | None) -> "ProgrammeState":
        """Loaded and not started."""
        return ProgrammeState(0.0)

    def held_wh(self, state: "ProgrammeState") -> float:
        """It stores nothing."""
        return 0.0

    def phase_w(self, done_s: float) -> float:
        """Power of the phase after so much of the programme; 0 when it is done."""
        for minutes, phase_w in self.programme:
            if done_s < minutes * 60:
                return phase_w
            done_s -= minutes * 60
        return 0.0

    def status(self, state: "ProgrammeState", around: Surroundings) -> Status:
        """The present phase, which cannot wait once the rest of the programme just fits before the deadline."""
        if not self._open(around) or state.done_s >= self.lasts_s:
            return Status(possible=PowerRange(-self.standby_w, -self.standby_w))
        wanted_w = self.phase_w(state.done_s) + self.standby_w
        left_s = hours_until(hour_of_day(around.cell_ns), self.deadline_h) * SECONDS_PER_HOUR
        late = left_s <= self.lasts_s - state.done_s + 2 * self.step_s
        return Status(possible=PowerRange(-wanted_w, -wanted_w if late else -self.standby_w))

    def step(
        self, state: "ProgrammeState", wish_w: float, around: Surroundings, dt_s: float
    ) -> tuple["ProgrammeState", Flow]:
        """Run the present phase if it fits under the limit, else wait; a new day begins a new programme."""
        allowed_w = max(0.0, -wish_w) if around.mains else 0.0
        standby_w = min(self.standby_w, allowed_w)
        if not self._open(around):
            return ProgrammeState(0.0), Flow(terminal_w=-standby_w, loss_w=standby_w)
        phase_w = self.phase_w(state.done_s)
        if phase_w <= 0 or phase_w + standby_w > allowed_w:
            return state, Flow(terminal_w=-standby_w, loss_w=standby_w)
        running_s = min(dt_s, self._phase_left_s(state.done_s))
        used_w = phase_w * running_s / dt_s
        flow = Flow(terminal_w=-used_w - standby_w, useful_w=used_w, loss_w=standby_w)
        return ProgrammeState(state.done_s + running_s), flow

    def _open(self, around: Surroundings) -> bool:
        return within(hour_of_day(around.cell_ns), self.ready_h, self.deadline_h)

    def _phase_left_s(self, done_s: float) -> float:
        ends_s = 0.0
        for minutes, _ in self.programme:
            ends_s += minutes * 60
            if done_s < ends_s:
                return ends_s - done_s
        return 0.0


@dataclass(frozen=True, slots=True)
class ProgrammeState:
    """How many seconds of the programme are done."""

    done_s: float
