"""One node through an outage: what it finds, the state it is in, and what that lets it do. A core: `now` is an
argument, a step gives the next state and the orders.
"""

from dataclasses import dataclass, field, replace

from devices.limits import NOTHING, PowerRange
from devices.resilience.black_start import BlackStart, Block
from devices.resilience.former import BusWatch, FormerRule, may_close
from devices.resilience.islanding import (
    Detector,
    Finding,
    GridReading,
    IslandLimits,
    reserve_released,
)
from devices.resilience.modes import Event, OperatingMode, State, following
from devices.resilience.synchronising import Synchroniser, SyncLimits, TwoSides
from devices.resilience.tiers import Served, Supply, TierRule

NO_SIDES = TwoSides(None, None, None)
NO_SUPPLY = Supply(0.0, 0.0, 0.0)
NO_LOADS = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SiteRules:
    """What holds at one site: its name in the rank of formers (the genesis has it), and all limits.

    `inrush_w` is what the former carries for a moment. Above `surplus_hz` the island has more than it needs, and
    batteries may charge; the former raises the frequency to say so.
    """

    name: str = ""
    rank: tuple[str, ...] = ()
    limits: IslandLimits = field(default_factory=IslandLimits)
    former: FormerRule = field(default_factory=FormerRule)
    tiers: TierRule = field(default_factory=TierRule)
    synchronising: SyncLimits = field(default_factory=SyncLimits)
    blocks: tuple[Block, ...] = ()
    inrush_w: float = 0.0
    settle_s: float = 5.0
    surplus_hz: float = 50.2


@dataclass(frozen=True, slots=True)
class Situation:
    """What one step looks at: the meter, the synchroscope, who is able to form, supply and loads, the owner's word.

    `forming`: whether this node's own former holds the bus, as its switchgear reads back. `inrush_w`: what the former
    has to spare for blocks now, where that is less than the rules' limit.
    """

    reading: GridReading
    sides: TwoSides = NO_SIDES
    able: frozenset[str] = frozenset()
    supply: Supply = NO_SUPPLY
    loads_w: tuple[float, float, float, float] = NO_LOADS
    stands_by: bool = False
    owner_releases: bool = False
    forming: bool = False
    inrush_w: float = float("inf")


@dataclass(frozen=True, slots=True)
class IslandOrders:
    """What the state lets the node do.

    `batteries` is layer 3 of the dispatch stack: None is everything; a range that is narrower is of whole hardware
    where it is infinite. `close_former` and `close_breaker` are for this moment only; `form` says whether the former
    is to hold the bus: because it closes now, or because it does already and the emergency goes on. `connect` are the
    blocks of loads that are on (None: all of them, while the node is not in an emergency), `served` the tiers.
    """

    mode: OperatingMode
    batteries: PowerRange | None
    reserve_released: bool
    close_former: bool
    close_breaker: bool
    served: Served
    connect: tuple[str, ...] | None
    form: bool = False


@dataclass(frozen=True, slots=True)
class Resilience:
    """Everything that a node remembers of an outage."""

    state: State = State.CONNECTED
    detector: Detector = field(default_factory=Detector)
    watch: BusWatch = field(default_factory=BusWatch)
    served: Served = field(default_factory=Served)
    start: BlackStart = field(default_factory=lambda: BlackStart(()))
    synchroniser: Synchroniser = field(default_factory=Synchroniser)

    def step(self, situation: Situation, rules: SiteRules, now_ns: int) -> tuple["Resilience", IslandOrders]:
        """The next state and the orders that hold until the next step."""
        seen = replace(
            self,
            detector=self.detector.step(situation.reading, rules.limits, now_ns),
            watch=self.watch.step(situation.reading, now_ns),
            synchroniser=self.synchroniser.step(situation.sides, rules.synchronising, now_ns),
        )
        state = self.state
        for event in _events(seen, situation, rules, now_ns):
            state = following(state, event)
        after = replace(seen, state=state)
        if state is State.BLACK_START and self.state is not State.BLACK_START:
            # The last block settles first, also one that the control before this one may have connected.
            after = replace(
                after, start=replace(BlackStart.of(rules.blocks), changed_ns=self.start.changed_ns)
            )
        elif state is State.ISLAND and self.state is State.CONNECTED:
            after = replace(after, start=BlackStart.running(rules.blocks))
        served, start = _progress(after, situation, rules, now_ns)
        after = replace(after, served=served, start=start)
        return after, _orders(after, situation, rules, now_ns)


def _events(seen: Resilience, situation: Situation, rules: SiteRules, now_ns: int) -> tuple[Event, ...]:
    """What has happened, as the state before sees it; the owner's word first."""
    if situation.stands_by:
        return (Event.OWNER_STANDS_BY,)
    if seen.state is State.STANDBY:
        returned = replace(seen, state=State.CONNECTED)
        return Event.OWNER_RETURNS, *_events(returned, situation, rules, now_ns)
    finding = seen.detector.finding
    if finding is Finding.DEAD_BUS:
        return (Event.BUS_DIED,)
    served = (
        (Event.LOADS_SERVED,)
        if seen.state is State.BLACK_START and seen.start.serves_all_of(seen.served.tiers)
        else ()
    )
    if finding is Finding.CONNECTED:
        return () if seen.state is State.CONNECTED else (*served, Event.BREAKER_CLOSED, Event.GRID_IS_BACK)
    if seen.state is State.CONNECTED:
        return (Event.ISLAND_DETECTED,)
    back = seen.detector.public_is_back(rules.limits, now_ns)
    return (*served, Event.FORMER_CLOSED, Event.GRID_IS_BACK if back else Event.GRID_FAILED_AGAIN)


def _progress(
    after: Resilience, situation: Situation, rules: SiteRules, now_ns: int
) -> tuple[Served, BlackStart]:
    """Tiers shed or restored on an island, and the next block that is connected."""
    if after.state.mode is not OperatingMode.EMERGENCY:
        return Served(since_ns=after.served.since_ns), BlackStart(())
    served = after.served.step(situation.loads_w, situation.supply, rules.tiers, now_ns)
    if after.state is State.DEAD_BUS:
        return served, BlackStart((), changed_ns=after.start.changed_ns)
    start = after.start.seen(rules.blocks, served.tiers)
    stable = _stable(situation.reading, rules.limits)
    limit_w = min(rules.inrush_w, situation.inrush_w)
    start = start.step(stable, limit_w, rules.settle_s, now_ns, served.tiers)
    return served, start


def _stable(reading: GridReading, limits: IslandLimits) -> bool:
    return (
        reading.frequency_hz is not None
        and reading.voltage_pu is not None
        and limits.frequency_hz.holds(reading.frequency_hz)
        and limits.voltage_pu.holds(reading.voltage_pu)
    )


def _orders(after: Resilience, situation: Situation, rules: SiteRules, now_ns: int) -> IslandOrders:
    state, name = after.state, rules.name
    dead = state is State.DEAD_BUS and after.watch.dead_since_ns is not None
    # Where the public grid is good again nobody forms another one: after its time it feeds the dead bus itself.
    close = (
        dead
        and after.detector.public_good_since_ns is None
        and may_close(name, rules.rank, situation.able, after.watch, rules.former, now_ns)
    )
    fed = dead and after.detector.public_is_back(rules.limits, now_ns)
    return IslandOrders(
        mode=state.mode,
        batteries=_batteries(state, situation.forming, situation.reading, rules),
        reserve_released=situation.owner_releases
        or (
            state.mode is OperatingMode.EMERGENCY
            and reserve_released(after.detector.finding, situation.reading, owner_releases=False)
        ),
        close_former=close,
        close_breaker=fed
        or (state is State.SYNCHRONISING and after.synchroniser.may_close(rules.synchronising, now_ns)),
        served=after.served,
        connect=_connected(after),
        form=close or (state.mode is OperatingMode.EMERGENCY and situation.forming),
    )


def _connected(after: Resilience) -> tuple[str, ...] | None:
    """The blocks that are on: none on a dead bus, so that a former never closes onto all of them at once."""
    if after.state is State.DEAD_BUS:
        return ()
    if after.state.mode is not OperatingMode.EMERGENCY:
        return None
    return tuple(block.name for block in after.start.connected)


def _batteries(state: State, forms: bool, reading: GridReading, rules: SiteRules) -> PowerRange | None:
    """Layer 3. The former holds the bus with all it has; the others help, and charge only from a surplus."""
    if state in (State.STANDBY, State.CONNECTED):
        return None
    if state is State.DEAD_BUS:
        return NOTHING
    if forms:
        return None
    if state is State.BLACK_START:
        return NOTHING
    surplus = reading.frequency_hz is not None and reading.frequency_hz >= rules.surplus_hz
    return None if surplus else PowerRange(0.0, float("inf"))
