"""Shell: sends messages over the channels of a configuration, through Apprise (e-mail, webhooks, push services, MQTT).

Apprise waits for networks, so it runs in a thread, and nobody waits for that thread longer than `SEND_S`. Its own log
is silent, because addresses of channels are secrets.
"""

import logging
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from node.configuration.config import Config
from node.configuration.operation_sections import NotifyChannel
from node.errors import ConfigError
from node.notification.matters import Severity
from node.notification.messages import Message
from node.notification.policy import Channel, Policy

if TYPE_CHECKING:
    from apprise import Apprise

SEND_S: Final = 30.0
"""Real seconds for a message to be handed over; mail servers greet slowly."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The channels that messages go to, by name."""

    services: "dict[str, Apprise]"

    async def send(self, channel: str, message: Message) -> bool:
        """Hand over one message; False when that did not work in time."""
        with trio.move_on_after(SEND_S):
            # The stubs that the checker sees know this argument by its old name.
            return await trio.to_thread.run_sync(  # type: ignore[call-arg]
                self.send_now, channel, message, abandon_on_cancel=True
            )
        return False

    def send_now(self, channel: str, message: Message) -> bool:
        """The same, waiting in this thread. What a plugin raises is a failure of its channel, not of the node."""
        from apprise import NotifyFormat, NotifyType

        kinds = {
            Severity.NOTICE: NotifyType.INFO,
            Severity.WARNING: NotifyType.WARNING,
            Severity.CRITICAL: NotifyType.FAILURE,
        }
        kind = NotifyType.SUCCESS if message.over else kinds[message.severity]
        try:
            done = self.services[channel].notify(
                body=message.body, title=message.title, notify_type=kind, body_format=NotifyFormat.TEXT
            )
        except Exception:  # noqa: BLE001 - over a hundred plugins of others; whatever they raise, it was not sent
            return False
        return bool(done)


def policy_of(config: Config) -> Policy:
    """When what goes where, as configured."""
    section = config.notify
    return Policy(
        channels=tuple(
            Channel(each.name, Severity[each.severity.upper()], each.after_real_s)
            for each in section.channels
        ),
        repeat_s=section.repeat_real_s,
        quiet_from=_minute(section.quiet_from),
        quiet_to=_minute(section.quiet_to),
    )


def sender_of(config: Config) -> Sender:
    """The channels of a configuration. Raises ConfigError naming each that is wrong, without its address."""
    from apprise import Apprise, AppriseAsset

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = AppriseAsset(app_id="Wattswarm", app_desc="Wattswarm", app_url="", async_mode=False)
    mistakes, services = [], {}
    for index, channel in enumerate(config.notify.channels):
        where = f"{config.file}: notify.channels.{index}"
        try:
            service = Apprise(asset=asset)
            if not service.add(_url(config, channel)):
                raise ValueError("is the address of no service that Apprise knows")
        except (OSError, ValueError) as fault:
            mistakes.append(f"{where}.{'url' if channel.url_file is None else 'url_file'}: {fault}")
            continue
        services[channel.name] = service
    if mistakes:
        raise ConfigError(mistakes)
    return Sender(services)


def _url(config: Config, channel: NotifyChannel) -> str:
    if channel.url is not None:
        return channel.url
    assert channel.url_file is not None, "a channel has one of both"
    path = Path(config.file).parent / channel.url_file
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ValueError(f"{path} is open to others (mode {mode:04o}); run: chmod 600 {path}")
    return path.read_text("utf-8").strip()


def _minute(time_of_day: str | None) -> int:
    if time_of_day is None:
        return 0
    hours, _, minutes = time_of_day.partition(":")
    return 60 * int(hours) + int(minutes)
