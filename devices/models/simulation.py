"""Runs one device model through cell time under leases, and keeps its books. W and Wh, injection positive.

Physics advances on a fixed grid of cell time, so how often a device is looked at changes nothing; between two
points of the grid, a look shows a part of the next step and does not take it. Commands and the ends of leases
do end a step. A long pause is taken in at most `MOST_STEPS` equal steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from devices.cell_clock import Instant
from devices.drivers.held_setpoint import HeldSetpoint
from devices.leases import Answer, Lease
from devices.limits import PowerRange
from devices.models.model import NS_PER_S, Flow, Model, Status, Surroundings, energy_wh

MOST_STEPS = 400
"""A device of 10 s steps passes more than an hour exactly; a control cycle never waits longer than for these."""

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Books:
    """Energies since the start in Wh: held at first and now, and what flowed. See `Flow` for the signs."""

    held_at_first: float
    held: float
    terminal: float = 0.0
    attached: float = 0.0
    source: float = 0.0
    useful: float = 0.0
    loss: float = 0.0

    @property
    def error_wh(self) -> float:
        """What the books do not explain: in, less out, less what is stored."""
        came = self.source - self.terminal - self.attached
        return came - self.useful - self.loss - (self.held - self.held_at_first)

    @property
    def turnover_wh(self) -> float:
        """Everything that moved, to compare an error with."""
        moved = abs(self.terminal) + abs(self.attached) + self.source + self.useful + self.loss
        return moved + abs(self.held - self.held_at_first) + abs(self.held)


@dataclass(frozen=True, slots=True)
class _Moment(Generic[State]):
    """The device at one instant. Counters are whole picojoules."""

    time: Instant
    state: State
    flow: Flow
    terminal: int
    attached: int
    books: Books


class Simulation(Generic[State]):
    """One device in time. Looks and commands must not go back; an earlier one finds the device as it is."""

    def __init__(
        self,
        model: Model[State],
        surroundings: Callable[[int], Surroundings],
        reversion_w: float,
        start: Instant,
        stored_wh: float | None = None,
    ) -> None:
        """`surroundings` gives what acts on the device at a cell time; `reversion_w` must be in the nameplate
        (ValueError).
        """
        self.model = model
        self.nameplate = model.nameplate
        self._surroundings = surroundings
        plate = self.nameplate
        self._setpoint = HeldSetpoint(PowerRange(plate.minimum_w, plate.maximum_w), reversion_w)
        state = model.begin(stored_wh)
        held = model.held_wh(state)
        self._kept = _Moment(start, state, Flow(0.0), 0, 0, Books(held, held))
        self._seen = self._kept

    @property
    def flow(self) -> Flow:
        """Mean powers of the step that was looked at last."""
        return self._seen.flow

    @property
    def state(self) -> State:
        """The state that was looked at last."""
        return self._seen.state

    @property
    def terminal(self) -> int:
        """Net energy at the terminals since the start, in picojoules."""
        return self._seen.terminal

    @property
    def attached(self) -> int:
        """Net energy of the load behind the device since the start, in picojoules, at most 0."""
        return self._seen.attached

    @property
    def books(self) -> Books:
        """The books as of the last look."""
        return self._seen.books

    @property
    def around(self) -> Surroundings:
        """What acts on the device at the last look."""
        return self._surroundings(self._seen.time.cell_ns)

    @property
    def status(self) -> Status:
        """What the device says of itself at the last look."""
        return self.model.status(self._seen.state, self.around)

    def setpoint_w(self, now: Instant) -> float:
        """The setpoint in force."""
        return self._setpoint.at(max(now.real_ns, self._seen.time.real_ns))

    def advance(self, now: Instant) -> None:
        """Let time pass until `now`."""
        now = now.no_earlier_than(self._seen.time)
        moment = self._kept
        pieces = tuple(self._setpoint.pieces(moment.time, now))
        for end, wish_w in pieces[:-1]:
            moment = self._take(self._to_grid(moment, wish_w, end), wish_w, end)
        wish_w = pieces[-1][1]
        self._kept = self._to_grid(moment, wish_w, now)
        self._seen = self._take(self._kept, wish_w, now)

    def command(self, lease: Lease[float], now: Instant) -> Answer:
        """Offer a setpoint."""
        now = now.no_earlier_than(self._seen.time)
        self.advance(now)
        self._kept = self._seen
        return self._setpoint.offer(lease, now)

    def _to_grid(self, moment: _Moment[State], wish_w: float, end: Instant) -> _Moment[State]:
        """Take every whole step before `end`."""
        span_ns = end.cell_ns - moment.time.cell_ns
        step_ns = max(round(self.model.step_s * NS_PER_S), -(-span_ns // MOST_STEPS))
        while (edge_ns := (moment.time.cell_ns // step_ns + 1) * step_ns) <= end.cell_ns:
            moment = self._take(moment, wish_w, moment.time.at_cell(end, edge_ns))
        return moment

    def _take(self, moment: _Moment[State], wish_w: float, end: Instant) -> _Moment[State]:
        """One step from a moment to its end; none where no cell time passes."""
        passed_ns = end.cell_ns - moment.time.cell_ns
        if passed_ns <= 0:
            return replace(moment, time=end)
        dt_s = passed_ns / NS_PER_S
        around = self._surroundings(moment.time.cell_ns)
        state, flow = self.model.step(moment.state, wish_w, around, dt_s)
        return _Moment(
            time=end,
            state=state,
            flow=flow,
            terminal=moment.terminal + round(flow.terminal_w * 1000 * passed_ns),
            attached=moment.attached + round(flow.attached_w * 1000 * passed_ns),
            books=_booked(moment.books, flow, self.model.held_wh(state), dt_s),
        )


def _booked(books: Books, flow: Flow, held_wh: float, dt_s: float) -> Books:
    return Books(
        held_at_first=books.held_at_first,
        held=held_wh,
        terminal=books.terminal + energy_wh(flow.terminal_w, dt_s),
        attached=books.attached + energy_wh(flow.attached_w, dt_s),
        source=books.source + energy_wh(flow.source_w, dt_s),
        useful=books.useful + energy_wh(flow.useful_w, dt_s),
        loss=books.loss + energy_wh(flow.loss_w, dt_s),
    )
