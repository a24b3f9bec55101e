"""What is shown of a VTN: what holds now and what comes next, of each matter, and nothing of what is over."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from vtn_bench import DAY_NS, PROGRAM, event

from devices.openadr.book import Client, EventBook
from devices.openadr.timeline import Matter
from node.demand.demand import Demand, no_demand
from node.demand.showing import shown
from node.demand.site_limits import SiteLimits

S = 10**9


def demand(*events: dict[str, Any], acts: bool = True) -> Demand:
    book = EventBook(Client("ada", "site"))
    book.take([PROGRAM], events)
    assert book.refused == ()
    return Demand(book, SiteLimits(None), acts=acts)


def test_a_price_that_holds_a_limit_that_comes_and_nothing_of_what_is_over() -> None:
    told = demand(
        event("p", "PRICE", 0.5, 0.5, 0.1, eventName="evening prices"),
        event("l", "IMPORT_CAPACITY_LIMIT", 4.0, start_ns=DAY_NS + 7200 * S),
        event("x", "EXPORT_CAPACITY_LIMIT", 1.0, start_ns=DAY_NS - 7200 * S),
        event("far", "DISPATCH_SETPOINT_RELATIVE", -1.0, start_ns=DAY_NS + 30 * 3600 * S),
    )
    found = shown(told, DAY_NS + 600 * S)
    assert found["acts"] == "site"
    rows = [
        (row["matter"], row["value"], row["from_ns"], row["until_ns"], row["holds"]) for row in found["said"]
    ]
    later = DAY_NS + 7200 * S
    assert rows == [
        ("price", 0.5, DAY_NS, later, True),
        ("import limit", 4000.0, later, later + 3600 * S, False),
        ("price", 0.1, later, later + 3600 * S, False),
    ]
    assert found["said"][0]["event"] == "evening prices"


def test_who_has_opted_out_still_sees_it_and_who_has_no_vtn_does_not_listen() -> None:
    told = demand(event("p", "PRICE", 0.5), acts=False)
    assert shown(told, DAY_NS)["acts"] == "nobody" and len(shown(told, DAY_NS)["said"]) == 1
    assert told.listens and not no_demand().listens


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=6), st.integers(-60, 3000))
def test_what_is_shown_as_holding_holds_until_then(starts: list[tuple[int, int]], minute: int) -> None:
    """Laws: what holds is what is acted on, with that value up to its end; what comes is next, and nothing before."""
    told = demand(
        *(
            event(f"e{number}", "PRICE", float(price), start_ns=DAY_NS + 1800 * S * start, lasts="PT1H")
            for number, (start, price) in enumerate(starts)
        )
    )
    now_ns, timeline = DAY_NS + 60 * S * minute, told.timeline
    rows = shown(told, now_ns)["said"]
    holding = timeline.at(Matter.IMPORT_PRICE, now_ns)
    assert [row["value"] for row in rows if row["holds"]] == ([] if holding is None else [holding.value])
    at_ns = now_ns
    for row in rows:
        if not row["holds"]:
            assert timeline.mean(Matter.IMPORT_PRICE, row["from_ns"], row["until_ns"]) == row["value"]
            between = timeline.lowest(Matter.IMPORT_PRICE, at_ns, row["from_ns"])
            assert between is None
        else:
            assert timeline.mean(Matter.IMPORT_PRICE, now_ns, row["until_ns"]) == row["value"]
        at_ns = row["until_ns"]
