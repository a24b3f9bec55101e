"""Alarms of the whole cell: from the ledger onto the page, acknowledged by a signed entry, shown when they clear."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from operated_cell import found, token, waiting
from owners_settings import settings_line
from playwright.sync_api import expect
from real_browser import browser, page_of, violations
from served_node import ServedNode, served

from ledger.encoding import Value
from ledger.files.directory import GENESIS_FILE, IDENTITY_KEY_FILE, LEDGER_FILE
from ledger.files.keys import load_key
from ledger.records.entries import Entry, author_entry
from ledger.records.genesis import Genesis, member_id
from ledger.store.store import Store
from market.administration.payloads import (
    AlarmNotice,
    AlarmState,
    Urgency,
    decode_acknowledgement,
    device_key,
    encode_alarm,
)
from market.payloads import Kind, encode_record
from node.alarms.alarm_codes import NUMBERS, AlarmCode
from node.web.tokens import Role

HOUR_NS = 3_600 * 10**9


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A cell whose second home says that its battery is hot."""
    found(tmp_path)
    speak(tmp_path, "home-1", Kind.ALARM, notice(tmp_path, AlarmState.RAISED))
    return tmp_path


@pytest.fixture
def node(cell: Path) -> Iterator[ServedNode]:
    """The operator's node, served."""
    with served(cell / "home-0", blocks=False) as running:
        running.do(lambda: running.watcher._take(settings_line()))
        running.wait(lambda: bool(running.watcher.alarms.alarms), "the alarm is read")
        yield running


def speak(cell: Path, name: str, kind: Kind, payload: tuple[Value, ...]) -> None:
    """The next entry of a home, as the operator's node has it."""
    key = load_key(cell / name / IDENTITY_KEY_FILE, None)
    public = key.verify_key.encode()
    cell_id = Genesis.decode((cell / "cell" / GENESIS_FILE).read_bytes()).cell_id
    store = Store.open(cell / "home-0" / LEDGER_FILE, cell_id)
    last = store.last_sequence(member_id(public), 0)
    previous = None if last < 0 else store.entry_id(member_id(public), 0, last)
    entry = Entry(public, 0, last + 1, previous, int(kind), 0, HOUR_NS, payload)
    store.append(member_id(public), author_entry(key, cell_id, entry), HOUR_NS)
    store.commit()
    store.close()


def notice(cell: Path, state: AlarmState) -> tuple[Value, ...]:
    """What the second home says of its battery."""
    member = member_id(load_key(cell / "home-1" / IDENTITY_KEY_FILE, None).verify_key.encode())
    device = device_key(member, "battery")
    return encode_record(
        encode_alarm(AlarmNotice(NUMBERS[AlarmCode.UNIT_HOT], state, Urgency.CRITICAL, HOUR_NS, device))
    )


def test_an_alarm_of_the_cell_is_acknowledged_by_who_may(node: ServedNode) -> None:
    with node.client(token(node, Role.OWNER)) as owner:
        (alarm,) = owner.get("cell-alarms?open=true").json()
        path = f"cell-alarms/{alarm['id']}/acknowledge"
        assert owner.post(path).status_code == 403, "an alarm of another member is the operator's to see"
        assert owner.post(f"cell-alarms/{'0' * 64}/acknowledge").status_code == 404
    assert (alarm["member"], alarm["code"], alarm["severity"]) == ("home-1", "unit-hot", "critical")
    assert alarm["cleared_at"] is None
    assert "battery" not in str(alarm), "what hangs on whose socket never leaves the node"
    with node.client(token(node, Role.OPERATOR)) as operator:
        assert operator.post(path).status_code == 200
    (asked,) = waiting(node)
    assert (asked.kind, decode_acknowledgement(asked.payload).hex()) == (Kind.ACKNOWLEDGEMENT, alarm["id"])


@pytest.mark.processes
def test_the_page_shows_who_acknowledged_it_and_that_it_cleared(node: ServedNode, cell: Path) -> None:
    secret = token(node, Role.OPERATOR)
    with browser() as opened, page_of(opened, node.url, "settings") as page:
        page.locator("#token").fill(secret)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Logged in as operator")).to_be_visible(timeout=60_000)
        page.locator('#nav a[href="#events"]').click()
        shown = page.get_by_role("region", name="Alarms of the cell")
        expect(shown).to_contain_text("home-1: unit hot", timeout=60_000)
        assert violations(page) == []
        shown.get_by_role("button", name="Acknowledge unit hot").click()
        expect(page.locator("#notice")).to_contain_text("signs", timeout=60_000)
        (asked,) = waiting(node)
        speak(cell, "home-0", Kind(asked.kind), asked.payload)
        expect(shown).to_contain_text("acknowledged by home-0", timeout=60_000)
        speak(cell, "home-1", Kind.ALARM, notice(cell, AlarmState.CLEARED))
        expect(shown).to_contain_text("No alarm of the cell is open", timeout=60_000)
        page.locator("#over").check()
        expect(shown).to_contain_text("until")
        with page.expect_download() as saved:
            page.get_by_role("button", name="Export as CSV").click()
        text = Path(saved.value.path()).read_text("utf-8")
    assert all(f"alarm {what}" in text for what in ("raised", "cleared", "acknowledged"))
