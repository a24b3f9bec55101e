"""A home's demand through the API: to its owner as the owner wants it, to others no more than totals, advice to nobody
else.
"""

import pytest
from home_uses import keep
from playwright.sync_api import expect
from real_browser import browser, page_of, violations
from served_node import ServedNode

from devices.process.hub_memory import HUB_NAME
from node.web.tokens import Role


def test_nothing_is_told_before_anything_is_known_or_of_a_damaged_file(node: ServedNode) -> None:
    (node.directory / HUB_NAME).unlink(missing_ok=True)
    empty = {"audience": "cell", "rows": [], "circuits": [], "advice": []}
    with node.client() as client:
        assert client.get("home-use").json() == empty
        (node.directory / HUB_NAME).write_bytes(b"{")
        assert client.get("home-use").json() == empty
    (node.directory / HUB_NAME).unlink()


def test_others_see_totals_and_the_owner_is_advised(node: ServedNode) -> None:
    keep(node.directory)
    secret = node.access.book.add("owner of the home", Role.OWNER, 1)
    with node.client() as viewer, node.client(secret) as owner:
        seen, mine = viewer.get("home-use").json(), owner.get("home-use").json()
    assert (seen["audience"], mine["audience"]) == ("cell", "owner")
    assert {row["name"] for row in seen["rows"]} == {""}
    assert len(seen["rows"]) == 4
    assert (seen["circuits"], seen["advice"]) == ([], [])
    assert [each["name"] for each in mine["circuits"]] == ["dishes", "box", "new"]
    (advice,) = mine["advice"]
    assert advice["name"] == "box"
    assert advice["saves_money"] > 10
    (node.directory / HUB_NAME).unlink()


@pytest.mark.processes
@pytest.mark.xdist_group("pages")
def test_the_page_shows_the_demand_to_all_and_the_advice_to_its_owner(node: ServedNode) -> None:
    keep(node.directory)
    secret = node.access.book.add("at the page", Role.OWNER, 1)
    with browser() as chromium, page_of(chromium, node.url, "devices") as page:
        advice = page.get_by_role("region", name="What this home could save")
        expect(page.get_by_role("region", name="Demand of this home")).to_contain_text("all together")
        expect(advice).to_be_hidden()
        assert page.request.post(f"{node.url}/api/v1/login", data={"token": secret}).ok
        page.reload()
        page.wait_for_selector('main[data-page="devices"]')
        expect(advice).to_contain_text("draws 12.0 W even at night")
        expect(advice).to_contain_text("€")
        expect(advice).to_contain_text("Not watched for a whole day yet: new.")
        assert violations(page) == []
    (node.directory / HUB_NAME).unlink()
