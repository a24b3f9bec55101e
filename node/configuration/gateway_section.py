"""The `gateway` section of a node's configuration: which side of a gateway this node is, and where the other one is."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from node.configuration.section import Address, Addresses, Section

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class GatewaySection(Section):
    """`side` is where this node stands: in the "cell" below, or in the "parent". Without it this is no gateway.

    `listen` is an address for the line between the two alone, `peer` the feed key of the other node in hexadecimal,
    and `addresses` where it listens.
    """

    side: Literal["cell", "parent"] | None = None
    listen: Address | None = None
    peer: Key | None = None
    addresses: Addresses = ()

    @model_validator(mode="after")
    def _whole_or_nothing(self) -> "GatewaySection":
        if self.side is not None and (self.listen is None or self.peer is None or not self.addresses):
            raise ValueError("a gateway needs side, listen, peer and addresses")
        if self.side is None and (self.listen or self.peer or self.addresses):
            raise ValueError('a gateway needs a side, "cell" or "parent"')
        return self
