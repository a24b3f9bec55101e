"""The cell's emergency on the page and in the API: by whose word, who sees what, and gone when it is over."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect
from real_browser import browser, page_of, violations
from served_node import ServedNode

from market.emergency.book import Declared, DeclaredSpan, EmergencyBook, StandingObservation, Word
from market.emergency.payloads import Seen


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all."""
    with browser() as opened:
        yield opened


def put(node: ServedNode, word: Word | None) -> None:
    """As if the newest block said so: two members see an island, and the first of them declares as dso."""
    history = node.watcher.node.history
    assert history.tip is not None
    tip = history.tip
    interval, members = tip.last_interval, [each.id for each in tip.membership.members]
    sighting = StandingObservation(interval - 1, Seen.ISLANDED, 10**18)
    book = EmergencyBook(
        dict.fromkeys(members[:2], sighting),
        {members[0]: (DeclaredSpan(interval, interval + 1, True),)},
        None if word is None else Declared(interval, word),
    )
    node.do(lambda: setattr(history, "tip", replace(tip, state=replace(tip.state, emergency=book))))


def test_the_api_says_by_whose_word_and_who_sees_what(node: ServedNode) -> None:
    put(node, Word.MEMBERS)
    with node.client() as client:
        said, status = client.get("emergency").json(), client.get("status").json()
    assert (said["by"], said["needed"], status["emergency"]) == ("members", 2, "members")
    assert said["since"] == said["interval"]
    assert [(each["seen"], each["counts"]) for each in said["sightings"]] == [("islanded", True)] * 2
    (declared,) = said["declarations"]
    assert (declared["dso"], declared["emergency"]) == (said["sightings"][0]["member"], True)
    put(node, None)
    with node.client() as client:
        assert client.get("emergency").json()["by"] is None
        assert client.get("status").json()["emergency"] is None


def test_the_banner_comes_and_goes_on_every_page(chromium: Browser, node: ServedNode) -> None:
    with page_of(chromium, node.url, "home") as page:
        expect(page.locator("#emergency")).to_have_count(0)
        put(node, Word.MEMBERS)
        expect(page.locator("#emergency")).to_contain_text("more members than may lie")
        assert violations(page) == []
        put(node, Word.DSO)
        expect(page.locator("#emergency")).to_contain_text("the grid operator has declared it")
        put(node, None)
        expect(page.locator("#emergency")).to_have_count(0)
