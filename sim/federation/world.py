"""A district and two streets below it in virtual time: one seed decides orders, losses, partitions and lies.

The cores are those of the daemon (`node.gateway`) and of the ledger; only the line between the two nodes of a
gateway is simulated. After every block of a street what it believed is compared with what the district
decided. A violated check raises AssertionError with seed and interval.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from market.cell_state import CellState
from market.federation.gateway_order import curve_of_cell, gateway_order
from market.federation.transfer_proof import TransferProof
from market.payloads import Curve, Kind, Step, encode_order, encode_reading
from market.payloads import Reading as MeterReading
from market.units import NS_PER_S
from node.gateway.child_side import ChildSide, Say
from node.gateway.messages import GatewayRequest, decode_request, encode_request
from node.gateway.parent_side import ParentSide
from sim.federation.cells import FIRST_INTERVAL, SmallCell
from sim.federation.lies import Lie, lie_about

ABOVE_LEAD_S, OWN_LEAD_S = 2700, 900
MARGIN_NS = 60 * NS_PER_S
TICK_NS = 30 * NS_PER_S
LINE_LOSS = 31_007
"""What the lines of the streets lose in every second seed, millionths."""
MOST_LATE_TICKS = 20
"""An answer may take ten minutes of cell time, and the gates are half an hour apart."""


@dataclass
class Line:
    """Between the two nodes of a gateway: answers come late, get lost, or not at all for a while."""

    random: Random
    loss: float
    cut_until_ns: int = 0
    _waiting: list[tuple[int, GatewayRequest, bytes]] = field(default_factory=list)

    def passes(self, now_ns: int) -> bool:
        """Whether a request gets through now."""
        return now_ns >= self.cut_until_ns and self.random.random() >= self.loss

    def answer(self, now_ns: int, request: GatewayRequest, reply: bytes) -> None:
        """Send an answer back; some are sent twice."""
        for _ in range(1 + (self.random.random() < self.loss)):
            late_ns = self.random.randrange(MOST_LATE_TICKS) * TICK_NS
            self._waiting.append((now_ns + late_ns, request, reply))

    def arrived(self, now_ns: int) -> list[tuple[GatewayRequest, bytes]]:
        """The answers that are there by now; while the line is cut none is."""
        if now_ns < self.cut_until_ns:
            return []
        there = [(request, reply) for at_ns, request, reply in self._waiting if at_ns <= now_ns]
        self._waiting = [each for each in self._waiting if each[0] > now_ns]
        return there


@dataclass
class Street:
    """A cell below, its gateway on both sides, and what it is lying about in the present interval."""

    cell: SmallCell
    above: int
    child: ChildSide
    parent: ParentSide
    line: Line
    lie: Lie | None = None
    seen: list[bytes] = field(default_factory=list)


class FederatedWorld:
    """One seed's world; `run` plays it and returns what happened how often."""

    def __init__(self, seed: int, *, faults: bool = True) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.counts: Counter[str] = Counter()
        self.district = SmallCell("district", ("north", "south", "wind", "school"), ABOVE_LEAD_S, 310, 40)
        self.faults = faults
        self._deck: list[Lie] = []
        self.streets = [self._street(place, name) for place, name in enumerate(("north", "south"))]

    def run(self, intervals: int) -> Counter[str]:
        """Play so many intervals."""
        calendar = self.district.calendar
        start_ns = calendar.gate_closure_ns(FIRST_INTERVAL) - 10 * MARGIN_NS
        end_ns = calendar.gate_closure_ns(FIRST_INTERVAL + intervals)
        ordered = FIRST_INTERVAL - 1
        for now_ns in range(start_ns, end_ns, TICK_NS):
            coming = calendar.next_gate(now_ns)
            if coming > ordered and now_ns >= calendar.gate_closure_ns(coming) - 4 * MARGIN_NS:
                ordered = coming
                self._begin(coming, now_ns)
            for street in self.streets:
                self._gateway(street, now_ns)
            self._blocks(now_ns)
        return self.counts

    def _street(self, place: int, name: str) -> Street:
        people = ("gateway", "ada", "ben", "cy")
        cell = SmallCell(
            f"{name} street",
            people,
            OWN_LEAD_S,
            300,
            50,
            parent=(self.district.genesis, ABOVE_LEAD_S, place),
            loss=LINE_LOSS * (self.seed % 2),
        )
        rule = cell.rules.parent
        assert rule is not None
        child = ChildSide(
            rule,
            cell.calendar,
            self.district.calendar,
            MARGIN_NS,
            FIRST_INTERVAL,
            order=lambda interval: _offer(cell.tip.state, cell, interval),
            last_interval=cell.tip.last_interval,
        )
        parent = ParentSide(self.district.genesis.cell_id, self.district.calendar)
        line = Line(self.random, self.random.choice((0.0, 0.1, 0.3)) if self.faults else 0.0)
        return Street(cell, place, child, parent, line)

    def _begin(self, interval: int, now_ns: int) -> None:
        """Everybody orders, meters report what was over, and trouble is drawn."""
        for cell, metered in [(self.district, (2, 3)), *((s.cell, (1, 2, 3)) for s in self.streets)]:
            for place in metered:
                cell.say(place, Kind.ORDER, interval, encode_order(self._wish()), now_ns)
                read = MeterReading(self.random.randrange(2000), self.random.randrange(2000))
                if interval - 2 >= FIRST_INTERVAL:
                    cell.say(place, Kind.READING, interval - 2, encode_reading(read), now_ns)
        for street in self.streets:
            street.lie = None
            if self.faults and self.random.random() < 0.3:
                street.lie = self._next_lie()
            if self.faults and self.random.random() < 0.2:
                length_ns = self.random.randrange(1, 8_000) * NS_PER_S
                street.line.cut_until_ns = max(street.line.cut_until_ns, now_ns + length_ns)
                self.counts["partitions"] += 1

    def _next_lie(self) -> Lie:
        """Every lie once before any comes again."""
        if not self._deck:
            self._deck = self.random.sample(list(Lie), len(Lie))
        return self._deck.pop()

    def _wish(self) -> Curve:
        steps = sorted(self.random.sample(range(45, 300), 6))
        buys = tuple(Step(price, self.random.randrange(1, 3000)) for price in reversed(steps[:3]))
        sells = tuple(Step(price, self.random.randrange(1, 3000)) for price in steps[3:])
        return Curve(buys, sells) if self.random.random() < 0.5 else Curve(sells=sells)

    def _gateway(self, street: Street, now_ns: int) -> None:
        """One tick of a gateway: ask, hear, and say in either cell."""
        for request in street.child.wants(now_ns):
            if street.line.passes(now_ns):
                reply, said = street.parent.take(decode_request(encode_request(request)), now_ns)
                for each in said:
                    self._say(self.district, street.above, each, now_ns)
                street.line.answer(now_ns, request, reply)
        for request, reply in street.line.arrived(now_ns):
            street.child.heard(request, self._spoilt(reply))
        for each in street.child.says(now_ns):
            if street.lie is None:
                self._say(street.cell, 0, each, now_ns)

    def _spoilt(self, reply: bytes) -> bytes:
        """Whoever sits on the line may turn a bit: the gateway has to see it."""
        if not self.faults or len(reply) < 2 or self.random.random() > 0.05:
            return reply
        place = self.random.randrange(len(reply))
        return reply[:place] + bytes([reply[place] ^ 1 << self.random.randrange(8)]) + reply[place + 1 :]

    def _say(self, cell: SmallCell, place: int, said: Say, now_ns: int) -> None:
        cell.say(place, said.kind, said.interval, said.payload, now_ns)

    def _blocks(self, now_ns: int) -> None:
        """The blocks whose gate closed a margin ago."""
        for cell in (self.district, *(street.cell for street in self.streets)):
            interval = cell.tip.last_interval + 1
            if now_ns < cell.calendar.gate_closure_ns(interval) + MARGIN_NS:
                continue
            street = next((each for each in self.streets if each.cell is cell), None)
            if street is not None and street.lie is not None:
                self.counts[f"lie {street.lie.name.lower()}"] += 1
                for said in lie_about(street.lie, self.district, street.above, street.seen, interval):
                    self._say(cell, 0, said, now_ns)
            outcomes = cell.decide(interval, now_ns)
            assert sum(cell.tip.state.balances.values()) == 0, self._at(interval)
            if street is not None:
                self._check(street, interval)
                street.child.decided(interval, outcomes.position_of(cell.member(0)))
                continue
            assert self.district.certified is not None
            for each in self.streets:
                part = self.district.part(self.district.member(each.above))
                each.parent.decided(self.district.certified, part)
                if part is not None:
                    proof = TransferProof(self.district.genesis.cell_id, (), self.district.certified, part)
                    each.seen.append(proof.encode())

    def _check(self, street: Street, interval: int) -> None:
        """What the street did with its transfer against what the district decided."""
        assert street.cell.outcomes is not None
        assert self.district.outcomes is not None
        for settlement in street.cell.outcomes.settlements:
            for line in settlement.lines:
                settled = line.member != street.cell.member(0) or not (line.imbalance or line.imbalance_money)
                assert settled, f"{self._at(settlement.interval)}: the gateway settles an imbalance"
        part = street.cell.outcomes.part_of(street.cell.member(0))
        gateway = self.district.outcomes.part_of(self.district.member(street.above))
        contracted = 0 if gateway is None else gateway.position
        if part is None or street.lie not in (None, Lie.TWICE):
            assert part is None, f"{self._at(interval)}: a transfer without a proof"
            self.counts["alone"] += 1
            return
        assert gateway is not None
        assert gateway.price is not None
        assert contracted, f"{self._at(interval)}: a transfer that the parent did not decide"
        # The street's orders did not change since they were offered, so that all of it is made up.
        assert part.position == -contracted, f"{self._at(interval)}: {part.position} of {-contracted}"
        assert part.price is not None
        gain = (gateway.price - part.price) * contracted
        assert gain >= 0, f"{self._at(interval)}: the gateway pays for its cell"
        self.counts["transfers"] += 1

    def _at(self, interval: int) -> str:
        return f"seed {self.seed}, interval {interval}"


def _offer(state: CellState, cell: SmallCell, interval: int) -> Curve:
    """What the street could give and take, of the orders that its members have said."""
    rules, tariff = state.rules, state.rules.tariff_at(interval, state.tariffs)
    curves = cell.open_orders(interval)
    reaching = rules.tariff_on(0, tariff)
    return gateway_order(curve_of_cell(rules, rules.feeder_for(interval), curves), reaching)
