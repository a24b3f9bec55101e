"""Trading: what this member says and does in the market, interval by interval. Sans-IO: effects out.

Before a gate closes it bids, when its meter has counted an interval it reports the reading, and when a block with its
position is decided before the dispatch deadline it leases that position to its devices. Energies are mWh, injection
positive.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from devices.image import DerKind
from devices.messages.control_messages import Attached, ImageReport, MeterRecord, Mode
from ledger.encoding import Value
from market.bidders.expectations import Expectations
from market.bidding import Account, Bidder, Flexibility, Storage
from market.cell_state import CellState
from market.forecast import EnergyForecaster, Outlook, PriceHistory
from market.intervals import Calendar
from market.outcomes import BlockOutcomes
from market.payloads import Curve, Kind, Reading, encode_order, encode_reading
from market.rules import CellRules, MemberRule
from market.units import MW_PER_W, MWH_PER_WH, energy_of_power
from node.constants import IMAGE_AGE_NS
from node.events import AcknowledgeMeter, CommandPosition, Effect, Now, Report, SignEntry
from node.trading.company import (
    NOTHING_SAID,
    Company,
    Plans,
    company_among,
    company_at_next_gate,
    credible,
    energy_caps,
    flexibility_together,
    plan_of,
    shares_of,
)
from node.wire import Plan

PPM = 1_000_000
HEALTHY = 1000
"""per mille; what a member says of itself until its devices say otherwise."""
NO_STORAGE = Storage(room=0, stored=0, most_charge=0, most_discharge=0)
"""What a member without a storage has, and one whose storage is not known."""


@dataclass(slots=True)
class Trading:
    """One metering point's trading. `rule` is its place in the cell's rules.

    A bidder that looks ahead is shown `horizon` intervals of what `expectations` make of the tariff (or of what
    somebody `told` of an interval in its place), the grid's `carbon` (g/kWh of an interval) and what was metered;
    `wear` is what a kWh out of the storage costs in lifetime, µ/kWh. `company` is who it trades with at the next gate
    (None until the first look), and `plan` what the others of a virtual battery are to know.
    """

    rules: CellRules
    rule: MemberRule
    bidder: Bidder
    first_interval: int
    last_trading_interval: int | None
    order_lead_ns: int
    efficiency_ppm: int
    load: EnergyForecaster
    generation: EnergyForecaster
    prices: PriceHistory
    reported: set[int] = field(default_factory=set)
    bid_for: int = -1
    expectations: Expectations | None = None
    horizon: int = 0
    carbon: Callable[[int], float] = lambda _: 0.0
    told: Callable[[int, tuple[int, int]], tuple[int, int]] = lambda _, tariff: tariff
    wear: int = 0
    paused: bool = False
    positions: dict[int, int] = field(default_factory=dict)
    company: Company | None = None
    plan: Plan | None = None
    _image: ImageReport | None = None
    _nameplate: Attached | None = None
    _again: int | None = None

    @property
    def calendar(self) -> Calendar:
        """The cell's intervals and gates."""
        return self.rules.calendar

    def next_order_ns(self, now_cell_ns: int) -> int | None:
        """The cell time of the next bid, or None after the last trading interval."""
        interval = self.next_interval(now_cell_ns)
        if self.last_trading_interval is not None and interval > self.last_trading_interval:
            return None
        return max(now_cell_ns, self._order_time_ns(interval))

    def next_interval(self, now_cell_ns: int) -> int:
        """The next interval to bid for; one given while the clock was ahead of its time holds up none before it."""
        interval = max(self.calendar.next_gate(now_cell_ns), self.first_interval)
        return interval + 1 if interval == self.bid_for else interval

    def bid(self, state: CellState, now: Now, said: Plans = NOTHING_SAID) -> list[Effect]:
        """The order for the interval whose gate is next, if it is time and it has not been given.

        In a virtual battery it is time for the own `plan`, too, and only the aggregator gives an order, for all
        whose plan of the interval was `said`.
        """
        interval = self.next_interval(now.cell_ns)
        company = self.company = company_at_next_gate(state, self.rule.member, interval)
        if now.cell_ns < self._order_time_ns(interval) or (
            self.last_trading_interval is not None and interval > self.last_trading_interval
        ):
            return []
        self.bid_for = interval
        given, self._again = interval == self._again, None
        self.plan = None if company.alone else self._plan(interval, now)
        if not company.bids:
            return []
        curve = Curve() if self._halted() else self._curve(interval, state, company, said, now)
        if curve.is_empty and not given:
            return []
        return [self._entry(Kind.ORDER, interval, now, encode_order(curve))]

    def pause(self, paused: bool, now: Now) -> None:
        """Stop bidding, or go on. An order whose gate is still open is given again: cancelled, or made anew."""
        if paused != self.paused:
            self.paused = paused
            self.bid_again(now)

    def bid_again(self, now: Now) -> None:
        """What the owner wants has changed: give the order whose gate is still open again."""
        if self.bid_for == self.calendar.next_gate(now.cell_ns):
            self._again, self.bid_for = self.bid_for, -1

    def read(self, record: MeterRecord, now: Now) -> list[Effect]:
        """A meter record becomes a reading, once; an incomplete one teaches nothing and is not reported."""
        if record.complete:
            self._learn(record)
        if record.interval in self.reported or record.interval < self.first_interval or not record.complete:
            return [AcknowledgeMeter(record.interval)]
        reading = Reading(record.contribution, record.consumption)
        return [self._entry(Kind.READING, record.interval, now, encode_reading(reading))]

    def entry_stored(self, kind: int, interval: int) -> list[Effect]:
        """Our entry is safe in the feed."""
        if kind == Kind.READING:
            self.reported.add(interval)
            return [AcknowledgeMeter(interval)]
        return []

    def decided(
        self,
        state: CellState,
        outcomes: BlockOutcomes,
        timely: bool,
        now: Now,
        said: Plans = NOTHING_SAID,
    ) -> list[Effect]:
        """A block was decided: remember its price, and command our position if its deadline is not past.

        In a virtual battery that is our share of what was contracted, by what its members have `said` of the interval.
        """
        clearing = outcomes.clearing
        # A price of scarcity in an emergency is paid by nobody, and says nothing of what comes after.
        price = None if clearing.emergency else clearing.prices[self.rule.branch]
        self.prices = self.prices.with_price(clearing.tariff.import_price if price is None else price)
        if self.expectations is not None:
            tariff = clearing.tariff
            self.expectations.priced(clearing.interval, tariff.import_price, tariff.export_price, price)
        if self.last_trading_interval is not None and clearing.interval > self.last_trading_interval:
            return []
        position, told = self._position(state, outcomes, said)
        self.positions = {clearing.interval - 1: self.positions.get(clearing.interval - 1, 0)}
        reason = "no plan of ours was said" if position is None else None
        if not timely or now.cell_ns >= self.calendar.dispatch_deadline_ns(clearing.interval):
            reason = "decided after its deadline"
        if reason is not None or position is None:
            return [*told, Report("local_fallback", {"interval": clearing.interval, "reason": reason})]
        self.positions[clearing.interval] = position
        return [*told, CommandPosition(clearing.interval, position)]

    def measured(self, image: ImageReport) -> None:
        """The newest process image."""
        self._image = image

    def attached(self, nameplate: Attached) -> None:
        """What the devices can do together."""
        self._nameplate = nameplate

    def headroom_mw(self, now: Now) -> tuple[int, int, int | None]:
        """Power that could be injected more (up) and withdrawn more (down), mW, and the state of charge per mille."""
        image = self._fresh_image(now)
        if image is None or self._nameplate is None or image.connection_w is None:
            return 0, 0, None
        discharge = self._nameplate.discharge_w if image.dischargeable_wh else 0.0
        charge = self._nameplate.charge_w if image.chargeable_wh else 0.0
        stored = sum(device.stored_wh or 0.0 for device in image.devices)
        capacity = self._nameplate.capacity_wh
        soc = None if not capacity else max(0, min(1000, round(1000 * stored / capacity)))
        return round(discharge) * MW_PER_W, round(charge) * MW_PER_W, soc

    def stored(self, now: Now) -> tuple[int, int, int]:
        """Energy that could be given above the reserve and taken (mWh), and the health of the stores (per mille).

        What is not known counts as nothing; the least healthy store speaks for all.
        """
        image = self._fresh_image(now)
        if image is None:
            return 0, 0, HEALTHY
        health = min((each.factor for each in image.health), default=1.0)
        up, down = image.dischargeable_wh or 0.0, image.chargeable_wh or 0.0
        return int(up * MWH_PER_WH), int(down * MWH_PER_WH), round(HEALTHY * health)

    def _halted(self) -> bool:
        """Whether nothing may be offered: the owner paused trading, or has stopped the devices."""
        stopped = self._image is not None and self._image.mode is Mode.EMERGENCY_STOP
        return self.paused or stopped

    def _order_time_ns(self, interval: int) -> int:
        """When the order is given; in a virtual battery also the plan is said, by who bids for all after the others."""
        gate_ns = self.calendar.gate_closure_ns(interval)
        if self.company is None or self.company.alone:
            return gate_ns - self.order_lead_ns
        speak_ns = max(self.calendar.gate_closure_ns(interval - 1), gate_ns - 2 * self.order_lead_ns)
        return (speak_ns + gate_ns) // 2 if self.company.bids else speak_ns

    def _position(
        self, state: CellState, outcomes: BlockOutcomes, said: Plans
    ) -> tuple[int | None, list[Effect]]:
        """Our part of what was contracted, and a word about it; None where nobody knows what we expected."""
        aggregators = {} if state.pending is None else state.pending.aggregators
        company = company_among(aggregators, self.rule.member)
        contracted = outcomes.position_of(company.aggregator)
        if company.alone:
            return contracted, []
        plans = credible(company, said, state.rules)
        share = shares_of(contracted, company, plans).get(self.rule.member)
        fields: dict[str, object] = {
            "interval": outcomes.clearing.interval,
            "energy_mwh": share,
            "contracted_mwh": contracted,
            "members": len(company.members),
            "heard": len(plans),
        }
        return share, [Report("battery_share", fields)]

    def _plan(self, interval: int, now: Now) -> Plan:
        """What the others of our virtual battery are to know; one whose devices are stopped has no storage."""
        storage = NO_STORAGE if self._halted() else self._storage(interval, now)
        return plan_of(self._flexibility(interval, now), storage)

    def _entry(self, kind: Kind, interval: int, now: Now, payload: tuple[Value, ...]) -> SignEntry:
        return SignEntry(int(kind), interval, now.cell_ns, payload)

    def _learn(self, record: MeterRecord) -> None:
        loads, sources = (DerKind.LOAD, DerKind.FLEXIBLE), (DerKind.PV, DerKind.GENERATOR)
        load = sum(device.withdrawn for device in record.devices if device.kind in loads)
        generation = sum(device.injected for device in record.devices if device.kind in sources)
        self.load = self.load.observe(record.interval, load)
        self.generation = self.generation.observe(record.interval, generation)
        if self.expectations is not None:
            self.expectations.metered(record.interval, load, generation)

    def _curve(self, interval: int, state: CellState, company: Company, said: Plans, now: Now) -> Curve:
        """The curve to offer, for all that we bid for."""
        tariff = self.rules.tariff_on(self.rule.branch, self.rules.tariff_at(interval, state.tariffs))
        injection, withdrawal = energy_caps(state.rules, company)
        account = Account(
            import_price=tariff.import_price,
            export_price=tariff.export_price,
            max_injection=injection,
            max_withdrawal=withdrawal,
        )
        history = self.prices if self.prices.prices else self.prices.with_price(tariff.import_price)
        forecast = history.forecast()
        assert forecast is not None, "a history with a price has quartiles"
        if self.expectations is not None:
            forecast = replace(forecast, horizon=self._horizon(self.expectations, interval, state))
        own = self._flexibility(interval, now)
        plans = credible(company, said, state.rules)
        others = [plan for member, plan in plans.items() if member != company.member]
        flexibility = flexibility_together(own, others) if others else own
        return self.bidder.orders(flexibility, forecast, account)

    def _horizon(self, expectations: Expectations, interval: int, state: CellState) -> tuple[Outlook, ...]:
        def tariff(ahead: int) -> tuple[int, int]:
            step = self.rules.tariff_at(ahead, state.tariffs)
            return self.told(ahead, (step.import_price, step.export_price))

        return expectations.horizon(interval, self.horizon, tariff, self.carbon)

    def _expected(self, interval: int) -> tuple[int, int]:
        """Load and generation to expect in an interval."""
        known = None if self.expectations is None else self.expectations.expected(interval)
        return (self.load.expect(interval), self.generation.expect(interval)) if known is None else known

    def _flexibility(self, interval: int, now: Now) -> Flexibility:
        load, generation = self._expected(interval)
        storage = self._storage(interval, now)
        return Flexibility(
            load=load,
            generation=generation,
            charge=min(storage.room, storage.most_charge),
            discharge=min(storage.stored, storage.most_discharge),
            efficiency_ppm=self.efficiency_ppm,
            interval=interval,
            storage=storage,
        )

    def _storage(self, interval: int, now: Now) -> Storage:
        """The storage at the start of `interval`, after what it still has to do in the running one."""
        image = self._fresh_image(now)
        if image is None or self._nameplate is None:
            return NO_STORAGE
        if image.chargeable_wh is None or image.dischargeable_wh is None:
            return NO_STORAGE
        running = interval - 1
        load, generation = self._expected(running)
        surplus = generation - load
        elapsed = now.cell_ns - self.calendar.start_ns(running)
        left = max(0, self.calendar.interval_ns - max(0, elapsed))
        planned = (self.positions.get(running, 0) - surplus) * left // self.calendar.interval_ns
        chargeable = int(image.chargeable_wh * MW_PER_W) + planned
        dischargeable = int(image.dischargeable_wh * MW_PER_W) - planned
        seconds = self.rules.interval_s
        return Storage(
            room=max(0, chargeable),
            stored=max(0, dischargeable),
            most_charge=energy_of_power(int(self._nameplate.charge_w * MW_PER_W), seconds),
            most_discharge=energy_of_power(int(self._nameplate.discharge_w * MW_PER_W), seconds),
            efficiency_ppm=self.efficiency_ppm,
            wear=self.wear,
        )

    def _fresh_image(self, now: Now) -> ImageReport | None:
        if self._image is None or now.real_ns - self._image.real_ns > IMAGE_AGE_NS:
            return None
        return self._image
