"""Versions over the API and on the page: what everybody runs, what is proposed, and proposing another version."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from operated_cell import found, token, waiting
from playwright.sync_api import expect
from real_browser import browser, page_of, violations
from served_node import ServedNode, served

from ledger.membership.protocol import Protocol, Reason, Refusal, Switch
from ledger.records.changes import CHANGE_KIND
from node.operation.telling_versions import VERSIONS_FILE
from node.web.tokens import Role

RELEASES = {"home-0": {"version": "0.2.0", "protocols": [1, 2]}}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    """The operator's node of a cell of two homes, in which the second has not been heard."""
    found(tmp_path)
    (tmp_path / "home-0" / VERSIONS_FILE).write_text(json.dumps(RELEASES), "utf-8")
    with served(tmp_path / "home-0", blocks=False) as running:
        running.wait(lambda: running.watcher.node.history.tip is not None, "the ledger is read")
        yield running


def hold(node: ServedNode, protocol: Protocol) -> None:
    """As if the cell had agreed on this."""
    history = node.watcher.node.history
    tip = history.tip
    assert tip is not None
    changed = replace(tip, membership=replace(tip.membership, protocol=protocol))
    node.do(lambda: setattr(history, "tip", changed))


def test_what_members_run_and_what_is_proposed_is_told(node: ServedNode) -> None:
    member = node.watcher.node.member
    assert member is not None
    hold(node, Protocol(proposed=Switch(3, 2, 4800), supports=((member.id, (1, 2)),)))
    with node.client() as client:
        told = client.get("protocol").json()
        assert told["proposed"] == {
            "version": 2,
            "height": 4800,
            "supporters": 1,
            "validators": 2,
            "enough": False,
        }
        assert [(each["name"], each["release"], each["knows"]) for each in told["members"]] == [
            ("home-0", "0.2.0", [1, 2]),
            ("home-1", None, [1]),
        ]
        assert (told["version"], told["earliest"], told["fault"]) == (1, 3, "")
        hold(node, Protocol(refused=Refusal(Switch(3, 2, 4800), Reason.TOO_FEW_SUPPORT, 1, 2, 4798)))
        refused = client.get("protocol").json()["refused"]
    assert (refused["at"], refused["reason"]) == (4798, "not more than two thirds of the validators knew it")


def test_releases_that_cannot_be_read_are_not_known(node: ServedNode) -> None:
    for text in ("", "[]", "{", '{"home-0": 5}'):
        (node.directory / VERSIONS_FILE).write_text(text, "utf-8")
        with node.client() as client:
            members = client.get("protocol").json()["members"]
        assert [each["release"] for each in members] == [None, None], text


def test_an_operator_proposes_a_version_and_what_could_not_be_taken_is_refused(node: ServedNode) -> None:
    with node.client(token(node, Role.OPERATOR)) as client, node.client(token(node, Role.OWNER)) as owner:
        body = {"version": 2, "height": 4800}
        assert owner.post("protocol", json=body).status_code == 403
        for wrong, reason in (
            ({"version": 2, "height": 2}, "too near"),
            ({"version": 1, "height": 4800}, "would not take"),
        ):
            answer = client.post("protocol", json=wrong)
            assert (answer.status_code, reason in answer.text) == (409, True), answer.text
        answer = client.post("protocol", json=body)
        assert "protocol 2 from block 4800 on" in answer.json()["text"]
        assert client.get("actions").json()[0]["action"] == {"name": "propose protocol", **body}
    assert [asked.kind for asked in waiting(node)] == [CHANGE_KIND]


@pytest.mark.processes
def test_the_page_shows_who_has_to_be_upgraded_and_puts_a_proposal_off(node: ServedNode) -> None:
    member = node.watcher.node.member
    assert member is not None
    hold(node, Protocol(proposed=Switch(3, 2, 4800), supports=((member.id, (1, 2)),)))
    secret = token(node, Role.OPERATOR)
    with browser() as opened, page_of(opened, node.url, "cell") as page:
        expect(page.get_by_text("1 of 2 validators know it, not enough yet")).to_be_visible(timeout=60_000)
        expect(page.get_by_text("has to be upgraded")).to_have_count(1)
        assert violations(page) == []
        page.locator('#nav a[href="#settings"]').click()
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#protocol-height")).to_have_value("5800", timeout=60_000)
        page.get_by_role("button", name="Propose this instead").click()
        expect(page.locator("#dialog")).to_contain_text("The proposal for block 4800 is void then")
        page.locator("#dialog").get_by_role("button", name="Propose it").click()
        expect(page.locator("#notice")).to_contain_text("protocol 2 from block 5800 on", timeout=60_000)
    assert [asked.kind for asked in waiting(node)] == [CHANGE_KIND]
