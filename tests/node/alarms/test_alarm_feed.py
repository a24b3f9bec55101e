"""Alarms become entries once, over restarts and flicker, and read back as the list of what stands."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from devices.messages.control_messages import Alarm, AlarmCode, Severity
from ledger.records.entries import Entry, SignedEntry
from ledger.records.genesis import Role
from market.administration.payloads import AlarmState, Urgency, device_key, encode_acknowledgement
from market.payloads import Kind
from node.alarms.alarm_codes import NUMBERS, alarm_name
from node.alarms.alarm_feed import MOST_PER_INTERVAL, AlarmFeed, read_notice
from node.alarms.alarm_log import alarms_of
from node.events import Effect, Now, SignEntry

MEMBER, OTHER, OPERATOR = b"m" * 32, b"o" * 32, b"p" * 32
NOW = Now(0, 5_000, 1)
MEMBERSHIP: Any = SimpleNamespace(
    everyone=[
        SimpleNamespace(id=id_, name=name, roles=role)
        for id_, name, role in (
            (MEMBER, b"home-1", Role.PROSUMER),
            (OTHER, b"home-2", Role.PROSUMER),
            (OPERATOR, b"home-3", Role.OPERATOR),
        )
    ]
)
MEMBERSHIP.by_id = lambda id_: next((each for each in MEMBERSHIP.everyone if each.id == id_), None)


def alarm(code: AlarmCode, *, raised: bool = True, device: str | None = "battery") -> Alarm:
    return Alarm(code, Severity.CRITICAL, raised, device, "words that stay", 4_000)


def entries(effects: list[Effect]) -> list[SignEntry]:
    return [effect for effect in effects if isinstance(effect, SignEntry)]


def states(effects: list[Effect]) -> list[AlarmState]:
    notices = [read_notice(entry.payload) for entry in entries(effects)]
    return [notice.state for notice in notices if notice is not None]


def signed(number: int, entry: SignEntry, author: bytes = MEMBER) -> tuple[bytes, SignedEntry]:
    body = Entry(author, 0, number, None, entry.kind, entry.interval, entry.time_ns, entry.payload)
    return author, SignedEntry(body, b"", bytes(64), bytes([number]) * 32)


def acknowledged(number: int, alarm_id: bytes, author: bytes) -> tuple[bytes, SignedEntry]:
    return signed(
        number, SignEntry(int(Kind.ACKNOWLEDGEMENT), 0, 9_000, encode_acknowledgement(alarm_id)), author
    )


def test_what_is_expected_stays_in_the_own_log() -> None:
    feed = AlarmFeed(MEMBER)
    feed.attached()
    said = feed.changed(alarm(AlarmCode.TROUBLE_EXPECTED, device=None))
    feed.measured()
    assert len(said) == 1
    assert feed.due(1, NOW) == []


def test_every_alarm_of_control_has_a_number_of_its_own() -> None:
    assert set(NUMBERS) == set(AlarmCode)
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert [alarm_name(number) for number in NUMBERS.values()] == [code.value for code in NUMBERS]
    assert alarm_name(999) == "alarm-999"


def test_an_alarm_is_said_when_it_is_raised_and_when_it_clears() -> None:
    feed = AlarmFeed(MEMBER)
    feed.changed(alarm(AlarmCode.UNIT_HOT))
    (raised,) = entries(feed.due(1, NOW))
    notice = read_notice(raised.payload)
    assert notice is not None and notice.device == device_key(MEMBER, "battery")
    assert notice.urgency is Urgency.CRITICAL and b"words" not in repr(raised.payload).encode()
    assert feed.due(1, NOW) == []
    feed.measured()
    feed.changed(alarm(AlarmCode.UNIT_HOT, raised=False))
    assert states(feed.due(1, NOW)) == [AlarmState.CLEARED]


def test_after_a_restart_only_what_has_changed_is_said() -> None:
    before = AlarmFeed(MEMBER)
    for code in (AlarmCode.UNIT_HOT, AlarmCode.GRID_LOST):
        before.changed(alarm(code))
    said = [signed(n, each)[1].entry for n, each in enumerate(entries(before.due(1, NOW)))]
    feed = AlarmFeed.after(MEMBER, said)
    feed.attached()
    assert feed.due(2, NOW) == []
    feed.changed(alarm(AlarmCode.UNIT_HOT))
    assert feed.due(2, NOW) == []
    feed.measured()
    (cleared,) = entries(feed.due(2, NOW))
    notice = read_notice(cleared.payload)
    assert notice is not None
    assert (notice.code, notice.state) == (NUMBERS[AlarmCode.GRID_LOST], AlarmState.CLEARED)


def test_what_flickers_does_not_fill_the_ledger() -> None:
    feed = AlarmFeed(MEMBER)
    feed.measured()
    spoken = 0
    for turn in range(200):
        feed.changed(alarm(AlarmCode.UNIT_HOT, raised=turn % 2 == 0))
        feed.changed(alarm(AlarmCode.LEASE_REFUSED, device=None))
        spoken += len(feed.due(7, NOW))
    assert spoken == MOST_PER_INTERVAL
    assert len(feed.due(8, NOW)) <= MOST_PER_INTERVAL


def test_the_list_shows_what_stands_what_cleared_and_who_has_seen_it() -> None:
    feed = AlarmFeed(MEMBER)
    feed.measured()
    feed.changed(alarm(AlarmCode.UNIT_HOT))
    feed.changed(alarm(AlarmCode.LEASE_REFUSED, device=None))
    said = entries(feed.due(1, NOW))
    feed.changed(alarm(AlarmCode.UNIT_HOT, raised=False))
    said += entries(feed.due(1, NOW))
    stored = [signed(number, each) for number, each in enumerate(said)]
    found = {each.name: each for each in alarms_of(stored, MEMBERSHIP)}
    assert set(found) == {"unit-hot", "lease-refused"}
    hot, refused = found["unit-hot"], found["lease-refused"]
    assert not hot.standing and hot.open and hot.cleared_ns == NOW.cell_ns
    assert refused.momentary and refused.open and refused.member_name == "home-1"
    seen = [*stored, acknowledged(8, hot.id, OTHER), acknowledged(9, refused.id, OPERATOR)]
    found = {each.name: each for each in alarms_of(seen, MEMBERSHIP)}
    assert found["unit-hot"].open, "a neighbour's word does not count"
    assert found["lease-refused"].acknowledged_by == "home-3" and not found["lease-refused"].open
    own = [*stored, acknowledged(8, hot.id, MEMBER)]
    assert not {each.name: each for each in alarms_of(own, MEMBERSHIP)}["unit-hot"].open


def test_an_alarm_raised_again_is_another_one() -> None:
    feed = AlarmFeed(MEMBER)
    feed.measured()
    said = []
    for raised in (True, False, True):
        feed.changed(alarm(AlarmCode.UNIT_HOT, raised=raised))
        said += entries(feed.due(1, NOW))
    stored = [signed(number, replace(each)) for number, each in enumerate(said)]
    assert [each.standing for each in alarms_of(stored, MEMBERSHIP)] == [False, True]
