"""Random histories of a cell: what its members say, interval by interval, played on a world of the tests."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ledger.encoding import Value
from market.emergency.payloads import Seen
from market.payloads import Quality

FIRST = 100
MEMBERS = 4

RELAXED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 400)
    | st.binary(max_size=8)
    | st.binary(min_size=32, max_size=32),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=10,
)
rows = st.dictionaries(st.integers(-20, 400), st.integers(1, 700), max_size=3)


@st.composite
def blocks(draw: Any) -> dict[str, Any]:
    """One block: who orders, reads, books and changes what, relative to the interval of the gate."""
    offset = st.integers(-7, 3)
    member = st.integers(0, MEMBERS - 1)
    return {
        "orders": draw(st.lists(st.tuples(member, st.integers(-1, 2), rows, rows), max_size=6)),
        "readings": draw(
            st.lists(
                st.tuples(member, offset, st.integers(-1200, 1200), st.sampled_from(Quality)), max_size=8
            )
        ),
        "complete": draw(st.booleans()),
        "deposits": draw(st.lists(st.tuples(member, st.integers(-(10**6), 10**6).filter(bool)), max_size=1)),
        "tariffs": draw(st.lists(st.tuples(st.integers(0, 3), prices, prices), max_size=1)),
        "limits": draw(
            st.lists(
                st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 800), st.booleans()),
                max_size=1,
            )
        ),
        "ended": draw(st.booleans()),
        "meters": draw(
            st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 0), st.integers(-3000, 3000)), max_size=2)
        ),
        "services": draw(st.lists(service_entries(), max_size=6)),
        "emergency": draw(st.lists(emergency_entries(), max_size=4)),
        "granted": draw(st.lists(st.tuples(member, st.integers(0, 900), st.integers(0, 900)), max_size=1)),
        "batteries": draw(st.lists(battery_entries, max_size=3)),
        "skip": draw(st.sampled_from([0, 0, 0, 0, 1, 4])),
        "timely": draw(st.sampled_from([True, True, True, False])),
        "freeze": draw(st.sampled_from([None] * 9 + [0])),
        "voided": draw(st.sampled_from([()] * 9 + [(1,)])),
        "late": draw(st.sampled_from([-1, -1, -1, 0, 1])),
    }


NAMES = (b"flex", b"fcr-ce")

battery_entries = st.tuples(st.integers(0, MEMBERS - 1), st.none() | st.integers(0, MEMBERS - 1)) | st.tuples(
    st.integers(0, MEMBERS - 1), st.sets(st.integers(0, MEMBERS - 1), min_size=1)
)
"""A member and its aggregator, or an aggregator and its members. Members 0 and 3 sit on one branch."""


@st.composite
def service_entries(draw: Any) -> tuple[Any, ...]:
    """One entry about a grid service, relative to the interval of the gate."""
    name = draw(st.sampled_from(NAMES))
    member, offset = draw(st.integers(0, MEMBERS - 1)), draw(st.integers(-4, 2))
    up, down = draw(st.integers(0, 1500)), draw(st.integers(0, 1500))
    match draw(st.sampled_from(["terms", "arm", "arm", "arm", "report", "report", "request"])):
        case "terms":
            money = {"up_price": draw(st.integers(0, 20)), "down_energy_price": draw(st.integers(-90, 90))}
            return "terms", max(offset, 1), name, up, down, money
        case "arm":
            return "arm", member, max(offset, 0), draw(st.integers(0, 5)), up, down, name
        case "report":
            asked = draw(st.integers(0, 900)), draw(st.integers(0, 900))
            given = tuple(draw(st.integers(0, most)) for most in asked)
            return "report", member, offset, draw(st.integers(0, 10**6)), asked, given, name
    power = draw(st.integers(-2500, 2500).filter(bool))
    late_s, lasts_s = draw(st.integers(0, 3599)), draw(st.integers(1, 10_000))
    return "request", max(offset, -2), power, late_s, lasts_s, draw(st.sampled_from([None, 0, 1, 2]))


def service_entry(world: Any, gate: int, said: tuple[Any, ...]) -> Any:
    match said:
        case "terms", offset, name, up, down, money:
            more = {"name": name, "requested": name == b"flex", "up_mw": up, "down_mw": down}
            return world.terms(gate + offset, **more, **money)
        case "arm", member, offset, lasts, up, down, name:
            return world.arm(member, gate + offset, gate + offset + lasts, up, down, name)
        case "report", member, offset, ppm, asked, given, name:
            return world.service_report(member, gate + offset, ppm, *asked, *given, name=name)
    _, offset, power, late_s, lasts_s, branch = said
    start_ns = world.rules.calendar.start_ns(gate + offset) + late_s * 10**9
    return world.request(power, start_ns, lasts_s, branch=branch)


@st.composite
def emergency_entries(draw: Any) -> tuple[Any, ...]:
    """A member's observation of the grid, or a dso's word, relative to the interval of the gate."""
    if draw(st.integers(0, 4)):
        return draw(st.integers(0, MEMBERS - 1)), draw(st.integers(-4, 0)), draw(st.sampled_from(Seen))
    return draw(st.booleans()), draw(st.integers(-1, 2)), draw(st.integers(0, 3))


def emergency_entry(world: Any, gate: int, said: tuple[Any, ...]) -> Any:
    who, offset, what = said
    if isinstance(what, Seen):
        return world.observe(who, gate + offset, what)
    return world.declare(who, gate + offset, gate + offset + what)


def battery_entry(world: Any, member: int, said: set[int] | int | None) -> Any:
    return world.aggregate(member, *said) if isinstance(said, set) else world.delegate(member, said)


prices = st.integers(-50, 500)
histories = st.lists(blocks(), min_size=1, max_size=9)


def play(world: Any, history: list[dict[str, Any]]) -> None:
    for step in history:
        if step["freeze"] is not None:
            world.freeze(step["freeze"])
        apply(world, step, entries_of(world, step))


def apply(world: Any, step: dict[str, Any], entries: list[Any]) -> None:
    gate = world.state.last_interval + 1 + step["skip"]
    world.block(
        *entries,
        skip=step["skip"],
        timely=step["timely"],
        voided=step["voided"],
        time_ns=world.rules.calendar.start_ns(gate + step["late"]),
    )


def entries_of(world: Any, step: dict[str, Any]) -> list[Any]:
    gate = world.state.last_interval + 1 + step["skip"]
    entries = [
        world.order(
            member,
            gate + offset,
            buys=sorted(buys.items(), reverse=True),
            sells=sorted(sells.items()),
        )
        for member, offset, buys, sells in step["orders"]
    ]
    if step["complete"]:
        entries += [world.reading(member, gate - 2, 10 * member - 15) for member in range(MEMBERS)]
    entries += [world.reading(member, gate + offset, *rest) for member, offset, *rest in step["readings"]]
    entries += [world.deposit(*deposit) for deposit in step["deposits"]]
    entries += [world.tariff(gate + offset, max(a, b), min(a, b)) for offset, a, b in step["tariffs"]]
    entries += [
        world.limit(branch, gate, gate + length, power, withdrawable=withdrawable)
        for branch, length, power, withdrawable in step["limits"]
    ]
    if step.get("ended"):
        entries += [world.limit_ended(each) for each in world.state.limits if each.id is not None]
    entries += [world.meter(branch, gate + offset, net) for branch, offset, net in step["meters"]]
    entries += [service_entry(world, gate, said) for said in step.get("services", ())]
    entries += [world.grant(*granted) for granted in step.get("granted", ())]
    entries += [battery_entry(world, *said) for said in step.get("batteries", ())]
    return [*entries, *(emergency_entry(world, gate, said) for said in step.get("emergency", ()))]
