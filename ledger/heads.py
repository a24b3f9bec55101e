"""A head: the place in a feed up to which something is said to hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a feed that someone holds or that a block anchors; ``member`` is the member's id."""

    member: bytes
    incarnation: int
    sequence: int
    id: bytes
