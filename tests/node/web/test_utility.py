"""What a VTN says comes through daemon and API to the page, in words with the hour until which it holds."""

import json

from served_node import ServedNode
from vtn_bench import PROGRAM, event

from devices.openadr.book import Client, EventBook
from node.demand.demand import Demand
from node.demand.showing import shown
from node.demand.site_limits import SiteLimits

HOUR_NS = 3600 * 10**9


def told(node: ServedNode) -> dict[str, object]:
    with node.client() as client:
        answer = client.get("utility")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_prices_limits_and_requests_are_told_in_words_and_a_silent_daemon_tells_none(
    node: ServedNode,
) -> None:
    assert told(node) == {"listens": False, "acts": "nobody", "note": "", "said": []}
    now_ns = node.watcher.cell_ns()
    hour_ns = now_ns // HOUR_NS * HOUR_NS
    book = EventBook(Client("ada", "site"))
    events = (
        event("p", "PRICE", 0.31, start_ns=hour_ns, lasts="PT1H"),
        event("l", "DISPATCH_SETPOINT_RELATIVE", -1.5, start_ns=hour_ns + HOUR_NS, lasts="PT24H"),
        event("x", "IMPORT_CAPACITY_LIMIT", 4.0, start_ns=hour_ns, lasts="P9999Y"),
    )
    book.take([PROGRAM], events)
    table = shown(Demand(book, SiteLimits(None)), now_ns)
    line = json.loads(json.dumps({"kind": "state", "utility": table}))
    node.do(lambda: node.watcher._take(line))
    found = told(node)
    assert (found["listens"], found["acts"]) == (True, "site")
    texts = [each["text"] for each in found["said"]]  # type: ignore[attr-defined]
    until = f"{(hour_ns // HOUR_NS + 1) % 24:02}:00"
    assert texts[0] == "At most 4.0 kW is to be drawn, until further notice"
    assert texts[1].startswith("0.310 EUR/kWh for what you draw, until " + until)
    assert texts[2].startswith("1.5 kW less is to be drawn than before, from " + until)
    node.do(lambda: setattr(node.watcher.node.live, "connected", False))
    assert told(node)["said"] == []
