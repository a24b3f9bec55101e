"""The names of the mechanisms, and the numbers under which certificates are encoded."""

from enum import StrEnum


class Mechanism(StrEnum):
    """A rule that turns orders into fills and prices."""

    UNIFORM = "uniform"
    PAY_AS_BID = "pay-as-bid"
    MCAFEE = "mcafee"
    CONTINUOUS = "continuous"

    @property
    def code(self) -> int:
        """The number in a certificate's canonical encoding."""
        return list(Mechanism).index(self) + 1
