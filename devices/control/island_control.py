"""An outage acting in the control process: from the process image to orders, and from orders to the switchgear.

`devices.resilience.node_resilience` decides; here is what it looks at, and who is told. Whether this site forms is a
matter of its place in the rank of the genesis and of its own battery: nobody else has to be heard for it, because
everybody waits its turn on a bus that its own meter sees dead. A core: time is an argument. W, real time in ns.
"""

from dataclasses import dataclass, replace
from itertools import count

from devices.cell_clock import Instant
from devices.configuration.control_config import ControlConfig
from devices.control.site_supply import must_run_w, situation_of
from devices.dispatch.cycle_record import CycleRecord
from devices.dispatch.observation import grid_reading, two_sides
from devices.image import ProcessImage
from devices.leases import Answer, Lease
from devices.messages.control_messages import Mode
from devices.power.reserve import BatteryInput
from devices.resilience.black_start import BlackStart, Block
from devices.resilience.islanding import NS_PER_S, Detector, Finding, GridReading, IslandLimits
from devices.resilience.modes import OperatingMode, State
from devices.resilience.node_resilience import IslandOrders, Resilience, SiteRules
from devices.resilience.switchgear import REST, Switchgear, SwitchOrder
from devices.resilience.synchronising import TwoSides, steered_hz
from devices.tier import TIERS

NS_PER_MS = 1_000_000
FORMING_LEASE_NS = 10 * NS_PER_S
"""How long a former goes on without its control: long enough for a control process that is started again."""
TRY_NS = 5 * NS_PER_S
"""How long a former may try to bring up a bus that stays dead; less than the next of the rank waits longer."""
REST_NS = 60 * NS_PER_S
"""How long it then leaves the bus to others."""
LEAST_CHARGE = 0.05
"""Part of the capacity that a battery must hold to begin to form."""
EMPTY = 0.01
"""Part at which it lets go of the bus, before its own protection has to."""
NOMINAL_HZ, RAISED_HZ = 50.0, 0.5
NEARLY_FULL = 0.9
"""From here to full the former raises the island's frequency: there is more than it can store."""


@dataclass(frozen=True, slots=True)
class _Former:
    """The forming battery in the last cycle: whether it could begin, whether it is empty, what part it holds."""

    able: bool = False
    empty: bool = False
    part: float | None = None


class IslandControl:
    """What one site does about outages. Call `step` with every image, then `command`."""

    def __init__(self, config: ControlConfig, switchgear: Switchgear | None, issuer: str) -> None:
        """Without a switchgear, or without the configuration of a former, nothing is ever closed."""
        self._config = config
        self._switchgear = switchgear
        self._issuer = issuer
        self._sequence = count(1)
        self._memory: Resilience | None = None
        self._order = REST
        self._trying_since_ns: int | None = None
        self._rests_until_ns = 0
        self.failed = False

    @property
    def state(self) -> State:
        """Where in an outage this site is."""
        return State.CONNECTED if self._memory is None else self._memory.state

    @property
    def lost(self) -> bool:
        """Whether the meter shows that the public grid is gone."""
        return self._memory is not None and self._memory.detector.finding is not Finding.CONNECTED

    @property
    def emergency(self) -> bool:
        """Whether the site is on its own, so that no position counts."""
        return self.state.mode is OperatingMode.EMERGENCY

    @property
    def tiers(self) -> int:
        """How many tiers of loads are served."""
        return len(TIERS) if self._memory is None else self._memory.served.tiers

    def step(self, image: ProcessImage, mode: Mode, last: CycleRecord | None) -> IslandOrders:
        """Look at an image; `last` is the cycle before, whose supply and loads count."""
        now_ns, age_ns = image.time.real_ns, self._config.reading_age_ms * NS_PER_MS
        reading, sides = grid_reading(image, age_ns), two_sides(image, age_ns)
        before = _beginning(reading, now_ns) if self._memory is None else self._memory
        former = self._former(last)
        resting = now_ns < self._rests_until_ns
        holds = image.grid is not None and image.grid.forming is True
        situation = replace(
            situation_of(reading, mode, before, last),
            sides=sides,
            able=frozenset([self._name]) if former.able and not resting else frozenset(),
            forming=holds and not former.empty and not resting,
            inrush_w=float("inf") if last is None else max(0.0, self._limit_w - must_run_w(last)),
        )
        self._memory, orders = before.step(situation, self._rules(last), now_ns)
        self._watch_the_start(orders, now_ns)
        island_hz = _island_hz(self._memory.state, sides, reading, former.part)
        self._order = SwitchOrder(orders.form and not resting, orders.close_breaker, island_hz)
        return orders

    def command(self, now: Instant) -> Answer | None:
        """Tell the switchgear; None where there is none."""
        return self._tell(self._order, now)

    def let_go(self, now: Instant) -> None:
        """The end of control: nothing is formed any more."""
        self._tell(REST, now)

    def _tell(self, order: SwitchOrder, now: Instant) -> Answer | None:
        if self._switchgear is None:
            return None
        expires_ns = now.real_ns + FORMING_LEASE_NS
        lease = Lease(order, REST, now.real_ns, expires_ns, self._issuer, next(self._sequence))
        return self._switchgear.command(lease, now)

    @property
    def _name(self) -> str:
        forming = self._config.forming
        return "" if forming is None else forming.name

    @property
    def _limit_w(self) -> float:
        """What may be drawn in the moment a load closes: what the former carries, or this site's connection."""
        forming = self._config.forming
        return -self._config.connection.minimum_w if forming is None else forming.inrush_limit_w

    def _rules(self, last: CycleRecord | None) -> SiteRules:
        forming = self._config.forming
        rules = SiteRules(blocks=self._blocks(last), inrush_w=self._limit_w)
        if forming is None or self._switchgear is None:
            return rules
        limits = IslandLimits(back_after_s=forming.back_after_s)
        return replace(rules, name=forming.name, rank=forming.rank, settle_s=forming.settle_s, limits=limits)

    def _blocks(self, last: CycleRecord | None) -> tuple[Block, ...]:
        """Every flexible load as a block: what it would like to draw, and what it may draw as it closes."""
        inrush_w = {} if self._config.forming is None else self._config.forming.inrush_w
        found = []
        for each in () if last is None else last.flexible:
            most_w = max(inrush_w.get(each.name, -each.minimum_w), 0.0)
            tier = TIERS[min(each.rank, len(TIERS) - 1)]
            found.append(Block(each.name, tier, most_w, min(most_w, -each.wanted_w)))
        return tuple(found)

    def _former(self, last: CycleRecord | None) -> _Former:
        forming = self._config.forming
        if last is None or forming is None or self._name not in forming.rank:
            return _Former()
        battery = next(each for each in last.inputs.batteries if each.name == forming.device)
        part = _part(battery)
        if part is None:
            # Not known is no reason to begin, and none to leave the bus to nobody: its own protection ends that.
            return _Former()
        able = part >= LEAST_CHARGE and battery.maximum_w > 0
        return _Former(able, part <= EMPTY, part)

    def _watch_the_start(self, orders: IslandOrders, now_ns: int) -> None:
        """A former that does not bring up its bus leaves it to others for a while, and says so until one is up."""
        if not (orders.form and self.state is State.DEAD_BUS):
            self._trying_since_ns = None
            self.failed = self.failed and self.state is State.DEAD_BUS
            return
        since_ns = now_ns if self._trying_since_ns is None else self._trying_since_ns
        self._trying_since_ns = since_ns
        if now_ns - since_ns >= TRY_NS:
            self._trying_since_ns, self._rests_until_ns = None, now_ns + REST_NS
            self.failed = True


def _beginning(reading: GridReading, now_ns: int) -> Resilience:
    """What a control process that has just begun knows of an outage that goes on: loads come back in order."""
    open_ = reading.breaker_closed is False
    if not open_:
        return Resilience()
    return Resilience(State.DEAD_BUS, Detector(Finding.DEAD_BUS), start=BlackStart((), changed_ns=now_ns))


def _part(battery: BatteryInput) -> float | None:
    return None if battery.stored_wh is None else battery.stored_wh / battery.capacity_wh


def _island_hz(state: State, sides: TwoSides, reading: GridReading, part: float | None) -> float:
    """What the former holds: beside the public grid to synchronise, above nominal while it is nearly full."""
    if state is State.SYNCHRONISING and reading.public_frequency_hz is not None:
        return steered_hz(sides, reading.public_frequency_hz)
    full = 0.0 if part is None else (part - NEARLY_FULL) / (1 - NEARLY_FULL)
    return NOMINAL_HZ + RAISED_HZ * min(max(full, 0.0), 1.0)
