"""What holds when, against its definition written plainly; and reports of what was metered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.openadr.objects import Event, ReportWanted, Span, read_event
from devices.openadr.reporting import Metered, due_reports, report_object
from devices.openadr.timeline import LIMITS, Action, Matter, Timeline
from devices.openadr.values import FOREVER_NS

S = 10**9
HOUR = 3_600 * S


@st.composite
def actions(draw: st.DrawFn) -> Action:
    start = draw(st.integers(0, 20))
    return Action(
        matter=draw(st.sampled_from([Matter.IMPORT_LIMIT, Matter.IMPORT_PRICE])),
        start_ns=start,
        end_ns=start + draw(st.integers(1, 10)),
        value=float(draw(st.integers(0, 5))),
        priority=draw(st.integers(0, 2)),
        created_ns=draw(st.integers(0, 2)),
        event=draw(st.sampled_from("abc")),
    )


def holding(known: list[Action], matter: Matter, at: int) -> Action | None:
    """The definition."""
    found = [each for each in known if each.matter is matter and each.start_ns <= at < each.end_ns]
    if matter in LIMITS:
        return min(found, key=lambda each: (each.value, each.rank), default=None)
    return min(found, key=lambda each: each.rank, default=None)


@settings(max_examples=40)
@given(st.lists(actions(), max_size=12))
def test_at_every_moment_the_strictest_limit_and_the_first_of_the_others_hold(known: list[Action]) -> None:
    timeline = Timeline.of(known)
    for matter in (Matter.IMPORT_LIMIT, Matter.IMPORT_PRICE):
        for at in range(32):
            expected, found = holding(known, matter, at), timeline.at(matter, at)
            assert (None if found is None else (found.value, found.rank)) == (
                None if expected is None else (expected.value, expected.rank)
            )
        values = [holding(known, matter, at) for at in range(5, 15)]
        lowest = min((each.value for each in values if each is not None), default=None)
        assert timeline.lowest(matter, 5, 15) == lowest
        mean = timeline.mean(matter, 5, 15)
        if any(each is None for each in values):
            assert mean is None
        else:
            assert mean is not None
            assert abs(mean - sum(each.value for each in values if each is not None) / 10) < 1e-9


@settings(max_examples=40)
@given(st.lists(actions(), max_size=12), st.integers(0, 31))
def test_a_limited_time_ends_when_the_first_moment_without_any_limit_comes(
    known: list[Action], now: int
) -> None:
    ends = Timeline.of(known).ends(now, (Matter.IMPORT_LIMIT, Matter.IMPORT_PRICE))
    free = [
        at
        for at in range(now, 64)
        if holding(known, Matter.IMPORT_LIMIT, at) is None and holding(known, Matter.IMPORT_PRICE, at) is None
    ]
    assert ends == free[0]


def test_without_an_end_nothing_ends() -> None:
    action = Action(Matter.LEVEL, 0, FOREVER_NS, 1.0, 0, 0, "e")
    assert Timeline.of([action]).ends(5, (Matter.LEVEL,)) == FOREVER_NS


def hours(count: int, **wanted: object) -> Event:
    payloads = [{"type": "SIMPLE", "values": [1]}]
    return read_event(
        {
            "id": "e",
            "programID": "p",
            "intervalPeriod": {"start": "1970-01-01T00:00:00Z", "duration": "PT1H"},
            "intervals": [{"id": number, "payloads": payloads} for number in range(count)],
            "reportDescriptors": [{"payloadType": "USAGE", **wanted}],
        },
        None,
    )


def groups(event: Event, now_h: float) -> list[list[int]]:
    return [[span.id for span in due.spans] for due in due_reports(event, 0, round(now_h * HOUR))]


def test_by_default_one_report_of_everything_comes_at_the_end() -> None:
    assert groups(hours(3), 2.9) == []
    assert groups(hours(3), 3.0) == [[0, 1, 2]]


def test_reports_come_as_often_and_hold_as_much_as_is_wanted() -> None:
    hourly = {"frequency": 1, "numIntervals": 1, "startInterval": 0, "repeat": -1}
    assert groups(hours(3, **hourly), 2.0) == [[0], [1]]
    assert groups(hours(3, **hourly | {"repeat": 1}), 3.0) == [[0]]
    assert groups(hours(4, frequency=2, numIntervals=2, repeat=-1), 4.0) == [[0, 1], [2, 3]]
    assert groups(hours(4, historical=False), 9.0) == []


def reported(event: Event, metered: list[Metered]) -> list[list[object]] | None:
    (due,) = due_reports(event, 0, 100 * HOUR)
    made = report_object(
        due,
        {each.start_ns: each for each in metered},
        lambda span: (1, "RUNNING_CURTAILED"),
        ven="ada",
        resource="site",
        with_program=True,
    )
    if made is None:
        return None
    resources = made["resources"]
    assert isinstance(resources, list)
    return [
        [value for each in one["payloads"] for value in each["values"]] for one in resources[0]["intervals"]
    ]


def quarters(count: int, first: int = 0) -> list[Metered]:
    return [
        Metered(number * HOUR // 4, (number + 1) * HOUR // 4, 0.25) for number in range(first, first + count)
    ]


def test_usage_is_the_sum_of_what_was_metered_and_waits_for_the_meter() -> None:
    assert reported(hours(2), quarters(8)) == [[1.0, "OK"], [1.0, "OK"]]
    assert reported(hours(2), quarters(7)) is None


def test_what_was_never_metered_is_missing_and_what_was_cut_is_estimated() -> None:
    assert reported(hours(2), [*quarters(4), *quarters(4, first=5)]) == [[1.0, "OK"], ["MISSING"]]
    long = [Metered(0, 3 * HOUR // 2, 3.0), Metered(3 * HOUR // 2, 2 * HOUR, 1.0)]
    assert reported(hours(2), long) == [[2.0, "ESTIMATED"], [2.0, "ESTIMATED"]]


def test_a_delayed_event_is_reported_when_it_was_carried_out() -> None:
    event = hours(1)
    assert due_reports(event, HOUR // 2, HOUR) == []
    (due,) = due_reports(event, HOUR // 2, 2 * HOUR)
    assert due.spans == (Span(0, HOUR // 2, 3 * HOUR // 2, event.spans[0].payloads),)
    assert isinstance(due.wanted, ReportWanted)
