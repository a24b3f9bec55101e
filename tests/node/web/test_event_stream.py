"""Server-sent events: what was missed is told again, and a reader that does not read is dropped."""

from itertools import count
from typing import Any

import trio
from served_node import ServedNode, image

from node.web.event_stream import EVENTS_KEPT, EVENTS_WAITING, EventHub


def hub() -> EventHub:
    """A hub whose fresh readers first hear one thing."""
    return EventHub(lambda: [("status", {"height": 7})])


async def heard(stream: Any, events: int) -> list[tuple[str, str]]:
    """So many events as (id, name)."""
    found = []
    while len(found) < events:
        for chunk in (await anext(stream)).decode().split("\n\n"):
            if chunk.startswith("id: "):
                lines = chunk.split("\n")
                found.append((lines[0].removeprefix("id: "), lines[1].removeprefix("event: ")))
    return found


async def test_a_fresh_reader_hears_how_things_are() -> None:
    stream = hub().read("")
    assert [name for _, name in await heard(stream, 2)] == ["reset", "status"]
    await stream.aclose()


async def test_a_reader_that_comes_back_hears_what_it_missed_and_only_that() -> None:
    told = hub()
    told.publish("block", {"height": 1})
    seen = f"{told.run}-1"
    told.publish("block", {"height": 2})
    told.publish("flows", 1, state=True)
    told.publish("flows", 2, state=True)
    told.publish("block", {"height": 3})
    stream = told.read(seen)
    found = await heard(stream, 3)
    assert [name for _, name in found] == ["block", "flows", "block"]
    assert [each for each, _ in found] == [f"{told.run}-{number}" for number in (2, 4, 5)]
    await stream.aclose()


async def test_who_missed_too_much_or_comes_from_another_run_begins_anew() -> None:
    told = hub()
    for number in range(EVENTS_KEPT + 2):
        told.publish("block", {"height": number})
    for last in (f"{told.run}-1", "other-5", f"{told.run}-99999999", "nonsense"):
        stream = told.read(last)
        assert (await heard(stream, 1))[0][1] == "reset"
        await stream.aclose()


async def test_a_reader_that_does_not_read_is_dropped_and_holds_up_nobody() -> None:
    told = hub()
    slow, quick = told.read(""), told.read("")
    await heard(slow, 1)
    await heard(quick, 2)
    with trio.fail_after(5):
        for number in count():
            told.publish("block", {"height": number})
            await heard(quick, 1)
            if told.dropped:
                break
    assert number >= EVENTS_WAITING - 1
    assert told.readers == 1
    await heard(slow, EVENTS_WAITING)
    await slow.aclose()
    await quick.aclose()


async def test_what_waits_for_a_reader_goes_in_one_piece() -> None:
    told = hub()
    stream = told.read("")
    await heard(stream, 2)
    for name in ("flows", "ders", "status"):
        told.publish(name, 1, state=True)
    assert (await anext(stream)).count(b"event: ") == 3
    await stream.aclose()


def test_the_stream_resumes_over_http(node: ServedNode) -> None:
    with node.client() as client:
        with client.stream("GET", "stream") as stream:
            lines = stream.iter_lines()
            last = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
        node.tell(image(battery_w=777.0))
        with client.stream("GET", "stream", headers={"last-event-id": last}) as stream:
            text = ""
            for line in stream.iter_lines():
                text += line
                if "777" in line:
                    break
    assert "event: reset" not in text
