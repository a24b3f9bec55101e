"""Messages over real channels: a mail server and a web server on loopback, and what happens when nobody answers."""

import json
import socketserver
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from http.server import HTTPServer
from pathlib import Path

import pytest
from counterparts import Mail, Web, serving

from node.cli.node import init
from node.cli.notification import notify
from node.configuration.config import load_config
from node.errors import ConfigError, InputRefusedError
from node.founding.founding import CONFIG_FILE
from node.notification.matters import Severity
from node.notification.messages import Message
from node.notification.sending import sender_of


@pytest.fixture
def mail() -> Iterator[tuple[int, list[bytes]]]:
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mail)) as served:
        yield served


@pytest.fixture
def web() -> Iterator[tuple[int, list[bytes]]]:
    with serving(HTTPServer(("127.0.0.1", 0), Web)) as served:
        yield served


def node(directory: Path, channels: str) -> Path:
    """The configuration of a new node with these channels."""
    init(directory / "ada", name="ada")
    path = directory / "ada" / CONFIG_FILE
    path.write_text(path.read_text("utf-8") + channels, "utf-8")
    (directory / "ada" / "members.toml").write_text("[peers]\n", "utf-8")
    return path


def channel(name: str, url: str) -> str:
    return f'\n[[notify.channels]]\nname = "{name}"\nurl = "{url}"\n'


def mail_url(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=node@example.org&to=owner@example.org&mode=insecure"


def test_the_test_button_reaches_every_channel(
    tmp_path: Path,
    mail: tuple[int, list[bytes]],
    web: tuple[int, list[bytes]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    hook = channel("hook", f"json://127.0.0.1:{web[0]}/warn")
    path = node(tmp_path, channel("mail", mail_url(mail[0])) + hook)
    capsys.readouterr()
    notify(config=path)
    assert "--test" in capsys.readouterr().out
    assert mail[1] == web[1] == []
    notify(config=path, test=True)
    assert capsys.readouterr().out.splitlines() == ["mail: handed over", "hook: handed over"]
    letter = message_from_bytes(mail[1][0], policy=default)
    assert letter["Subject"] == "ada: test"
    body = letter.get_body(("plain",))
    assert body is not None
    assert "Nothing is wrong." in body.get_content()
    posted = json.loads(web[1][0])
    assert (posted["title"], posted["type"]) == ("ada: test", "info")


def test_a_channel_that_does_not_answer_is_said_and_fails(
    tmp_path: Path, web: tuple[int, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = channel("dead", "json://127.0.0.1:1/x?cto=2&rto=2")
    path = node(tmp_path, dead + channel("hook", f"json://127.0.0.1:{web[0]}"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended_with:
        notify(config=path, test=True)
    assert ended_with.value.code == 1
    out = capsys.readouterr()
    assert out.out.splitlines()[0].startswith("dead: FAILED")
    assert out.out.splitlines()[1] == "hook: handed over"
    assert "127.0.0.1" not in out.err


async def test_severities_are_those_of_the_service(tmp_path: Path, web: tuple[int, list[bytes]]) -> None:
    sender = sender_of(load_config(node(tmp_path, channel("hook", f"json://127.0.0.1:{web[0]}"))))
    for severity, over in ((Severity.WARNING, False), (Severity.CRITICAL, False), (Severity.CRITICAL, True)):
        assert await sender.send("hook", Message("t", "b", severity, over))
    assert [json.loads(each)["type"] for each in web[1]] == ["warning", "failure", "success"]


def test_an_address_in_a_file_must_be_the_owners_alone(tmp_path: Path, web: tuple[int, list[bytes]]) -> None:
    path = node(tmp_path, '\n[[notify.channels]]\nname = "hook"\nurl_file = "hook.url"\n')
    secret = path.parent / "hook.url"
    with pytest.raises(ConfigError, match="url_file"):
        sender_of(load_config(path))
    secret.write_text(f"json://user:password@127.0.0.1:{web[0]}\n", "utf-8")
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600") as refused:
        sender_of(load_config(path))
    assert "password" not in str(refused.value)
    secret.chmod(0o600)
    assert sender_of(load_config(path)).send_now("hook", Message("t", "b", Severity.NOTICE))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (channel("x", "nowhere://x"), "no service that Apprise knows"),
        ('\n[[notify.channels]]\nname = "x"\n', "needs either url or url_file"),
        (channel("x", "json://h") + channel("x", "json://i"), "two channels have one name"),
        ('\n[notify]\nquiet_from = "22:00"\n', "go together"),
        ('\n[notify]\nquiet_from = "25:00"\nquiet_to = "07:00"\n', "quiet_from"),
        ('\n[notify]\ntime_zone = "Mars/Olympus"\n' + channel("x", "json://h"), "no time zone"),
        ("", r"no \[\[notify.channels\]\]"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((ConfigError, InputRefusedError), match=words):
        notify(config=node(tmp_path, text))
