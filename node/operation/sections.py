"""The parts of a configuration that are about operation. Paths are seen from the configuration file."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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


class MetricsSection(_Section):
    """Where `/metrics`, `/healthz` and `/readyz` are served; without `listen` they are not."""

    listen: Annotated[str, Field(max_length=64), AfterValidator(_loopback)] | None = None


class UpgradeSection(_Section):
    """Whose releases this node takes: the root metadata that pins their keys, threshold and expiry; without it none. A
    new release is tried for `trial_real_s` before it is kept.
    """

    root: str | None = None
    trial_real_s: float = Field(default=60.0, ge=0, le=3_600)
