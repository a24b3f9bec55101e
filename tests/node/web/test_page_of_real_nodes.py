"""A real browser before a real cell: what the page says is what the ledger holds, and what is changed there happens."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trio
from cell_of_processes import Cell, homes_that_trade
from playwright.sync_api import Browser, expect
from real_browser import browser, page_of

from market.units import money_text
from node.views import ledger_view
from node.web.tokens import Role, TokenBook
from node.web.web_process import WEB_ADDRESS_FILE
from sim.testnet.preparation import Parameters, prepare
from sim.testnet.processes import Daemon
from sim.testnet.waiting import until

pytestmark = pytest.mark.processes

SPEED = 1200
"""An hour plays in three seconds."""

BUSY_S = 30.0
"""Real seconds for what is done to have happened, on a busy machine."""


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    """Two homes with real daemons; the first, which has a battery, serves its page."""
    directory = tmp_path_factory.mktemp("real") / "cell"
    prepared = prepare(directory, Parameters(2, 300, SPEED, "constant", "none", 0), homes_that_trade(2))
    config = prepared.nodes[0] / "node.toml"
    config.write_text(config.read_text("utf-8") + '\n[web]\nlisten = "127.0.0.1:0"\n', "utf-8")
    made = Cell(prepared, [Daemon(node) for node in prepared.nodes])
    try:
        trio.run(made.start)
        yield made
    finally:
        trio.run(made.stop)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all."""
    with browser() as opened:
        yield opened


@pytest.fixture
def url(cell: Cell) -> str:
    """Where the page of the first node is, once it is there."""
    path = cell.prepared.nodes[0] / WEB_ADDRESS_FILE
    assert trio.run(until, path.exists, 60.0)
    return path.read_text("utf-8").strip()


def owner(cell: Cell, url: str, name: str, role: Role = Role.OWNER) -> httpx.Client:
    """A client that may act."""
    secret = TokenBook(cell.prepared.nodes[0]).add(name, role, 1)
    return httpx.Client(base_url=f"{url}/api/v1/", headers={"authorization": f"Bearer {secret}"}, timeout=20)


def battery(client: httpx.Client) -> dict[str, float]:
    """The battery as the page has it."""
    return next(unit for unit in client.get("ders").json()["units"] if unit["kind"] == "battery")


def test_the_page_shows_what_the_ledger_holds_and_goes_on(cell: Cell, chromium: Browser, url: str) -> None:
    with page_of(chromium, url, "ledger") as page:
        first = int(page.locator("tbody tr td").first.inner_text())
        page.wait_for_function(
            "first => Number(document.querySelector('tbody tr td').textContent) > first", arg=first
        )
        height = int(page.locator("tbody tr td").first.inner_text())
        shown = page.locator("tbody tr").first.locator("td").nth(1).inner_text()
        blocks = ledger_view.blocks(cell.prepared.nodes[0])
        assert blocks[height - 1].tip.header_id.hex().startswith(shown.removesuffix("…"))
        page.locator('#nav a[href="#market"]').click()
        expect(page.locator("h1")).to_have_text("Market")
    with httpx.Client(base_url=f"{url}/api/v1/") as client:
        balance = client.get("today").json()["balance"]
        blocks = ledger_view.blocks(cell.prepared.nodes[0])
    member = next(m for m in blocks[-1].tip.membership.members if m.name == b"home-01")
    assert balance in {money_text(each.tip.state.balance_of(member.id)) for each in blocks[-3:]}


def test_a_raised_reserve_is_held_by_the_device_and_undone_by_one_click(
    cell: Cell, chromium: Browser, url: str
) -> None:
    secret = TokenBook(cell.prepared.nodes[0]).add("owner", Role.OWNER, 1)
    with page_of(chromium, url, "settings") as page, owner(cell, url, "looks") as client:
        before = battery(client)["reserve"]
        expect(page.get_by_role("button", name="Set", exact=True)).to_be_disabled()
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        page.locator("#reserve-battery").fill("95")
        page.get_by_role("button", name="Set", exact=True).click()
        expect(page.locator("#notice")).to_contain_text("is now 95 %")
        assert battery(client)["reserve"] == 0.95

        def rests() -> bool:
            power_w = battery(client)["power_w"]
            return power_w is not None and power_w <= 0

        assert trio.run(until, rests, BUSY_S), battery(client)
        page.locator("#notice").get_by_role("button", name="Undo").click()
        expect(page.locator("#notice")).to_contain_text("It is as it was")
        assert battery(client)["reserve"] == before


def test_the_emergency_stop_is_confirmed_and_stops_and_is_released(
    cell: Cell, chromium: Browser, url: str
) -> None:
    secret = TokenBook(cell.prepared.nodes[0]).add("stopper", Role.OWNER, 1)
    with page_of(chromium, url, "settings") as page, owner(cell, url, "watches") as client:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Logged in as stopper")).to_be_visible()
        page.get_by_role("button", name="Emergency stop").click()
        page.get_by_role("button", name="Stop now").click()
        expect(page.locator("#state")).to_have_text("emergency stop")

        def stopped() -> bool:
            units = client.get("ders").json()["units"]
            return all(abs(unit["power_w"]) < 1 for unit in units if unit["kind"] in ("battery", "pv"))

        assert trio.run(until, stopped, BUSY_S)
        page.get_by_role("button", name="Release stop").click()
        page.get_by_role("button", name="Release", exact=True).click()
        expect(page.locator("#state")).to_have_text("live")
        done = client.get("actions").json()
    assert [each["action"].get("mode") for each in done[:2]] == ["grid-support", "emergency-stop"]
    assert {each["who"] for each in done[:2]} == {"stopper"}


def test_a_limit_is_set_and_taken_back_and_set_again_and_withdrawn_from_the_list(
    cell: Cell, chromium: Browser, url: str
) -> None:
    secret = TokenBook(cell.prepared.nodes[0]).add("grid", Role.OPERATOR, 1)
    with page_of(chromium, url, "settings") as page, owner(cell, url, "looks on") as client:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()

        def limit(kilowatts: str) -> None:
            page.locator("#limit-power").fill(kilowatts)
            page.locator("#limit-count").fill("1000")
            page.locator("#limit-count").press("Enter")
            page.get_by_role("button", name="Limit it").click()
            expect(page.locator("#notice")).to_contain_text("W at most", timeout=60_000)

        def limits() -> list[float]:
            return [each["limit_w"] for each in client.get("control").json()["limits"]]

        limit("12.5")
        page.locator("#notice").get_by_role("button", name="Undo").click()
        expect(page.locator("#notice")).to_contain_text("ends with the first interval", timeout=60_000)
        limit("7.5")
        assert trio.run(until, lambda: limits() == [7500.0], 60.0), limits()
        page.get_by_role("button", name="Withdraw the limit of").click()
        page.get_by_role("button", name="Withdraw it").click()
        expect(page.locator("#notice")).to_contain_text("7500 W at most", timeout=60_000)
        assert trio.run(until, lambda: limits() == [], 60.0), limits()
        done = [each["action"]["name"] for each in client.get("actions").json()[:4]]
    assert done == ["withdraw", "limit", "withdraw", "limit"]
    assert ledger_view.blocks(cell.prepared.nodes[0])[-1].tip.state.limits == ()


def test_money_services_and_meters_said_over_the_api_are_in_the_ledger(cell: Cell, url: str) -> None:
    with owner(cell, url, "cashier", Role.OPERATOR) as client:

        def external() -> str:
            accounts = client.get("accounts").json()["accounts"]
            return next(str(each["balance"]) for each in accounts if each["name"] == "external")

        def armed() -> list[float]:
            return [terms["up_w"] for each in client.get("services").json() for terms in each["terms"]]

        def metered() -> bool:
            return bool(client.get("meters").json()["readings"])

        body = {"member": "home-02", "amount": "25.5"}
        assert client.post("deposits", json=body).status_code == 200
        first = client.get("control").json()["first_interval"] + 2
        terms = {
            "service": "flex",
            "requested": True,
            "from_interval": first,
            "up_w": 500.0,
            "up_price": "0.01",
        }
        assert client.post("services", json=terms).status_code == 200
        meters = client.get("meters").json()
        reading = {"branch": meters["branches"][0], "interval": meters["last"]}
        said = client.post("meters", json={**reading, "contribution": "0.5", "consumption": "0"})
        assert said.status_code == 200, said.text
        assert trio.run(until, lambda: external() == "-25.500000", 60.0), external()
        assert trio.run(until, lambda: armed() == [500.0], 60.0), armed()
        assert trio.run(until, metered, 60.0)


def test_paused_trading_cancels_the_open_order_and_makes_none(cell: Cell, url: str) -> None:
    with owner(cell, url, "pauses") as client:
        assert client.post("trading", json={"paused": True}).status_code == 200
        paused = trio.run(until, lambda: client.get("settings").json()["paused"], BUSY_S)
        assert paused
        height = client.get("status").json()["followed"]
        assert trio.run(until, lambda: client.get("status").json()["followed"] > height + 2, 60.0)
        newest = client.get("blocks?limit=1").json()[0]["last_interval"]
        auction = client.get(f"auctions/{newest}").json()
        assert [step for step in (*auction["buys"], *auction["sells"]) if step["mine"]] == []
        client.post("trading", json={"paused": False})


def test_what_the_owner_wants_holds_in_the_daemon_and_what_it_says_of_a_device_in_the_cell(
    cell: Cell, url: str
) -> None:
    def priority() -> str | None:
        held: str | None = next(
            each["priority"] for each in client.get("access").json() if each["name"] == "battery"
        )
        return held

    with owner(cell, url, "prefers") as client:
        wanted = {"goal": "cheapest", "price_floor": 0.01, "price_cap": None}
        assert client.post("preferences", json=wanted).status_code == 200
        assert trio.run(until, lambda: client.get("settings").json()["price_floor"] == 0.01, 10.0)
        assert client.post("access", json={"device": "battery", "priority": "essential"}).status_code == 200
        assert trio.run(until, lambda: priority() == "essential", 60.0)
        client.post("preferences", json={"goal": "cheapest"})


def test_a_web_server_that_dies_is_started_again_and_nothing_else_notices(cell: Cell, url: str) -> None:
    path = cell.prepared.nodes[0] / WEB_ADDRESS_FILE
    servers = web_servers(cell.prepared.nodes[0])
    assert len(servers) == 1
    path.unlink()
    os.kill(servers[0], signal.SIGKILL)
    trio.run(cell.blocks, 2)
    assert trio.run(until, path.exists, 60.0)
    assert web_servers(cell.prepared.nodes[0]) != servers
    assert cell.daemons[0].running


def web_servers(directory: Path) -> list[int]:
    """The web servers of a node, by process id."""
    wanted = str(directory / "node.toml").encode()
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = process.read_bytes().split(b"\0")
            if b"node.web.web_process" in words and wanted in words:
                found.append(int(process.parent.name))
    return found
