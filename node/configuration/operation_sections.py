"""The parts of a configuration that are about operation. Paths are seen from the configuration file."""

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from node.configuration.section import Section, list_is_tuple


def _loopback(value: str) -> str:
    """A loopback address and a port: what is served there asks nobody for a password."""
    host, _, port = value.rpartition(":")
    try:
        good = ipaddress.ip_address(host.strip("[]")).is_loopback and 0 <= int(port) <= 65_535
    except ValueError:
        good = False
    if not good:
        raise ValueError(
            "must be a loopback address with a port like 127.0.0.1:9464; put a proxy before it for others"
        )
    return value


class MetricsSection(Section):
    """Where `/metrics`, `/healthz` and `/readyz` are served; without `listen` they are not."""

    listen: Annotated[str, Field(max_length=64), AfterValidator(_loopback)] | None = None


class UpgradeSection(Section):
    """Whose releases this node takes: the root metadata that pins their keys, threshold and expiry; without it none. A
    new release is tried for `trial_real_s` before it is kept.
    """

    root: str | None = None
    trial_real_s: float = Field(default=60.0, ge=0, le=3_600)


TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class NotifyChannel(Section):
    """Somewhere to tell people: an Apprise URL, or a file of mode 0600 that holds it, as it may hold a password. It
    hears of matters of at least `severity`, once they were not acknowledged for `after_real_s`.
    """

    name: str = Field(min_length=1, max_length=64)
    url: str | None = None
    url_file: str | None = None
    severity: Literal["notice", "warning", "critical"] = "warning"
    after_real_s: float = Field(default=0.0, ge=0, le=604_800)

    @model_validator(mode="after")
    def _one_url(self) -> "NotifyChannel":
        if (self.url is None) == (self.url_file is None):
            raise ValueError("needs either url or url_file")
        return self


class NotifySection(Section):
    """Who is warned, how often, and the quiet hours in which only critical matters are told."""

    channels: Annotated[tuple[NotifyChannel, ...], BeforeValidator(list_is_tuple), Field(max_length=16)] = ()
    repeat_real_s: float = Field(default=3_600.0, ge=60, le=604_800)
    quiet_from: TimeOfDay | None = None
    quiet_to: TimeOfDay | None = None
    time_zone: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> "NotifySection":
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to go together")
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names):
            raise ValueError("two channels have one name")
        return self
