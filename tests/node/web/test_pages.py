"""The pages in a real browser: what they show is what the node knows, and everybody can use them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from real_browser import PAGES, browser, page_of, violations
from served_node import ServedNode, alarm, image

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all."""
    with browser() as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out(chromium: Browser, node: ServedNode, scheme: str) -> None:
    found = {}
    for name in PAGES:
        with page_of(chromium, node.url, name, scheme=scheme) as page:
            found[name] = violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_page_is_wider_than_a_phone(chromium: Browser, node: ServedNode) -> None:
    for name in PAGES:
        with page_of(chromium, node.url, name, size="phone") as page:
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, name
            assert violations(page) == [], name


def test_a_new_measurement_is_shown_without_asking(chromium: Browser, node: ServedNode) -> None:
    with page_of(chromium, node.url, "home") as page:
        node.tell(image(battery_w=1200.0))
        expect(page.locator(".flow")).to_contain_text("1.2 kW")
        node.tell(image(battery_w=-2300.0))
        expect(page.locator(".flow")).to_contain_text("2.3 kW")
        expect(page.locator(".flow")).to_have_attribute("aria-label", re.compile("the battery takes 2.3 kW"))


def test_an_alarm_appears_and_clears(chromium: Browser, node: ServedNode) -> None:
    node.tell(alarm(raised=False))
    with page_of(chromium, node.url, "events") as page:
        expect(page.locator(".badge")).to_have_count(0)
        node.tell(alarm())
        expect(page.locator(".alarm.critical")).to_contain_text("it is hot: 61 °C")
        expect(page.locator(".badge")).to_contain_text("1")
        node.tell(alarm(raised=False))
        expect(page.locator(".alarm.critical")).to_have_count(0)


def test_a_lost_daemon_is_shown(chromium: Browser, node: ServedNode) -> None:
    with page_of(chromium, node.url, "home") as page:
        expect(page.locator("#state")).to_have_text("comparing with peers")
        node.do(lambda: setattr(node.watcher.node.live, "connected", False))
        expect(page.locator("#state")).to_have_text("daemon does not answer")


def test_every_page_is_reached_by_keyboard(chromium: Browser, node: ServedNode) -> None:
    with page_of(chromium, node.url, "home") as page:
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        for name in PAGES[1:]:
            page.locator(f'#nav a[href="#{name}"]').focus()
            page.keyboard.press("Enter")
            page.wait_for_selector(f'main[data-page="{name}"]')
            expect(page.locator("h1")).to_have_text(name.capitalize())
            expect(page.locator('#nav a[aria-current="page"]')).to_contain_text(name.capitalize())


def test_nothing_is_loaded_from_elsewhere(chromium: Browser, node: ServedNode) -> None:
    with page_of(chromium, node.url, "home") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.reload()
        page.wait_for_selector('main[data-page="home"]')
        assert len(asked) > 10
        assert {url for url in asked if not url.startswith(node.url)} == set()


def test_an_audit_and_a_proof_are_one_click_away(chromium: Browser, node: ServedNode) -> None:
    with page_of(chromium, node.url, "ledger") as page:
        page.get_by_role("button", name="Audit this ledger").click()
        expect(page.get_by_text("everything holds")).to_be_visible()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download").click()
        page.locator("#proof-file").set_input_files(saved.value.path())
        page.get_by_role("button", name="Verify").click()
        expect(page.locator(".pill.good", has_text="holds").last).to_be_visible()


def test_what_the_utility_says_is_on_the_page_as_long_as_it_says_it(
    chromium: Browser, node: ServedNode
) -> None:
    def says(*words: dict[str, object]) -> None:
        table = {"acts": "site", "said": list(words)}
        node.do(lambda: node.watcher._take({"kind": "state", "utility": table}))

    now_ns = node.watcher.cell_ns()
    row = {"matter": "price", "unit": "per kWh", "event": "e", "from_ns": now_ns, "until_ns": now_ns + 10**12}
    says({**row, "value": 0.31, "holds": True}, {**row, "value": 0.09, "holds": False})
    with page_of(chromium, node.url, "home") as page:
        card = page.get_by_role("region", name="From the utility")
        expect(card).to_contain_text("0.310 EUR/kWh for what you draw, until")
        expect(card).to_contain_text("Announced")
        assert violations(page) == []
        says()
        page.reload()
        page.wait_for_selector('main[data-page="home"]')
        expect(card).to_be_hidden()
