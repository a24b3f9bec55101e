"""What a VTN says is read as the schema means it, or refused with its place; nothing else is ever raised."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.openadr.book import MOST_EVENTS, Client, EventBook
from devices.openadr.objects import read_event, read_program
from devices.openadr.timeline import Matter, concerns, meaning_of, spread_ns
from devices.openadr.values import FOREVER_NS, OpenAdrError, duration_ns, duration_text, time_ns, time_text

S = 10**9
PROGRAM = {
    "id": "p",
    "programName": "evening",
    "payloadDescriptors": [{"payloadType": "PRICE", "units": "KWH"}],
}


def event(**more: object) -> dict[str, object]:
    one = {"id": 0, "payloads": [{"type": "SIMPLE", "values": [1]}]}
    return {
        "id": "e",
        "programID": "p",
        "intervalPeriod": {"start": "1970-01-02T00:00:00Z", "duration": "PT1H"},
        "intervals": [one],
        **more,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60),
        ("1970-01-01T01:00:00.25+01:00", 0.25),
        ("1969-12-31T23:00:00-02:00", 0),
        ("0001-01-01", 0),
        ("0001-01-01T00:00:00", 0),
        ("1970-01-02", 86_400),
    ],
)
def test_times_are_unix_time_and_years_of_long_ago_mean_now(text: str, seconds: float) -> None:
    assert time_ns(text, "start") == round(seconds * S)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT15M", 900), ("P1DT1H", 90_000), ("PT0.5S", 0.5), ("P1W", 604_800), ("PT0S", 0), ("P1Y", 31_536_000)],
)
def test_durations_are_of_iso_8601(text: str, seconds: float) -> None:
    assert duration_ns(text, "duration") == round(seconds * S)


def test_what_has_no_end_ends_beyond_all_times() -> None:
    assert duration_ns("P9999Y", "duration") == FOREVER_NS


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "-PT1H", "PT1H1H", 3600, None, "P" + "9" * 40 + "D"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(OpenAdrError, match=r"duration is no duration like PT15M; found"):
        duration_ns(text, "duration")


@pytest.mark.parametrize("text", ["now", "2026-13-01T00:00:00Z", "2026-06-15T09:30", 7, None, "2026-02-30"])
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(OpenAdrError, match=r"start is no time"):
        time_ns(text, "start")


@settings(max_examples=40)
@given(st.integers(0, 4_000_000_000), st.integers(0, 10**8))
def test_times_and_durations_survive_being_written(at_s: int, span_s: int) -> None:
    assert time_ns(time_text(at_s * S), "start") == at_s * S
    assert duration_ns(duration_text(span_s * S), "duration") == span_s * S


def test_intervals_follow_each_other_unless_they_say_otherwise() -> None:
    payload = [{"type": "SIMPLE", "values": [1]}]
    own = {"start": "1970-01-02T05:00:00Z", "duration": "PT30M"}
    found = read_event(
        event(
            intervals=[
                {"id": 0, "payloads": payload},
                {"id": 1, "payloads": payload},
                {"id": 2, "payloads": payload, "intervalPeriod": own},
                {"id": 3, "payloads": payload},
            ]
        ),
        None,
    )
    hours = [((span.start_ns / S - 86_400) / 3600, (span.end_ns / S - 86_400) / 3600) for span in found.spans]
    assert hours == [(0, 1), (1, 2), (5, 5.5), (5.5, 6.5)]


def test_without_a_duration_the_last_interval_lasts_and_the_events_own_duration_ends_it() -> None:
    open_ended = event(intervalPeriod={"start": "0001-01-01", "duration": "PT0S"})
    assert read_event(open_ended, None).end_ns == FOREVER_NS
    assert read_event(open_ended | {"duration": "PT2H"}, None).end_ns == 7_200 * S


def test_a_program_gives_the_period_and_the_units_that_its_events_lack() -> None:
    program = read_program(
        PROGRAM | {"intervalPeriod": {"start": "1970-01-03T00:00:00Z", "duration": "PT1H"}}
    )
    payloads = [{"type": "PRICE", "values": [0.25]}]
    found = read_event(event(intervalPeriod=None, intervals=[{"id": 0, "payloads": payloads}]), program)
    (action,) = meaning_of(found, program, "ada").actions
    assert (action.start_ns, action.matter, action.value) == (2 * 86_400 * S, Matter.IMPORT_PRICE, 0.25)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "../../etc"}, "an event's id is no id"),
        ({"programID": None}, "event e: programID is no id"),
        ({"priority": -1}, "event e: priority is no whole number from 0"),
        ({"intervals": []}, "event e has no intervals"),
        ({"intervals": {}}, "event e: intervals is no list"),
        ({"intervals": [{"id": 0}] * 3_000}, "has 3000 items; 2000 are the most"),
        ({"intervalPeriod": None}, "does not say when it begins"),
        ({"intervalPeriod": {"start": "1970-01-02T00:00:00Z", "duration": "soon"}}, "is no duration"),
        ({"eventName": "x" * 200}, "event e: eventName is no text of 1 to 128"),
        ({"targets": [{"type": "VEN_NAME", "values": "ada"}]}, "values of a target is no list"),
        ({"reportDescriptors": [{"payloadType": "USAGE", "repeat": "often"}]}, "repeat is no whole number"),
    ],
)
def test_what_is_wrong_in_an_event_is_named(change: dict[str, object], says: str) -> None:
    with pytest.raises(OpenAdrError) as caught:
        read_event(event(**change), None)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "units", "says"),
    [
        ({"type": "SIMPLE", "values": [4]}, None, "SIMPLE is no whole number from 0 to 3"),
        ({"type": "SIMPLE", "values": []}, None, "SIMPLE has 0 values; it must have one"),
        ({"type": "IMPORT_CAPACITY_LIMIT", "values": [5]}, None, "is in no units; power must be in KW"),
        ({"type": "IMPORT_CAPACITY_LIMIT", "values": [5]}, "AMPS", "is in AMPS; power must be in KW"),
        ({"type": "IMPORT_CAPACITY_LIMIT", "values": [-1]}, "KW", "is not from 0 to"),
        ({"type": "DISPATCH_SETPOINT", "values": [1e300]}, "KW", "is not from"),
        ({"type": "PRICE", "values": ["0.3"]}, "KWH", "PRICE is no number"),
        ({"type": "PRICE", "values": [0.3]}, "THERMS", "only prices per KWH are taken"),
        ({"type": "GHG", "values": [True]}, None, "GHG is no number"),
    ],
)
def test_what_is_wrong_in_a_value_is_named(payload: dict[str, object], units: str | None, says: str) -> None:
    descriptors = [{"payloadType": payload["type"], "units": units}]
    told = read_event(
        event(intervals=[{"id": 0, "payloads": [payload]}], payloadDescriptors=descriptors), None
    )
    with pytest.raises(OpenAdrError) as caught:
        meaning_of(told, None, "ada")
    assert says in str(caught.value)


def test_a_price_in_another_currency_is_refused() -> None:
    descriptors = [{"payloadType": "PRICE", "units": "KWH", "currency": "USD"}]
    priced = [{"id": 0, "payloads": [{"type": "PRICE", "values": [0.3]}]}]
    told = read_event(event(intervals=priced, payloadDescriptors=descriptors), None)
    with pytest.raises(OpenAdrError, match=r"is in USD, and openadr.currency is EUR"):
        meaning_of(told, None, "ada", "EUR")


def test_types_that_nobody_here_acts_on_are_told_and_ignored() -> None:
    payloads = [{"type": "CURVE", "values": [{"x": 1, "y": 2}]}, {"type": "SIMPLE", "values": [2]}]
    meaning = meaning_of(read_event(event(intervals=[{"id": 0, "payloads": payloads}]), None), None, "ada")
    assert meaning.ignored == ("CURVE",)
    assert [action.value for action in meaning.actions] == [2]


def test_events_for_other_clients_and_resources_are_not_ours() -> None:
    def targets(*values: object) -> bool:
        return concerns(read_event(event(targets=list(values)), None).targets, "ada", "site")

    assert targets()
    assert targets({"type": "GROUP", "values": ["north"]}, "word")
    assert targets({"type": "VEN_NAME", "values": ["ben"]}, {"type": "VEN_NAME", "values": ["ada"]})
    assert not targets({"type": "VEN_NAME", "values": ["ben"]})
    assert not targets({"type": "VEN_NAME", "values": ["ada"]}, {"type": "RESOURCE_NAME", "values": ["pool"]})


def test_a_start_that_is_to_be_spread_is_spread_over_clients_and_the_same_every_time() -> None:
    period = {"start": "1970-01-02T00:00:00Z", "duration": "PT1H", "randomizeStart": "PT10M"}
    found = read_event(event(intervalPeriod=period), None)
    spreads = [spread_ns(found, f"ven-{number}") for number in range(200)]
    assert all(0 <= spread < 600 * S for spread in spreads)
    assert min(spreads) < 60 * S and max(spreads) > 540 * S
    assert spreads[7] == spread_ns(found, "ven-7")


def test_too_much_is_refused_whole() -> None:
    book = EventBook(Client("ada", "site"))
    book.take([PROGRAM], [event()])
    with pytest.raises(OpenAdrError, match=r"501 events .* are the most that are taken"):
        book.take([PROGRAM], [event(id=f"e{number}") for number in range(MOST_EVENTS + 1)])
    assert list(book.events) == ["e"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [*event(), "targets", "priority", "reportDescriptors", "payloadDescriptors", "duration"]
)


@settings(max_examples=40)
@given(st.dictionaries(FIELDS, JSON, max_size=3), st.lists(JSON, max_size=2))
def test_whatever_a_vtn_says_is_taken_or_refused(spoilt: dict[str, object], others: list[object]) -> None:
    book = EventBook(Client("ada", "site"))
    book.take([PROGRAM, *others], [event(**spoilt), *others])
    assert len(book.events) + len(book.refused) <= 1 + 2 * len(others) + 1
