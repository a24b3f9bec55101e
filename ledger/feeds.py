"""Feeds: what one node holds of every member's hash chain of entries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a feed that someone holds or that a block anchors; ``member`` is the member's id."""

    member: bytes
    incarnation: int
    sequence: int
    id: bytes
