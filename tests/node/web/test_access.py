"""Who may look, who may act, and what everybody else is told."""

import json
import ssl
import time
from pathlib import Path

import httpx
import pytest
from served_node import ServedNode, served

from node.cli.root import app
from node.configuration.config import load_config
from node.configuration.web_section import WebSection
from node.errors import InputRefusedError
from node.web.action_log import ACTIONS_FILE
from node.web.certificates import KEY_FILE, fingerprint
from node.web.tokens import TOKENS_FILE, Role, TokenBook
from node.web.web_process import server_config

WRITES = {
    "mode": {"mode": "emergency-stop"},
    "trading": {"paused": True},
    "reserve": {"device": "battery", "share": 0.5},
    "alarms/1/acknowledge": {},
}


@pytest.fixture
def book(directory: Path) -> TokenBook:
    """An empty book of tokens."""
    (directory / TOKENS_FILE).unlink(missing_ok=True)
    return TokenBook(directory)


@pytest.mark.parametrize("path", WRITES)
def test_nobody_acts_without_an_owners_token(node: ServedNode, book: TokenBook, path: str) -> None:
    viewer = book.add("viewer", Role.VIEWER, 1)
    for token, status in ((None, 403), ("wst_guessed", 401), (viewer, 403)):
        with node.client(token) as client:
            answer = client.post(path, json=WRITES[path])
        assert answer.status_code == status, (token, answer.text)


def test_an_owner_acknowledges_an_alarm_and_is_named(node: ServedNode, book: TokenBook) -> None:
    token = book.add("anna", Role.OWNER, 1)
    with node.client(token) as client:
        (standing,) = client.get("alarms?standing=true").json()
        seen = client.post(f"alarms/{standing['number']}/acknowledge").json()
        log = client.get("actions").json()
    assert seen["acknowledged_by"] == "anna"
    assert (log[0]["who"], log[0]["action"]["alarm"], log[0]["outcome"]) == ("anna", "unit-hot", "done")
    assert "anna" in (node.directory / ACTIONS_FILE).read_text("utf-8").splitlines()[-1]


def test_an_action_without_a_daemon_is_refused_and_noted(node: ServedNode, book: TokenBook) -> None:
    token = book.add("owner", Role.OWNER, 1)
    with node.client(token) as client:
        answer = client.post("trading", json={"paused": True})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "daemon-silent")
        assert client.get("actions").json()[0]["outcome"] == "no answer"


def test_a_session_ends_when_its_token_is_revoked(node: ServedNode, book: TokenBook) -> None:
    secret = book.add("tablet", Role.OWNER, 1)
    with node.client() as client:
        assert client.post("login", json={"token": secret}).json()["role"] == "owner"
        assert client.get("status").json()["can_act"]
        book.revoke("tablet")
        node.wait(lambda: not client.get("status").json()["can_act"], "the session ends")


def test_a_stream_ends_when_its_token_is_revoked(directory: Path, book: TokenBook) -> None:
    secret = book.add("screen", Role.VIEWER, 1)
    with served(directory, open_on_loopback=False) as node, node.client(secret) as client:
        with client.stream("GET", "stream") as stream:
            chunks = stream.iter_raw()
            assert b"retry" in next(chunks)
            book.revoke("screen")
            assert sum(1 for _ in chunks) < 100
        assert client.get("status").status_code == 401


def test_a_wrong_token_is_answered_later_and_later(node: ServedNode, book: TokenBook) -> None:
    with node.client() as client:
        first = client.post("login", json={"token": "wst_wrong"})
        second = client.post("login", json={"token": "wst_wrong"})
    assert (first.status_code, second.status_code) == (401, 429)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
def test_another_site_writes_nothing(node: ServedNode, book: TokenBook, headers: dict[str, str]) -> None:
    token = book.add("owner", Role.OWNER, 1)
    with node.client(token) as client:
        answer = client.post("trading", json={"paused": True}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross-origin")


def test_too_many_requests_are_refused(node: ServedNode) -> None:
    node.access.rate = node.access.burst = 1.0
    node.access._buckets.clear()
    with node.client() as client:
        answers = [client.get("alarms").status_code for _ in range(4)]
    assert answers[0] == 200
    assert answers[-1] == 429


def test_a_session_cookie_is_kept_from_scripts_and_other_sites(node: ServedNode, book: TokenBook) -> None:
    secret = book.add("tablet", Role.OWNER, 1)
    with node.client() as client:
        cookie = client.post("login", json={"token": secret}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert secret not in cookie


def test_a_token_is_known_at_once(tmp_path: Path) -> None:
    """The server looks for a changed file only now and then, and whenever it does not know a token."""
    server = TokenBook(tmp_path)
    assert server.tokens() == ()
    secret = TokenBook(tmp_path).add("ada", Role.VIEWER, 1)
    found = server.find(secret)
    assert found is not None
    assert found.name == "ada"


def test_tokens_are_stored_as_hashes_and_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = TokenBook(tmp_path)
    secret = book.add("tablet", Role.VIEWER, 2)
    text = (tmp_path / TOKENS_FILE).read_text("utf-8")
    assert secret not in text
    assert (tmp_path / TOKENS_FILE).stat().st_mode & 0o777 == 0o600
    found = book.find(secret)
    assert found is not None
    assert found.role is Role.VIEWER
    assert book.find(secret + "x") is None
    later = time.time() + 3 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert book.find(secret) is None
    assert not book.holds(found)


@pytest.mark.parametrize(
    ("name", "days", "why"),
    [("", 1, "1 to 40"), ("a\nb", 1, "printable"), ("a", 0, "days"), ("b", 9999, "days")],
)
def test_a_token_has_a_name_and_an_end(tmp_path: Path, name: str, days: int, why: str) -> None:
    with pytest.raises(InputRefusedError, match=why):
        TokenBook(tmp_path).add(name, Role.VIEWER, days)


def test_the_command_shows_a_token_once(
    directory: Path, book: TokenBook, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(directory / "node.toml")

    def say(*arguments: str) -> str:
        app(
            ["node", "token", *arguments, "--config", config],
            exit_on_error=False,
            result_action="return_value",
        )
        return capsys.readouterr().out

    secret = json.loads(say("add", "tablet", "--role", "owner", "--json"))["token"]
    listed = say("list", "--json")
    assert json.loads(listed)["name"] == "tablet"
    assert secret not in listed
    assert book.find(secret) is not None
    assert "revoked" in say("revoke", "tablet")
    with pytest.raises(InputRefusedError, match="no token"):
        say("revoke", "tablet")


def test_beyond_loopback_everything_is_encrypted_and_needs_a_token(
    directory: Path, book: TokenBook, tmp_path: Path
) -> None:
    config = load_config(directory / "node.toml")
    beyond = config.model_copy(update={"web": WebSection(listen="0.0.0.0:0")})
    server = server_config(beyond)
    assert server.certfile is not None
    assert (directory / KEY_FILE).stat().st_mode & 0o777 == 0o600
    again = server_config(beyond)
    assert fingerprint(Path(again.certfile or "")) == fingerprint(Path(server.certfile))
    secret = book.add("far", Role.VIEWER, 1)
    with served(directory, open_on_loopback=False, server=server) as node:
        url = node.url.replace("0.0.0.0", "localhost")
        trusted = ssl.create_default_context(cafile=server.certfile)
        assert url.startswith("https://")
        assert httpx.get(f"{url}/api/v1/flows", verify=trusted).status_code == 401
        headers = {"authorization": f"Bearer {secret}", "host": "localhost"}
        assert httpx.get(f"{url}/api/v1/flows", verify=trusted, headers=headers).status_code == 200


def test_nobody_looks_without_a_token_where_it_is_not_open(directory: Path, book: TokenBook) -> None:
    with served(directory, open_on_loopback=False) as node:
        schema = httpx.get(f"{node.url}/api/v1/openapi.json").json()
        reading = [path for path, methods in schema["paths"].items() if "get" in methods and "{" not in path]
        for path in reading:
            assert httpx.get(f"{node.url}{path}").status_code == 401, path
    assert len(reading) > 10
