"""The `[web]` table of a node's configuration: where the page is served, and how it is protected beyond loopback."""

from ipaddress import ip_address

from pydantic import Field, field_validator, model_validator

from node.configuration.section import Section

DEFAULT_LISTEN = "127.0.0.1:7460"


class WebSection(Section):
    """Where the page and the API are served; `listen` is an address and a port, port 0 means any that is free.

    `certificate` and `key` are PEM files; without them a certificate is generated beyond loopback, where nobody is
    served over plain HTTP or without a token. `open_on_loopback` lets whoever is on this machine look without a
    token, never act. Without `serve` the daemon starts no web server and only tells others on this machine what it
    sees, as in a testnet, where one server shows all nodes. `cell` is the directory of the cell with its operator.key,
    where operators may change who belongs to it on the page.
    """

    listen: str = Field(default=DEFAULT_LISTEN, max_length=100)
    certificate: str | None = None
    key: str | None = None
    open_on_loopback: bool = True
    serve: bool = True
    cell: str | None = None

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            host, port = split_address(value)
            ip_address(host)
        except ValueError:
            raise ValueError("must be an IP address and a port like 127.0.0.1:7460 or [::1]:7460") from None
        if not 0 <= port <= 65_535:
            raise ValueError("must have a port from 0 to 65535")
        return value

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> "WebSection":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given both or neither")
        return self

    @property
    def host(self) -> str:
        """The address to listen on."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to listen on."""
        return split_address(self.listen)[1]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return ip_address(self.host).is_loopback


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[HOST]:PORT`. Raises ValueError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(listen)
    return host.removeprefix("[").removesuffix("]"), int(port)
