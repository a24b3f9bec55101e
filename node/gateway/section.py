"""The `gateway` section of a node's configuration: which side of a gateway this node is, and where the other one is."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Place = Annotated[str, Field(pattern=r"^/(ip4|ip6|dns4|dns6)/[^/]+/tcp/\d+$", max_length=128)]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _one_or_a_list(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


class GatewaySection(BaseModel):
    """`side` is where this node stands: in the "cell" below, or in the "parent". Without it this is no gateway.

    `listen` is an address for the line between the two alone, `peer` the feed key of the other node in hexadecimal,
    and `addresses` where it listens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    side: Literal["cell", "parent"] | None = None
    listen: Place | None = None
    peer: Key | None = None
    addresses: Annotated[tuple[Place, ...], BeforeValidator(_one_or_a_list)] = ()

    @model_validator(mode="after")
    def _whole_or_nothing(self) -> "GatewaySection":
        if self.side is not None and (self.listen is None or self.peer is None or not self.addresses):
            raise ValueError("a gateway needs side, listen, peer and addresses")
        if self.side is None and (self.listen or self.peer or self.addresses):
            raise ValueError('a gateway needs a side, "cell" or "parent"')
        return self
