"""A small cell to play with: blocks go in, every law that must always hold is checked, outcomes come out."""

import hashlib
from collections.abc import Iterable
from typing import Any

from ledger.chain.application import BlockInput
from ledger.encoding import Value
from ledger.membership.members import Membership
from ledger.records.entries import Entry, SignedEntry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from market.cell import EnergyCell
from market.cell_state import CellState
from market.emergency.payloads import (
    Declaration,
    Observation,
    Seen,
    encode_declaration,
    encode_observation,
    encode_priority,
)
from market.emergency.priority import Priority
from market.outcomes import BlockOutcomes
from market.payloads import (
    BranchReading,
    Curve,
    Deposit,
    Kind,
    Quality,
    Reading,
    Step,
    encode_deposit,
    encode_limit,
    encode_meter,
    encode_order,
    encode_reading,
    encode_tariff,
)
from market.rules import (
    BranchLimit,
    BranchRule,
    CellRules,
    GridRule,
    MemberRule,
    TariffStep,
    encode_rules,
)
from market.services.payloads import (
    ArmedCapacity,
    Cause,
    ServiceReport,
    ServiceRequest,
    ServiceTerms,
    encode_armed,
    encode_report,
    encode_request,
    encode_terms,
    encode_withdrawal,
)
from market.standing_limits import StandingLimit
from market.virtual_battery.payloads import encode_aggregation, encode_delegation

FIRST_INTERVAL = 100
RETAIL, FEED_IN = 300, 40
MEMBERS = 4
OPERATOR, DSO = 4, 5


class CellWorld:
    """A cell of four prosumers on two branches, an operator and a dso; `height` blocks have been applied."""

    def __init__(self, **rules: Any) -> None:
        roles = [Role.PROSUMER | Role.VALIDATOR] * MEMBERS + [Role.OPERATOR, Role.DSO]
        keys = [bytes([index + 1]) * 32 for index in range(len(roles))]
        self.ids = [member_id(key) for key in keys]
        self.rules = CellRules(
            **{
                "interval_s": 3600,
                "gate_lead_s": 60,
                "currency": "EUR",
                "branches": (BranchRule("substation"), BranchRule("north", 0), BranchRule("south", 0, 500)),
                "grid": GridRule(),
                "tariff": (TariffStep(0, RETAIL, FEED_IN),),
                "members": tuple(
                    sorted(
                        (
                            MemberRule(self.ids[index], index % 3, 1000, 1000, 10**9)
                            for index in range(MEMBERS)
                        ),
                        key=lambda rule: rule.member,
                    )
                ),
                "reading_deadline": 2,
                "correction_window": 4,
                "order_horizon": 10,
                **rules,
            }
        )
        self.genesis = Genesis(
            cell_name=b"test",
            first_interval=FIRST_INTERVAL,
            last_timely_round=1,
            admission_keys=(),
            members=tuple(
                FoundingMember(
                    f"m{index}".encode(),
                    key,
                    bytes([index + 101]) * 32 if role & Role.VALIDATOR else None,
                    role,
                )
                for index, (key, role) in enumerate(zip(keys, roles, strict=True))
            ),
            application=encode_rules(self.rules),
        )
        self.cell = EnergyCell()
        self.state: CellState = self.cell.initial(self.genesis)
        self.membership = Membership.founding(self.genesis)
        self.height = 0
        self._sequence = 0
        self.history: list[BlockInput] = []
        self.outcomes: list[BlockOutcomes] = []

    def balance(self, member: int) -> int:
        return self.state.balance_of(self.ids[member])

    def entry(
        self, member: int, kind: int, interval: int, payload: tuple[Value, ...], time_ns: int = 0
    ) -> tuple[bytes, SignedEntry]:
        entry = Entry(bytes(32), 0, self._sequence, None, kind, interval, time_ns, payload)
        self._sequence += 1
        entry_id = hashlib.sha256(self._sequence.to_bytes(8, "big")).digest()
        return self.ids[member], SignedEntry(entry, b"", bytes(64), entry_id)

    def order(
        self,
        member: int,
        interval: int,
        buys: Iterable[tuple[int, int]] = (),
        sells: Iterable[tuple[int, int]] = (),
    ) -> tuple[bytes, SignedEntry]:
        curve = Curve(tuple(Step(*row) for row in buys), tuple(Step(*row) for row in sells))
        return self.entry(member, Kind.ORDER, interval, encode_order(curve))

    def reading(
        self, member: int, interval: int, net: int, quality: Quality = Quality.MEASURED
    ) -> tuple[bytes, SignedEntry]:
        reading = Reading(max(net, 0), max(-net, 0), quality)
        return self.entry(member, Kind.READING, interval, encode_reading(reading))

    def meter(self, branch: int, interval: int, net: int, member: int = DSO) -> tuple[bytes, SignedEntry]:
        metered = BranchReading(branch, Reading(max(net, 0), max(-net, 0)))
        return self.entry(member, Kind.METER, interval, encode_meter(metered))

    def tariff(
        self, interval: int, retail: int, feed_in: int, member: int = OPERATOR
    ) -> tuple[bytes, SignedEntry]:
        payload = encode_tariff(TariffStep(interval, retail, feed_in))
        return self.entry(member, Kind.TARIFF, interval, payload)

    def deposit(self, member: int, amount: int, author: int = OPERATOR) -> tuple[bytes, SignedEntry]:
        return self.entry(author, Kind.DEPOSIT, 0, encode_deposit(Deposit(self.ids[member], amount)))

    def limit(
        self, branch: int, first: int, last: int, limit_mw: int, member: int = DSO, withdrawable: bool = False
    ) -> tuple[bytes, SignedEntry]:
        limit = BranchLimit(branch, first, last, limit_mw, withdrawable)
        return self.entry(member, Kind.LIMIT, first, encode_limit(limit))

    def terms(self, interval: int, member: int = DSO, **terms: Any) -> tuple[bytes, SignedEntry]:
        """What the dso buys: a kW of `flex`, on request, at 5 for capacity and 100 for energy, unless said."""
        said = {"name": b"flex", "requested": True, "up_mw": 1000, "down_mw": 1000} | {
            "up_price": 5,
            "down_price": 4,
            "up_energy_price": 100,
            "down_energy_price": -20,
        }
        return self.entry(member, Kind.SERVICE_TERMS, interval, encode_terms(ServiceTerms(**(said | terms))))

    def arm(
        self, member: int, first: int, last: int, up_mw: int, down_mw: int, name: bytes = b"flex"
    ) -> tuple[bytes, SignedEntry]:
        payload = encode_armed(ArmedCapacity(name, last, up_mw, down_mw))
        return self.entry(member, Kind.ARMING, first, payload)

    def service_report(
        self, member: int, interval: int, ppm: int = 10**6, *energies: int, name: bytes = b"flex"
    ) -> tuple[bytes, SignedEntry]:
        payload = encode_report(ServiceReport(name, ppm, *energies))
        return self.entry(member, Kind.SERVICE_REPORT, interval, payload)

    def request(
        self, power_mw: int, start_ns: int, duration_s: int = 3600, member: int = DSO, **more: Any
    ) -> tuple[bytes, SignedEntry]:
        said = {"name": b"flex", "cause": Cause.DEMAND_SURGE} | more
        request = ServiceRequest(**said, power_mw=power_mw, start_ns=start_ns, duration_s=duration_s)
        interval = self.rules.calendar.index_of(start_ns)
        return self.entry(member, Kind.REQUEST, interval, encode_request(request))

    def withdrawal(
        self, request: tuple[bytes, SignedEntry], time_ns: int = 0, member: int = DSO
    ) -> tuple[bytes, SignedEntry]:
        payload = encode_withdrawal(request[1].id)
        return self.entry(member, Kind.WITHDRAWAL, request[1].entry.interval, payload, time_ns)

    def observe(self, member: int, interval: int, seen: Seen) -> tuple[bytes, SignedEntry]:
        payload = encode_observation(Observation(seen, interval))
        return self.entry(member, Kind.OBSERVATION, interval, payload)

    def declare(self, emergency: bool, first: int, last: int, member: int = DSO) -> tuple[bytes, SignedEntry]:
        payload = encode_declaration(Declaration(emergency, max(last, 0)))
        return self.entry(member, Kind.DECLARATION, first, payload)

    def grant(
        self, member: int, critical: int, essential: int, author: int = OPERATOR
    ) -> tuple[bytes, SignedEntry]:
        payload = encode_priority(self.ids[member], Priority(critical, essential))
        return self.entry(author, Kind.PRIORITY, 0, payload)

    def delegate(self, member: int, aggregator: int | None) -> tuple[bytes, SignedEntry]:
        payload = encode_delegation(None if aggregator is None else self.ids[aggregator])
        return self.entry(member, Kind.DELEGATION, self.state.last_interval, payload)

    def aggregate(self, aggregator: int, *members: int) -> tuple[bytes, SignedEntry]:
        payload = encode_aggregation(tuple(sorted(self.ids[member] for member in members)))
        return self.entry(aggregator, Kind.AGGREGATION, self.state.last_interval, payload)

    def limit_ended(self, standing: StandingLimit, member: int = DSO) -> tuple[bytes, SignedEntry]:
        assert standing.id is not None
        return self.entry(member, Kind.WITHDRAWAL, standing.limit.first, encode_withdrawal(standing.id))

    def freeze(self, member: int) -> None:
        self.membership = self.membership.with_frozen((self.ids[member],), self.height + 1)

    def block(
        self,
        *entries: tuple[bytes, SignedEntry],
        skip: int = 0,
        timely: bool = True,
        voided: Iterable[int] = (),
        time_ns: int = 0,
    ) -> BlockOutcomes:
        """Apply the next block, `skip` intervals further than the next one, and check what always holds."""
        first = self.state.last_interval + 1
        self.height += 1
        block = BlockInput(
            height=self.height,
            first_interval=first,
            last_interval=first + skip,
            time_ns=time_ns,
            previous_timely=timely if self.height > 1 else None,
            entries=tuple(sorted(entries, key=lambda pair: (pair[0], pair[1].entry.sequence))),
            membership=self.membership,
            voided=frozenset(self.ids[member] for member in voided),
        )
        before = self.leaves()
        state, outcomes = self.cell.apply(self.state, block)
        assert self.leaves() == before, "apply changed the state it was given"
        self.state = state
        self.history.append(block)
        self.outcomes.append(outcomes)
        _check_conserved(state, outcomes)
        keys = [key for key, _ in outcomes.leaves()]
        assert len(keys) == len(set(keys))
        return outcomes

    def leaves(self) -> list[tuple[bytes, bytes]]:
        leaves = list(self.cell.leaves(self.state))
        assert len({key for key, _ in leaves}) == len(leaves)
        return leaves

    def replay(self) -> tuple[CellState, list[BlockOutcomes]]:
        """The same blocks from the same genesis."""
        cell = EnergyCell()
        state, outcomes = cell.initial(self.genesis), []
        for block in self.history:
            state, outcome = cell.apply(state, block)
            outcomes.append(outcome)
        return state, outcomes


def _check_conserved(state: CellState, outcomes: BlockOutcomes) -> None:
    assert sum(state.balances.values()) == 0
    for posted in outcomes.postings:
        assert sum(posting.amount for posting in posted.postings) == 0
    clearing = outcomes.clearing
    lost = 0 if state.pending is None else state.pending.losses
    assert (
        sum(part.position for part in clearing.members) - lost == clearing.grid_export - clearing.grid_import
    )
    assert outcomes.confirmation is None or outcomes.confirmation.rent >= 0
    for settlement in outcomes.settlements:
        moved = sum(line.posted for line in settlement.lines) + settlement.supplier + settlement.community
        assert moved == 0
        assert settlement.correction or settlement.community >= 0
    assert all(line.capacity_money >= 0 for line in outcomes.services)
