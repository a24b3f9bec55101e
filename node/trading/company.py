"""Company: who a member trades with as one virtual battery, and what its share is of what was contracted for all.

Sans-IO. Everybody computes all shares from the contract in the block and from what members said of the interval, so
nobody has to be told; with the same words the shares are the same everywhere and sum up to the contract exactly.
Energies are mWh, injection positive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from devices.swarm.shares import equalised
from devices.swarm.view import SECONDS_PER_HOUR, Member, Request, SwarmView
from market.bidding import Flexibility, Storage
from market.cell_state import CellState
from market.rules import CellRules
from market.units import MAX_QUANTITY
from market.virtual_battery.book import Aggregators
from market.virtual_battery.settling import together
from node.wire import MOST_PLANNED, Plan

Plans = Mapping[bytes, Plan]
"""What members of the cell have said of one interval, by member id."""
NOTHING_SAID: Final[Plans] = {}
"""What is known where nobody has said anything."""
MOST_OFFERED: Final = MAX_QUANTITY // 4
"""mWh of each kind: whatever sign they are added up with, a step of a curve can hold it."""


@dataclass(frozen=True, slots=True)
class Company:
    """Whom `member` trades with: the one that bids, and all that it bids for, itself included, ascending by id.

    A member that bids for itself alone is its own aggregator.
    """

    member: bytes
    aggregator: bytes
    members: tuple[bytes, ...]

    @property
    def alone(self) -> bool:
        """Whether there is no virtual battery."""
        return len(self.members) < 2

    @property
    def bids(self) -> bool:
        """Whether the member itself bids."""
        return self.member == self.aggregator


def company_at_next_gate(state: CellState, member: bytes, interval: int) -> Company:
    """Whom a member trades with in an interval whose gate is next, as far as blocks have it."""
    return company_among(state.virtual_batteries.aggregators(state.rules, interval), member)


def company_among(aggregators: Aggregators, member: bytes) -> Company:
    """Whom a member trades with, as it was cleared."""
    aggregator = aggregators.get(member, member)
    return Company(member, aggregator, together(aggregators, aggregator))


def plan_of(flexibility: Flexibility, storage: Storage) -> Plan:
    """What a member says of an interval, from what it knows of itself."""
    return Plan(
        interval=flexibility.interval,
        load=flexibility.load,
        generation=flexibility.generation,
        room=min(storage.room, MOST_PLANNED),
        stored=min(storage.stored, MOST_PLANNED),
        charge=min(storage.room, storage.most_charge),
        discharge=min(storage.stored, storage.most_discharge),
    )


def credible(company: Company, said: Plans, rules: CellRules) -> dict[bytes, Plan]:
    """What members of a company have said, each cut to what its metering point carries."""
    plans = {}
    for member in company.members:
        plan = said.get(member)
        if plan is not None:
            point = rules.member_index[member]
            most_in, most_out = rules.max_injection(point), rules.max_withdrawal(point)
            plans[member] = replace(
                plan,
                load=min(plan.load, most_out),
                generation=min(plan.generation, most_in),
                charge=min(plan.charge, most_out),
                discharge=min(plan.discharge, most_in),
            )
    return plans


def flexibility_together(own: Flexibility, others: Iterable[Plan]) -> Flexibility:
    """What all can do, as if it stood on one connection; the round trip and the wear are those of the own storage."""
    plans = list(others)
    storage = own.storage
    assert storage is not None, "trading always says what its storage can do"

    whole = Storage(
        room=_added(storage.room, (each.room for each in plans)),
        stored=_added(storage.stored, (each.stored for each in plans)),
        most_charge=_added(storage.most_charge, (each.charge for each in plans)),
        most_discharge=_added(storage.most_discharge, (each.discharge for each in plans)),
        efficiency_ppm=storage.efficiency_ppm,
        wear=storage.wear,
    )
    return replace(
        own,
        load=_added(own.load, (each.load for each in plans)),
        generation=_added(own.generation, (each.generation for each in plans)),
        charge=_added(own.charge, (each.charge for each in plans)),
        discharge=_added(own.discharge, (each.discharge for each in plans)),
        storage=whole,
    )


def _added(own: int, others: Iterable[int]) -> int:
    return min(own + sum(others), MOST_OFFERED)


def shares_of(position: int, company: Company, plans: Plans) -> dict[bytes, int]:
    """The position of each member of a company whose plan there is, and of the aggregator; their sum is `position`.

    What loads and generation leave to be done falls to the storages, equalised; what they cannot do together falls
    to the connection of the aggregator. Without a word from the aggregator its own loads are not reckoned with.
    """
    must_run = {member: each.generation - each.load for member, each in plans.items()}
    given = _by_storages(position - sum(must_run.values()), plans)
    shares = {member: must_run[member] + given[member] for member in plans}
    rest = position - sum(shares.values())
    return shares | {company.aggregator: shares.get(company.aggregator, 0) + rest}


def _by_storages(energy: int, plans: Plans) -> dict[bytes, int]:
    """What each storage gives (negative: takes) of an energy, as far as they can together."""
    view = SwarmView(
        Member(
            id=member.hex(),
            branch="",
            up_mw=each.discharge,
            down_mw=each.charge,
            up_energy=each.discharge,
            down_energy=each.charge,
            stored=each.stored,
            capacity=each.stored + each.room,
        )
        for member, each in plans.items()
    )
    # A request of one hour has as many mW as mWh, so energies are shared in whole units.
    shares = equalised(view, Request("company", energy, SECONDS_PER_HOUR, health=0))
    return {
        bytes.fromhex(name): share for name, share in zip(shares.ids, shares.power_mw.tolist(), strict=True)
    }


def energy_caps(rules: CellRules, company: Company) -> tuple[int, int]:
    """The most that all metering points of a company may inject and withdraw in an interval."""
    points = [rules.member_index[member] for member in company.members]
    return sum(map(rules.max_injection, points)), sum(map(rules.max_withdrawal, points))
