"""Shell: watches a running node, warns people, and takes their acknowledgements.

`warnings.json` in the data directory is what is open, for the commands; `acknowledged/` is where these leave the
references that somebody has taken on.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
import trio

from node.configuration.config import Config
from node.errors import ConfigError
from node.notification.matters import REFERENCE_LENGTH, matters_of
from node.notification.messages import WORDS, message_of
from node.notification.policy import Moment, Send, Warnings
from node.notification.sending import Sender, policy_of, sender_of
from node.operation.status import NodeStatus

LOOK_EVERY_S: Final = 2.0
SENDS_WAITING: Final = 64
"""Messages on their way; what comes on top is tried again later."""

WARNINGS_FILE: Final = "warnings.json"
ACKNOWLEDGED_DIRECTORY: Final = "acknowledged"


class Watching:
    """The warnings of one daemon."""

    def __init__(
        self, config: Config, status: Callable[[], NodeStatus], log: structlog.typing.FilteringBoundLogger
    ) -> None:
        """Raises ConfigError for a channel or a time zone that is none."""
        self._sender = sender_of(config) if config.notify.channels else Sender({})
        self._zone = time_zone(config)
        self._status = status
        self._log = log
        self._name = config.node.name
        self._directory = config.directory
        self._shown = ""
        self._warnings = Warnings(policy_of(config), _kept(config.directory))
        self._sends_in, self._sends = trio.open_memory_channel[Send](SENDS_WAITING)

    async def run(self) -> None:
        """Until cancelled. One slow channel delays the messages of others, never the node."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_all)
            while True:
                self._look()
                await trio.sleep(LOOK_EVERY_S)

    def _look(self) -> None:
        now = self._moment()
        for reference in take_acknowledged(self._directory):
            if self._warnings.acknowledge(reference):
                self._log.info("acknowledged", reference=reference)
        for send in self._warnings.observe(matters_of(self._status()), now):
            try:
                self._sends_in.send_nowait(send)
            except trio.WouldBlock:
                self._warnings.failed(send, now)
        self._show(now)

    async def _send_all(self) -> None:
        async for send in self._sends:
            if not await self._sender.send(send.channel, message_of(send, self._name)):
                self._warnings.failed(send, self._moment())
                self._log.warning("not_notified", channel=send.channel, reference=send.matter.reference)

    def _moment(self) -> Moment:
        local = datetime.now(self._zone)
        return Moment(time.monotonic(), 60 * local.hour + local.minute)

    def _show(self, now: Moment) -> None:
        """What is open, where it changed; it is news, so a full disk may lose it."""
        table = {
            "acknowledged": sorted(self._warnings.acknowledged),
            "open": [
                {
                    "reference": matter.reference,
                    "severity": WORDS[matter.severity].lower(),
                    "text": matter.text,
                    "acknowledged": acknowledged,
                }
                for matter, _, acknowledged in self._warnings.open(now)
            ],
        }
        text = json.dumps(table, indent=1) + "\n"
        if text == self._shown:
            return
        draft = self._directory / f"{WARNINGS_FILE}.draft"
        with suppress(OSError):
            draft.write_text(text, "utf-8")
            draft.rename(self._directory / WARNINGS_FILE)
            self._shown = text


def time_zone(config: Config) -> tzinfo | None:
    """Of the quiet hours; None: the machine's. Raises ConfigError."""
    name = config.notify.time_zone
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as fault:
        raise ConfigError(
            [f"{config.file}: notify.time_zone: {name!r} is no time zone; write one like 'Europe/Berlin'"]
        ) from fault


def leave_acknowledged(directory: Path, reference: str) -> None:
    """Leave a reference for the daemon of this data directory."""
    place = directory / ACKNOWLEDGED_DIRECTORY
    place.mkdir(mode=0o700, exist_ok=True)
    (place / reference).touch(mode=0o600)


def take_acknowledged(directory: Path) -> list[str]:
    """The references that were left, once."""
    found = []
    with suppress(FileNotFoundError):
        for path in (directory / ACKNOWLEDGED_DIRECTORY).iterdir():
            path.unlink()
            if len(path.name) == REFERENCE_LENGTH:
                found.append(path.name)
    return found


def _kept(directory: Path) -> list[str]:
    """What was acknowledged before a restart."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        table = json.loads((directory / WARNINGS_FILE).read_text("utf-8"))
        return [each for each in table["acknowledged"] if isinstance(each, str)]
    return []
