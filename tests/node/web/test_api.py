"""The API says what daemon and ledger say, refuses in one form, and does nothing that its schema does not."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from served_node import ServedNode, image, served

from market.units import money_text
from node.views import ledger_view

EXAMPLES = int(os.environ.get("COUNT", "3"))
"""cases per operation here; scripts/soak.sh takes more."""


def get(node: ServedNode, path: str) -> Any:
    """An answer, which has to be there."""
    with node.client() as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_blocks_are_those_of_the_ledger(node: ServedNode) -> None:
    stored = [each.tip.header_id.hex() for each in ledger_view.blocks(node.directory)]
    node.wait(lambda: node.watcher.node.history.height == len(stored), "all blocks are followed")
    assert [block["id"] for block in reversed(get(node, "blocks?limit=1000"))] == stored
    detail = get(node, f"blocks/{len(stored)}")
    assert detail["id"] == stored[-1]
    assert sum(each["signed"] for each in detail["certificate"]) == detail["signers"]


def test_money_is_exact(node: ServedNode) -> None:
    state = ledger_view.blocks(node.directory)[-1].tip.state
    member = node.watcher.node.member
    assert member is not None
    assert get(node, "today")["balance"] == money_text(state.balance_of(member.id))


def test_the_merit_order_has_every_fill_and_marks_mine(node: ServedNode) -> None:
    traded = next(row for row in get(node, "prices?limit=1000") if row["volume"] > 0)
    auction = get(node, f"auctions/{traded['interval']}")
    bought = sum(step["filled"] for step in auction["buys"])
    assert bought + auction["grid_export"] == auction["volume"]
    assert {step["member"] for step in auction["buys"] if step["mine"]} <= {"home-0"}
    assert [step["price"] for step in auction["sells"]] == sorted(step["price"] for step in auction["sells"])


def test_flows_balance_and_what_is_stale_is_not_known(node: ServedNode) -> None:
    flows = get(node, "flows")
    assert flows["pv_w"] + flows["battery_w"] + flows["load_w"] == pytest.approx(flows["connection_w"])
    assert flows["neighbours_w"] + flows["grid_w"] == pytest.approx(flows["connection_w"])
    node.do(lambda: setattr(node.watcher.node.live, "connected", False))
    assert set(get(node, "flows").values()) == {None}


def test_devices_show_their_health_and_their_alarms(node: ServedNode) -> None:
    units = {unit["name"]: unit for unit in get(node, "ders")["units"]}
    assert units["battery"]["alarms"] == ["it is hot: 61 °C"]
    assert (units["battery"]["state_of_health"], units["battery"]["reserve"]) == (0.97, 0.2)
    assert get(node, "alarms?standing=true")[0]["severity"] == "critical"


def test_a_proof_is_given_and_verified_and_a_spoilt_one_refused(node: ServedNode) -> None:
    with node.client() as client:
        proof = client.get("proofs/balance")
        assert proof.headers["content-disposition"].endswith('.proof"')
        spoilt = proof.content[:-1] + bytes([proof.content[-1] ^ 1])
        good = client.post("proofs/verify", content=proof.content).json()
        bad = client.post("proofs/verify", content=spoilt).json()
    assert good["holds"]
    assert not bad["holds"]


def test_an_audit_derives_the_ledger_again(node: ServedNode) -> None:
    with node.client() as client:
        report = client.post("audits").json()
    assert report["verified"], report
    assert report["height"] == len(ledger_view.blocks(node.directory))


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("blocks/99999", 404, "no-block", "height"),
        ("auctions/1", 404, "no-auction", "interval"),
        ("prices?limit=0", 422, "invalid-request", "limit"),
        ("proofs/wealth", 422, "invalid-request", "what"),
        ("proofs/fill?interval=3", 404, "not-provable", "interval"),
        ("nothing", 404, "not-found", None),
    ],
)
def test_a_refusal_has_one_form(
    node: ServedNode, path: str, status: int, code: str, field: str | None
) -> None:
    with node.client() as client:
        answer = client.get(path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["message"]


def test_answers_carry_headers_that_let_nothing_in(node: ServedNode) -> None:
    for path in ("", "style.css", "api/v1/status", "nowhere"):
        headers = httpx.get(f"{node.url}/{path}").headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{node.url}/..%2f..%2fnode.toml").status_code == 404


def test_another_host_name_is_refused(node: ServedNode) -> None:
    with node.client() as client:
        answer = client.get("status", headers={"host": "evil.example"})
    assert answer.json()["error"]["code"] == "foreign-host"


def test_the_schema_is_what_the_server_does(directory: Path) -> None:
    with served(directory) as node:
        node.tell(image())
        schema = schemathesis.openapi.from_url(f"{node.url}/api/v1/openapi.json")
        schema = schema.exclude(path="/api/v1/stream").exclude(path="/api/v1/audits")
        tried: dict[str, int] = {}
        for operation in schema.get_all_operations():
            expect_declared(operation.ok(), tried)
    assert len(tried) >= 20, json.dumps(tried)


def expect_declared(operation: Any, tried: dict[str, int]) -> None:
    """Try one operation with what its schema allows; every answer has to be one that the schema declares."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    def check(case: Any) -> None:
        tried[operation.label] = tried.get(operation.label, 0) + 1
        case.call_and_validate()

    check()
