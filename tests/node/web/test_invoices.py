"""The invoice on the page is the one that the command makes, to the letter."""

import json
from pathlib import Path

import pytest
from served_node import ServedNode

from node.cli.root import app


def test_an_invoice_is_what_the_command_makes(
    node: ServedNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with node.client() as client:
        months = client.get("invoices").json()
        month = months[0]["month"]
        shown = client.get(f"invoices/{month}")
        rows = client.get(f"invoices/{month}?format=csv")
        page = client.get(f"invoices/{month}?format=html")
        none = client.get("invoices/1999-01")
    capsys.readouterr()
    files = ["--csv", str(tmp_path / "made.csv"), "--html", str(tmp_path / "made.html")]
    said = ["market", "invoice", str(node.directory), "--member", "home-0", "--month", month, "--json"]
    app([*said, *files], exit_on_error=False, result_action="return_value")
    assert shown.json() == json.loads(capsys.readouterr().out)
    assert shown.json()["lines"], "an invoice without a posting shows nothing"
    assert rows.text == (tmp_path / "made.csv").read_text("utf-8")
    assert page.text == (tmp_path / "made.html").read_text("utf-8")
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert months[0]["closed"] is shown.json()["closed"]
    assert (none.status_code, none.json()["error"]["code"]) == (404, "no-invoice")
