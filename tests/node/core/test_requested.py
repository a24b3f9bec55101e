"""Every node gives its own share of a request, and all together give what was asked; who is gone is made up for."""

from dataclasses import replace
from typing import Any

import pytest
from cell_world import CellWorld
from hypothesis import given
from hypothesis import strategies as st

from devices.messages.control_messages import DeviceAccess, MeterRecord, Mode, ServiceEnergy
from devices.messages.orders import Activate, Admit, Enter, Release
from ledger.records.entries import Entry, SignedEntry
from market.administration.payloads import (
    Action,
    DeviceCommand,
    DeviceRights,
    Right,
    device_key,
    encode_command,
    encode_rights,
)
from market.outcomes import Refusal, Rejected
from market.payloads import Kind
from market.services.payloads import Sharing, decode_armed, decode_report, encode_withdrawal
from market.services.shares import calls
from node.core.commands import Commands
from node.core.offers import PATIENCE, Offer, Offers
from node.core.requested import Requested
from node.events import Effect, Now, Order, Report, SignEntry
from node.wire import Capacity

FIRST, OPERATOR, DSO = 100, 4, 5
HOUR_NS = 3600 * 10**9


@pytest.fixture
def cell() -> CellWorld:
    return armed_cell()


def armed_cell() -> CellWorld:
    """Four members, of which three have armed 400, 300 and 100 mW for `flex` from interval 102 on."""
    world = CellWorld()
    world.block(world.terms(FIRST + 1))
    world.block(*(world.arm(m, FIRST + 2, FIRST + 6, up, up) for m, up in enumerate((400, 300, 100))))
    return world


def key(world: Any, member: int) -> bytes:
    found = world.membership.by_id(world.ids[member])
    assert found is not None
    return bytes(found.feed_key)


def at(world: Any, interval: int, seconds: float = 0.0) -> Now:
    cell_ns = world.rules.calendar.start_ns(interval) + round(seconds * 10**9)
    return Now(cell_ns, cell_ns, 1)


def heard(world: Any, author: int, kind: Kind, payload: Any, number: int = 1) -> SignedEntry:
    entry = Entry(key(world, author), 0, number, None, int(kind), 0, 0, payload)
    return SignedEntry(entry, b"", bytes(64), bytes([number]) * 32)


def shares(
    world: Any,
    request: SignedEntry,
    now: Now,
    gone: tuple[int, ...] = (),
    capacity: dict[int, Capacity] | None = None,
) -> list[int | None]:
    """What each member tells its devices, in mW; None for nothing."""
    if capacity is None:
        capacity = {m: Capacity(0, 1000, 1000, 500, 1000, m % 3, 10**9, 10**9) for m in range(4)}
    found: list[int | None] = []
    for member in range(4):
        requested = Requested(world.ids[member])
        requested.heard([request], world.membership, world.state)
        seen = {key(world, m): each for m, each in capacity.items() if m != member and m not in gone}
        effects = requested.due(world.state, world.membership, seen, capacity.get(member), now)
        found.append(told(effects))
    return found


def told(effects: list[Effect]) -> int | None:
    orders = [each.order for each in effects if isinstance(each, Order)]
    activations = [each for each in orders if isinstance(each, Activate)]
    return round(activations[0].activation.power_w * 1000) if activations else None


def call(world: Any, power_mw: int, **more: Any) -> SignedEntry:
    start_ns = world.rules.calendar.start_ns(FIRST + 2)
    _, made = world.request(power_mw, start_ns, **more)
    return heard(world, DSO, Kind.REQUEST, made.entry.payload)


def test_the_shares_that_nodes_take_are_those_that_the_cell_pays_by(cell: Any) -> None:
    request = call(cell, 401)
    assert shares(cell, request, at(cell, FIRST + 2, 5)) == [201, 150, 50, None]
    world_request = cell.request(401, cell.rules.calendar.start_ns(FIRST + 2))
    cell.block(world_request)
    (agreed,) = calls(cell.state.services, cell.rules, FIRST + 2)
    assert [agreed.required[cell.ids[member]] for member in range(3)] == [201, 150, 50]


def test_the_rest_shares_the_whole_again_when_a_member_is_gone(cell: Any) -> None:
    now = at(cell, FIRST + 2, 5)
    assert shares(cell, call(cell, 400), now, gone=(1,))[0] == 320
    assert shares(cell, call(cell, 400), now, gone=(1,))[2] == 80
    assert shares(cell, call(cell, -9000), now, gone=(1,))[0] == -400, "nobody goes above what it has armed"


def test_a_branch_is_served_by_its_members(cell: Any) -> None:
    assert shares(cell, call(cell, 250, branch=1), at(cell, FIRST + 2, 5)) == [None, 250, None, None]


def test_before_its_time_after_it_and_from_anybody_else_a_request_does_nothing(cell: Any) -> None:
    request = call(cell, 400)
    assert shares(cell, request, at(cell, FIRST + 1, 3599)) == [None] * 4
    assert shares(cell, request, at(cell, FIRST + 3)) == [None] * 4
    stranger = replace(request, entry=replace(request.entry, author=key(cell, 0)))
    assert shares(cell, stranger, at(cell, FIRST + 2, 5)) == [None] * 4


def test_a_share_is_told_once_and_taken_back_when_a_block_refuses_the_request(cell: Any) -> None:
    requested, capacity = Requested(cell.ids[0]), Capacity(0, 1000, 1000, 500, 1000, 0, 10**9, 10**9)
    request = call(cell, 400)
    requested.heard([request], cell.membership, cell.state)

    def due(seconds: float) -> list[Effect]:
        return requested.due(cell.state, cell.membership, {}, capacity, at(cell, FIRST + 2, seconds))

    assert told(due(1)) == 400
    assert due(2) == []
    outcomes = cell.block()
    refused = Rejected(cell.ids[DSO], request.id, int(Kind.REQUEST), FIRST + 2, Refusal.FULL)
    (report,) = requested.decided(replace(outcomes, rejected=(refused,)))
    assert isinstance(report, Report)
    assert told(due(3)) == 0
    assert due(4) == []


def test_a_request_that_is_taken_back_ends_at_once_and_acts_again_when_that_is_refused(cell: Any) -> None:
    requested, capacity = Requested(cell.ids[0]), Capacity(0, 1000, 1000, 500, 1000, 0, 10**9, 10**9)
    request = call(cell, 400)

    def due(seconds: float) -> int | None:
        now = at(cell, FIRST + 2, seconds)
        return told(requested.due(cell.state, cell.membership, {}, capacity, now))

    requested.heard([request], cell.membership, cell.state)
    assert due(1) == 400
    stranger = heard(cell, 0, Kind.WITHDRAWAL, encode_withdrawal(request.id), 7)
    requested.heard([stranger], cell.membership, cell.state)
    assert due(2) is None, "nobody else takes it back"
    withdrawal = heard(cell, DSO, Kind.WITHDRAWAL, encode_withdrawal(request.id), 8)
    requested.heard([withdrawal], cell.membership, cell.state)
    assert due(3) == 0
    assert due(4) is None
    refused = Rejected(cell.ids[DSO], withdrawal.id, int(Kind.WITHDRAWAL), FIRST + 2, Refusal.WINDOW_CLOSED)
    requested.decided(replace(cell.block(), rejected=(refused,)))
    assert due(5) == 400


def test_a_request_that_a_block_has_as_withdrawn_gives_nothing(cell: Any) -> None:
    start_ns = cell.rules.calendar.start_ns(FIRST + 2)
    request = cell.request(400, start_ns)
    cell.block(request, cell.withdrawal(request, start_ns + 10 * 10**9))
    requested, capacity = Requested(cell.ids[0]), Capacity(0, 1000, 1000, 500, 1000, 0, 10**9, 10**9)
    for second, share in ((5, 400), (10, 0), (11, None)):
        now = at(cell, FIRST + 2, second)
        assert told(requested.due(cell.state, cell.membership, {}, capacity, now)) == share


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 200_000)
        ),
        min_size=4,
        max_size=4,
    ),
    st.integers(-900, 900).filter(bool),
)
def test_equal_views_of_an_equalised_request_sum_up_and_touch_no_reserve(
    said: list[tuple[int, int, int, int]], power_mw: int
) -> None:
    """Each says its power, what it can give above its reserve, what it can take, and its wear."""
    world = armed_cell()
    request = call(world, power_mw, sharing=Sharing.EQUALISED)
    capacity = {
        m: Capacity(0, power, power, 500, 1000, m % 3, up, down, wear)
        for m, (power, up, down, wear) in enumerate(said)
    }
    given = [each or 0 for each in shares(world, request, at(world, FIRST + 2, 5), capacity=capacity)]
    headroom = [0] * 4
    for m, armed_mw in enumerate((400, 300, 100)):
        power, up, down, _ = said[m]
        lasting_mw = (up if power_mw > 0 else down) * 3600 // 3595
        headroom[m] = min(armed_mw, power, lasting_mw)
    assert sum(given) == (1 if power_mw > 0 else -1) * min(abs(power_mw), sum(headroom))
    for share, most in zip(given, headroom, strict=True):
        assert share * power_mw >= 0 and abs(share) <= most


def test_the_fullest_give_first_and_who_stores_nothing_counts_as_full(cell: Any) -> None:
    request = call(cell, 300, sharing=Sharing.EQUALISED)
    capacity = {
        0: Capacity(0, 1000, 1000, 100, 1000, 0, 1_000, 9_000),
        1: Capacity(0, 1000, 1000, 900, 1000, 1, 9_000, 1_000),
    }
    assert shares(cell, request, at(cell, FIRST + 2, 5), capacity=capacity) == [None, 300, None, None]
    worn = capacity | {1: replace(capacity[1], wear=100_000)}
    assert shares(cell, request, at(cell, FIRST + 2, 5), capacity=worn)[0] == 300


def test_a_member_that_is_sick_or_empty_gives_nothing(cell: Any) -> None:
    requested = Requested(cell.ids[0])
    requested.heard([call(cell, 400)], cell.membership, cell.state)
    now = at(cell, FIRST + 2, 1)
    for own in (
        Capacity(0, 1000, 1000, 500, 100, 0, 10**9, 10**9),
        Capacity(0, 1000, 1000, 0, 1000, 0, 0, 10**9),
        None,
    ):
        assert told(requested.due(cell.state, cell.membership, {}, own, now)) is None


def test_a_member_arms_what_it_offers_and_again_before_it_ends() -> None:
    world = CellWorld()
    offers = Offers(world.ids[0], (Offer(b"flex", 300, 200), Offer(b"unknown", 1, 1)))
    assert offers.arm(world.state, at(world, FIRST)) == []
    world.block(world.terms(FIRST + 1))
    said = []
    for _ in range(20):
        entries = [each for each in offers.arm(world.state, at(world, FIRST)) if isinstance(each, SignEntry)]
        said += entries
        outcomes = world.block(
            *(world.entry(0, Kind(each.kind), each.interval, each.payload) for each in entries)
        )
        assert not outcomes.rejected
    assert 2 <= len(said) <= 4
    armed = [world.state.services.armed_at(b"flex", FIRST + 20).get(world.ids[0])]
    assert armed[0] is not None and (armed[0].up_mw, armed[0].down_mw) == (300, 200)
    assert all(decode_armed(each.payload).name == b"flex" for each in said)


def test_an_arming_that_no_block_takes_is_said_again_after_a_while() -> None:
    world = CellWorld()
    offers = Offers(world.ids[0], (Offer(b"flex", 300, 200),))
    world.block(world.terms(FIRST + 1))
    times = []
    for turn in range(2 * PATIENCE):
        if offers.arm(world.state, at(world, FIRST)):
            times.append(turn)
        world.block()
    assert times == [0, PATIENCE]


def test_what_control_counted_is_reported_for_what_was_armed(cell: Any) -> None:
    offers = Offers(cell.ids[0], ())
    services = (ServiceEnergy("flex", 900_000, 5, 4, 3, 2), ServiceEnergy("other", 1, 0, 0, 0, 0))
    record = MeterRecord(FIRST + 2, 0, 0, True, (), services)
    (entry,) = offers.report(record, cell.state, at(cell, FIRST + 3))
    assert isinstance(entry, SignEntry) and entry.interval == FIRST + 2
    report = decode_report(entry.payload)
    assert (report.available_ppm, report.asked_up, report.delivered_down) == (900_000, 5, 2)


def commands_of(world: Any) -> Commands:
    return Commands(world.ids[0], ("battery", "kitchen"))


def given_command(world: Any, author: int, *command: Any, number: int = 1) -> SignedEntry:
    return heard(world, author, Kind.DEVICE_COMMAND, encode_command(DeviceCommand(*command)), number)


def orders(effects: list[Effect]) -> list[object]:
    return [each.order for each in effects if isinstance(each, Order)]


def test_an_emergency_stop_acts_when_it_is_heard_and_goes_on_after_a_restart(cell: Any) -> None:
    commands, book = commands_of(cell), cell.state.administration
    stop = given_command(cell, OPERATOR, Action.STOP, None)
    assert orders(commands.heard([stop], cell.membership, book)) == [Enter(Mode.EMERGENCY_STOP)]
    assert orders(commands.decided(book, cell.block())) == []
    cell.block(cell.entry(OPERATOR, Kind.DEVICE_COMMAND, 0, stop.entry.payload))
    again = commands_of(cell)
    assert orders(again.attached(cell.state.administration)) == [Enter(Mode.EMERGENCY_STOP)]


def test_what_the_author_may_not_command_is_refused_at_the_edge(cell: Any) -> None:
    commands, book = commands_of(cell), cell.state.administration
    kitchen = device_key(cell.ids[0], "kitchen")
    for command in (
        given_command(cell, 1, Action.STOP, cell.ids[0]),
        given_command(cell, DSO, Action.RELEASE, cell.ids[0], kitchen),
    ):
        effects = commands.heard([command], cell.membership, book)
        assert orders(effects) == [] and isinstance(effects[0], Report)
    other = given_command(cell, OPERATOR, Action.STOP, cell.ids[1])
    assert commands.heard([other], cell.membership, book) == []
    for author in (0, OPERATOR):
        release = given_command(cell, author, Action.RELEASE, cell.ids[0], kitchen, number=author + 2)
        assert orders(commands.heard([release], cell.membership, book)) == [Release("kitchen")]


def test_rights_reach_the_devices_they_are_about(cell: Any) -> None:
    commands = commands_of(cell)
    battery = device_key(cell.ids[0], "battery")
    said = encode_rights(DeviceRights(cell.ids[0], battery, 1, Right.OPERATOR))
    outcomes = cell.block(cell.entry(0, Kind.DEVICE_RIGHTS, 0, said))
    held = Admit((DeviceAccess("battery", 1, False),))
    assert orders(commands.decided(cell.state.administration, outcomes)) == [held]
    assert orders(commands.decided(cell.state.administration, cell.block())) == []
