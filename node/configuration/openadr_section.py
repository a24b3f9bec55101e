"""The `[openadr]` table of a node's configuration: which VTN it listens to, who it is there, and what it does of it."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from node.configuration.section import Section, Texts, list_is_tuple

Share = Annotated[float, Field(ge=0, le=1)]
Power = Annotated[float, Field(ge=0, le=1e9)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)
"""Without user, query or fragment."""


class OpenAdrSection(Section):
    """`vtn` is the address of a VTN's API with its version, without it there is none.

    What it asks is done for the own `site`, or as a `dso` of the cell: then power is called of `service` (by requests
    of at most `request_s` of cell time), and limits are those of `branch`. A level from 0 to 3 leaves `level_shares` of
    the site's import limit, or calls `level_w`. Nothing lowers the site's import limit below `least_import_w`.
    """

    vtn: str | None = None
    version: Literal["3.0", "3.1"] = "3.0"
    ven_name: Name | None = None
    resource_name: Name = "site"
    client_id: str | None = Field(default=None, min_length=1, max_length=4096)
    client_secret_file: str | None = None
    token_url: str | None = None
    scope: str | None = Field(default=None, min_length=1, max_length=4096)
    ca_file: str | None = None
    programs: Texts = ()
    targets: Texts = ()
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    acts_for: Literal["site", "dso"] = "site"
    opt_out: bool = False
    service: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,48}$")
    branch: str | None = None
    request_s: int = Field(default=300, ge=10, le=86_400)
    level_shares: Annotated[tuple[Share, ...], BeforeValidator(list_is_tuple)] = (1.0, 0.75, 0.5, 0.25)
    level_w: Annotated[tuple[Power, ...], BeforeValidator(list_is_tuple)] = ()
    least_import_w: Power = 0.0
    poll_real_s: float = Field(default=30.0, ge=0.2, le=3_600)
    timeout_real_s: float = Field(default=10.0, ge=0.1, le=120)

    @field_validator("vtn", "token_url")
    @classmethod
    def _safe_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = ADDRESS.fullmatch(value)
        if parts is None:
            raise ValueError("must be an address like https://vtn.example/openadr3/3.0.1")
        if parts["scheme"] == "http" and not _is_loopback(parts["host"].strip("[]")):
            raise ValueError(
                "must begin with https:// unless the VTN is on this machine: a secret is sent to it"
            )
        return value.rstrip("/")

    @model_validator(mode="after")
    def _whole(self) -> "OpenAdrSection":
        if self.vtn is None and self.model_fields_set - {"vtn"}:
            raise ValueError(
                "vtn is missing: the address of the VTN, like https://vtn.example/openadr3/3.0.1"
            )
        if (self.client_id is None) != (self.client_secret_file is None):
            raise ValueError("client_id and client_secret_file go together")
        if len(self.level_shares) != 4 or len(self.level_w) not in (0, 4):
            raise ValueError("level_shares and level_w have four values, for the levels 0, 1, 2 and 3")
        if self.acts_for == "dso" and self.service is None and self.branch is None:
            raise ValueError('acts_for = "dso" needs a service to call, a branch to limit, or both')
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
