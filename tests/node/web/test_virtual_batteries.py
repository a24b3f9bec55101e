"""Virtual batteries of members over the API and on the page: what holds, who waits for whom, and what an owner says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from operated_cell import found, token, waiting
from owners_settings import settings_line
from playwright.sync_api import expect
from real_browser import browser, page_of, violations
from served_node import ServedNode, served

from market.payloads import Kind
from market.virtual_battery.book import VirtualBatteryBook
from market.virtual_battery.payloads import decode_aggregation, decode_delegation
from node.saying.spool import Spool
from node.web.tokens import Role


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell of two homes on one branch."""
    directory = tmp_path_factory.mktemp("together")
    found(directory)
    return directory


@pytest.fixture
def node(cell: Path) -> Iterator[ServedNode]:
    """The node of home-0, served, with nothing waiting."""
    spool = Spool(cell / "home-0")
    for name, _ in spool.waiting():
        spool.done(name)
    with served(cell / "home-0", blocks=False) as running:
        running.do(lambda: running.watcher._take(settings_line()))
        yield running


def ids(node: ServedNode) -> tuple[bytes, bytes]:
    """The two homes."""
    tip = node.watcher.node.history.tip
    assert tip is not None
    named = {each.name: each.id for each in tip.membership.members}
    return named[b"home-0"], named[b"home-1"]


def put(node: ServedNode, book: VirtualBatteryBook) -> None:
    """As if the newest block said so."""
    history = node.watcher.node.history
    tip = history.tip
    assert tip is not None
    node.do(lambda: setattr(history, "tip", replace(tip, state=replace(tip.state, virtual_batteries=book))))


def test_an_owner_says_what_the_commands_say_and_it_is_noted(node: ServedNode) -> None:
    own, other = ids(node)
    with node.client(token(node, Role.OWNER)) as client:
        for path, body, text in (
            ("delegation", {"aggregator": "home-1"}, "home-1 bids for home-0 as soon as it names it, too."),
            ("delegation", {"aggregator": None}, "home-0 bids for itself."),
            ("aggregation", {"members": ["home-1"]}, "home-0 bids for home-1, for home-1 as soon as it joined."),
            ("aggregation", {"members": []}, "home-0 bids for nobody else."),
        ):  # fmt: skip
            answer = client.post(f"virtual-batteries/{path}", json=body)
            assert (answer.status_code, answer.json()["text"]) == (200, text)
        refused = client.post("virtual-batteries/delegation", json={"aggregator": "home-0"})
        assert (refused.status_code, "bids for itself anyhow" in refused.text) == (409, True)
        many = {"members": [f"home-{number}" for number in range(25)]}
        assert client.post("virtual-batteries/aggregation", json=many).status_code == 422
        done = [each["action"] for each in reversed(client.get("actions").json())]
    assert done[-5:] == [
        {"name": "delegation", "aggregator": "home-1"},
        {"name": "delegation", "aggregator": "nobody"},
        {"name": "aggregation", "members": "home-1"},
        {"name": "aggregation", "members": "nobody"},
        {"name": "delegation", "aggregator": "home-0"},
    ]
    joins, leaves, leads, ends = waiting(node)
    assert [each.kind for each in (joins, leaves)] == [Kind.DELEGATION] * 2
    assert (decode_delegation(joins.payload), decode_delegation(leaves.payload)) == (other, None)
    assert (decode_aggregation(leads.payload), decode_aggregation(ends.payload)) == ((other,), ())
    with node.client(token(node, Role.VIEWER)) as viewer:
        for path, body in (("delegation", {"aggregator": "home-1"}), ("aggregation", {"members": []})):
            assert viewer.post(f"virtual-batteries/{path}", json=body).status_code == 403
    assert own != other


def test_what_holds_and_who_waits_is_answered(node: ServedNode) -> None:
    own, other = ids(node)
    with node.client() as client:
        nobody = client.get("virtual-batteries").json()
        put(node, VirtualBatteryBook({own: other}, {}))
        alone = client.get("virtual-batteries").json()
        put(node, VirtualBatteryBook({own: other}, {other: (own,)}))
        both = client.get("virtual-batteries").json()
    assert (nobody["fault"], nobody["partners"], nobody["waiting"]) == ("", ["home-1"], [])
    assert (nobody["aggregator"], nobody["bidder"], nobody["virtual_batteries"]) == (None, None, [])
    (word,) = alone["waiting"]
    assert (word["said"], word["waits_for"], alone["bidder"]) == (["delegation"], "home-1", None)
    assert (both["aggregator"], both["bidder"], both["leads"], both["waiting"]) == (
        "home-1",
        "home-1",
        [],
        [],
    )
    (battery,) = both["virtual_batteries"]
    assert (battery["aggregator"], battery["branch"], battery["max_injection_mw"]) == (
        "home-1",
        "north",
        2 * 17_250_000,
    )
    assert battery["members"] == [{"member": "home-0", "aggregator": "home-1"}]


@pytest.mark.processes
def test_an_owner_joins_leaves_and_leads_on_the_page(node: ServedNode) -> None:
    own, other = ids(node)
    secret = token(node, Role.OWNER)
    with browser() as opened, page_of(opened, node.url, "settings") as page:
        card = page.get_by_label("Virtual battery", exact=True)
        expect(card).to_contain_text("This node bids for itself.", timeout=60_000)
        expect(card.get_by_role("button")).to_have_count(0)
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        card.get_by_role("button", name="Let it bid").click(timeout=60_000)
        expect(page.locator("#dialog")).to_contain_text("Once home-1 names this node as well")
        page.locator("#dialog").get_by_role("button", name="Let it bid").click()
        expect(page.locator("#notice")).to_contain_text("home-1 bids for home-0 as soon as", timeout=60_000)
        page.locator("#notice").get_by_role("button", name="Undo").click()
        expect(page.locator("#notice")).to_contain_text("It is as it was", timeout=60_000)
        put(node, VirtualBatteryBook({other: own}, {}))
        page.reload()
        expect(card).to_contain_text("Waits for this node.", timeout=60_000)
        page.locator("#battery-lead-home-1").check(timeout=60_000)
        card.get_by_role("button", name="Bid for these").click()
        page.locator("#dialog").get_by_role("button", name="Bid for these").click()
        expect(page.locator("#notice")).to_contain_text("home-0 bids for home-1.", timeout=60_000)
        put(node, VirtualBatteryBook({other: own}, {own: (other,)}))
        page.reload()
        expect(card).to_contain_text("This node bids for home-1 as well", timeout=60_000)
        assert violations(page) == []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
    said = [asked.payload for asked in waiting(node)]
    assert [decode_delegation(each) for each in said[:2]] == [other, None]
    assert decode_aggregation(said[2]) == (other,)
