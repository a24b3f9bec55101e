"""What operators say on the page is what the commands say: checked against the cell, and left for the node to sign."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from operated_cell import found, token, waiting
from owners_settings import settings_line
from playwright.sync_api import expect
from real_browser import browser, page_of, violations
from served_node import ServedNode, served

from ledger.records.changes import CHANGE_KIND
from market.administration.payloads import (
    Action,
    DeviceRights,
    Right,
    decode_command,
    decode_rights,
    device_key,
)
from market.emergency.payloads import decode_declaration
from market.payloads import (
    BranchReading,
    Kind,
    Reading,
    decode_deposit,
    decode_limit,
    decode_meter,
    decode_tariff,
)
from market.rules import BranchLimit, TariffStep
from market.services.payloads import ServiceTerms, decode_terms
from node.instructions import Instruction
from node.saying.spool import Spool
from node.web.tokens import Role


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell of two homes, of which the first is its operator."""
    directory = tmp_path_factory.mktemp("operated")
    found(directory)
    return directory


@pytest.fixture
def node(cell: Path) -> Iterator[ServedNode]:
    """The operator's node, served, with nothing waiting."""
    spool = Spool(cell / "home-0")
    for name, _ in spool.waiting():
        spool.done(name)
    with served(cell / "home-0", blocks=False) as running:
        running.do(lambda: running.watcher._take(settings_line()))
        yield running


def card(cell: Path, number: int) -> str:
    """The card of a home."""
    return (cell / f"home-{number}" / "member.toml").read_text("utf-8")


def test_an_operator_says_what_the_commands_say(node: ServedNode, cell: Path) -> None:
    with node.client(token(node, Role.OPERATOR)) as client:
        control = client.get("control").json()
        assert (control["operator"], control["dso"], control["members"]) == ("", "", "")
        first = control["first_interval"]
        said: list[tuple[str, dict[str, Any], int, Callable[[Instruction], object], object]] = [
            (
                "tariffs",
                {"import_price": "0.29", "export_price": "0.05", "from_interval": first},
                Kind.TARIFF,
                lambda asked: decode_tariff(asked.payload, asked.interval),
                TariffStep(first, 290_000, 50_000),
            ),
            (
                "limits",
                {"branch": "north", "limit_w": 12_500.0, "first": first, "last": first + 3},
                Kind.LIMIT,
                lambda asked: decode_limit(asked.payload),
                BranchLimit(1, first, first + 3, 12_500_000, withdrawable=True),
            ),
            (
                "services",
                {
                    "service": "village-flex",
                    "requested": True,
                    "from_interval": first,
                    "up_w": 5000.0,
                    "up_price": "0.01",
                    "down_energy_price": "-0.02",
                },
                Kind.SERVICE_TERMS,
                lambda asked: decode_terms(asked.payload),
                ServiceTerms(b"village-flex", True, 5_000_000, 0, 10_000, 0, 0, -20_000),
            ),
            (
                "deposits",
                {"member": "home-1", "amount": "-25.50"},
                Kind.DEPOSIT,
                lambda asked: decode_deposit(asked.payload).amount,
                -25_500_000_000_000,
            ),
            (
                "meters",
                {"branch": "north", "interval": first, "contribution": "0.5", "consumption": "3.25"},
                Kind.METER,
                lambda asked: decode_meter(asked.payload),
                BranchReading(1, Reading(500_000, 3_250_000)),
            ),
            (
                "commands",
                {"command": "stop"},
                Kind.DEVICE_COMMAND,
                lambda asked: decode_command(asked.payload).action,
                Action.STOP,
            ),
            ("members/add", {"card": card(cell, 2)}, CHANGE_KIND, lambda asked: asked.interval, 0),
            ("members/remove", {"member": "home-1"}, CHANGE_KIND, lambda asked: asked.interval, 0),
        ]
        for path, body, kind, read, wanted in said:
            before = len(waiting(node))
            answer = client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            (asked,) = waiting(node)[before:]
            assert (asked.kind, read(asked)) == (kind, wanted), path
            assert answer.json()["waiting"] == before + 1
        assert client.get("control").json()["waiting"] == len(said)
        log = [each["action"]["name"] for each in client.get("actions").json()]
    terms = ["branch meter", "deposit", "service terms"]
    assert log[: len(said)] == ["remove member", "add member", "command", *terms, "limit", "tariff"]


def test_what_stands_in_the_accounts_and_is_bought_is_shown(node: ServedNode) -> None:
    with node.client(token(node, Role.OPERATOR)) as client, node.client(token(node, Role.OWNER)) as owner:
        accounts = client.get("accounts").json()
        members = [each["name"] for each in accounts["accounts"] if each["member"]]
        assert (accounts["fault"], accounts["currency"], members) == ("", "EUR", ["home-0", "home-1"])
        assert {float(each["balance"]) for each in accounts["accounts"]} == {0.0}
        meters = client.get("meters").json()
        assert (meters["fault"], meters["branches"], meters["readings"]) == ("", ["substation", "north"], [])
        assert client.get("services").json() == client.get("said").json() == []
        assert owner.get("accounts").status_code == 403


def test_an_owner_says_who_may_use_its_devices_and_nothing_of_the_cell(node: ServedNode) -> None:
    member = node.watcher.node.member
    assert member is not None
    table = {"kind": "load", "name": "house", "maximum_w": 5000.0}
    config = node.watcher.node.config
    site = config.site.model_copy(update={"ders": (table,)})
    node.do(lambda: setattr(node.watcher.node, "config", config.model_copy(update={"site": site})))
    with node.client(token(node, Role.OWNER)) as client:
        (held,) = client.get("access").json()
        assert (held["priority"], held["operator"], held["dso"]) == (None, True, True)
        change = {"device": "house", "priority": "deferrable", "dso": False}
        assert client.post("access", json=change).status_code == 200
        for path, body in (
            ("tariffs", {"import_price": "0.29", "export_price": "0.05", "from_interval": 1}),
            ("limits", {"branch": "north", "limit_w": 1.0, "first": 1, "last": 1}),
            ("requests", {"service": "flex", "power_w": 1.0, "for_s": 60}),
            ("withdrawals", {"said": "5f0c2a91be77"}),
            ("services", {"service": "flex", "requested": True, "from_interval": 1}),
            ("deposits", {"member": "home-1", "amount": "1"}),
            ("meters", {"branch": "north", "interval": 1, "contribution": "0", "consumption": "0"}),
            ("commands", {"command": "stop"}),
            ("emergency", {"emergency": True}),
            ("members/remove", {"member": "home-1"}),
            ("members/add", {"card": "x"}),
            ("members/rotate", {"member": "home-1", "card": "x"}),
            ("members/readmit", {"member": "home-1"}),
        ):
            assert client.post(path, json=body).status_code == 403, path
    (asked,) = waiting(node)
    key = device_key(member.id, "house")
    assert decode_rights(asked.payload) == DeviceRights(member.id, key, 3, Right.OPERATOR)


def test_a_viewer_changes_nothing_and_a_private_node_shows_nothing_without_a_token(node: ServedNode) -> None:
    with node.client(token(node, Role.VIEWER)) as viewer, node.client() as nobody:
        for path, body in (
            ("preferences", {"goal": "cheapest"}),
            ("arming", {"service": "village-flex", "up_w": 0, "down_w": 0}),
            ("privacy", {"private": False}),
            ("access", {"device": "house", "dso": False}),
        ):
            assert viewer.post(path, json=body).status_code == 403, path
        assert nobody.get("settings").json()["services"][0]["name"] == "village-flex"
        node.do(lambda: node.watcher._take(settings_line(private=True)))
        for path in ("settings", "status", "control", "access", "cell-alarms", "invoices"):
            assert nobody.get(path).status_code == 401, path
            assert viewer.get(path).status_code == 200, path


def test_what_the_cell_would_not_take_is_refused_with_the_reason_and_noted(node: ServedNode) -> None:
    with node.client(token(node, Role.OPERATOR)) as client:
        for path, body, reason in (
            (
                "tariffs",
                {"import_price": "0.1", "export_price": "0.2", "from_interval": 2**40},
                "export_price",
            ),
            ("tariffs", {"import_price": "0.29", "export_price": "0", "from_interval": 1}, "is too late"),
            (
                "limits",
                {"branch": "south", "limit_w": 1.0, "first": 2**40, "last": 2**40},
                "substation, north",
            ),
            ("requests", {"service": "flex", "power_w": 1.0, "for_s": 60}, "no requested service"),
            ("withdrawals", {"said": "5f0c2a91be77"}, "there is none that has not ended"),
            ("services", {"service": "flex", "requested": True, "from_interval": 1}, "is too late"),
            ("services", {"service": "Flex", "requested": True, "from_interval": 2**40}, "a to z, 0 to 9"),
            ("deposits", {"member": "home-1", "amount": "0.0"}, "must not be zero"),
            ("deposits", {"member": "home-9", "amount": "1"}, "no member"),
            (
                "meters",
                {"branch": "north", "interval": 1, "contribution": "0", "consumption": "0"},
                "can no longer be corrected",
            ),
            ("emergency", {"emergency": True, "for_s": 2**40}, "takes no word beyond interval"),
            ("commands", {"command": "stop", "member": "home-9"}, "no member"),
            ("members/remove", {"member": "home-9"}, "no member"),
            ("members/add", {"card": "name = "}, "member card"),
        ):
            answer = client.post(path, json=body)
            assert (answer.status_code, reason in answer.text) == (409, True), answer.text
        assert "no member" in client.get("actions").json()[1]["outcome"]
    assert waiting(node) == []


def test_a_node_without_the_role_or_the_key_says_so(cell: Path) -> None:
    with served(cell / "home-1", blocks=False) as node, node.client(token(node, Role.OPERATOR)) as client:
        control = client.get("control").json()
        assert "those of home-0 would" in control["operator"]
        assert "does not hold the cell's operator key" in control["members"]
        refused: httpx.Response = client.post("members/remove", json={"member": "home-0"})
        assert (refused.status_code, "operator key" in refused.text) == (409, True)
    assert Spool(cell / "home-1").waiting() == []


@pytest.mark.processes
def test_an_operator_changes_the_tariff_on_the_page_and_takes_it_back(node: ServedNode) -> None:
    secret = token(node, Role.OPERATOR)
    with browser() as opened, page_of(opened, node.url, "settings") as page:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="The cell", exact=True)).to_be_visible(timeout=60_000)
        assert violations(page) == []
        # Live news draw the page anew: what was typed, and where, stays.
        page.locator("#price-floor").fill("0.02")
        page.evaluate("document.querySelector('#price-floor').dataset.old = 1")
        node.do(lambda: node.watcher._take(settings_line(paused=True)))
        expect(page.locator("#price-floor[data-old]")).to_have_count(0, timeout=60_000)
        expect(page.locator("#price-floor")).to_have_value("0.02")
        expect(page.locator("#price-floor")).to_be_focused()
        page.locator("#tariff-import").fill("0.27")
        page.get_by_role("button", name="Set the tariff").click()
        page.get_by_role("button", name="Change it").click()
        expect(page.locator("#notice")).to_contain_text("0.270000", timeout=60_000)
        page.locator("#notice").get_by_role("button", name="Undo").click()
        expect(page.locator("#notice")).to_contain_text("It is as it was", timeout=60_000)
    steps = [decode_tariff(asked.payload, asked.interval) for asked in waiting(node)]
    assert [step.import_price for step in steps] == [270_000, 310_000]
    assert steps[0].from_interval == steps[1].from_interval


@pytest.mark.processes
def test_an_operator_buys_a_service_and_books_a_payout_on_the_page(node: ServedNode) -> None:
    secret = token(node, Role.OPERATOR)
    with browser() as opened, page_of(opened, node.url, "settings") as page:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Accounts, deposits and payouts")).to_be_visible(
            timeout=60_000
        )
        page.locator("#bought-name").fill("village-flex")
        page.locator("#bought-up").fill("50")
        page.locator("#bought-up-price").fill("0.01")
        page.locator("#bought-up-energy").fill("0.3")
        page.get_by_role("button", name="Buy it").click()
        page.locator("#dialog").get_by_role("button", name="Buy it").click()
        expect(page.locator("#notice")).to_contain_text("up to 50000 W up", timeout=60_000)
        page.locator("#notice").get_by_role("button", name="Undo").click()
        expect(page.locator("#notice")).to_contain_text("It is as it was", timeout=60_000)
        page.locator("#deposit-member").select_option("home-1")
        page.locator("#deposit-way").select_option("-")
        page.locator("#deposit-amount").fill("12.5")
        page.get_by_role("button", name="Book it").click()
        expect(page.locator("#dialog")).to_contain_text("leave the account of home-1")
        page.locator("#dialog").get_by_role("button", name="Book it").click()
        expect(page.locator("#notice")).to_contain_text("-12.500000 EUR for home-1", timeout=60_000)
    bought, ended, paid = waiting(node)
    assert decode_terms(bought.payload) == ServiceTerms(
        b"village-flex", True, 50_000_000, 0, 10_000, 0, 300_000, 0
    )
    assert decode_terms(ended.payload).up_mw == 0
    assert decode_deposit(paid.payload).amount == -12_500_000_000_000


@pytest.mark.processes
def test_a_dso_declares_an_outage_on_the_page_and_takes_it_back(node: ServedNode) -> None:
    secret = token(node, Role.OPERATOR)
    with browser() as opened, page_of(opened, node.url, "settings") as page:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        card = page.get_by_label("An outage of the public grid")
        expect(card).to_contain_text("0 of the 1 that it takes see it gone", timeout=60_000)
        page.locator("#emergency-hours").fill("0.5")
        card.get_by_role("button", name="Declare an emergency").click()
        expect(page.locator("#dialog")).to_contain_text("Nobody's reserve is released")
        page.locator("#dialog").get_by_role("button", name="Declare it").click()
        expect(page.locator("#notice")).to_contain_text("An emergency from interval", timeout=60_000)
        page.locator("#notice").get_by_role("button", name="Undo").click()
        expect(page.locator("#notice")).to_contain_text("It is as it was", timeout=60_000)
    begins, ends = ((asked.interval, decode_declaration(asked.payload)) for asked in waiting(node))
    assert (begins[1].emergency, ends[1].emergency) == (True, False)
    assert (begins[0], begins[1].last) == (ends[0], ends[1].last)


@pytest.mark.processes
@pytest.mark.parametrize(("scheme", "size"), [("dark", "desk"), ("light", "phone")])
def test_the_operators_settings_keep_nobody_out(node: ServedNode, scheme: str, size: str) -> None:
    secret = token(node, Role.OPERATOR)
    with browser() as opened, page_of(opened, node.url, "settings", scheme=scheme, size=size) as page:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Protocol of the cell")).to_be_visible(timeout=60_000)
        expect(page.locator("#meter-branch, #deposit-member")).not_to_have_count(0)
        assert violations(page) == []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
