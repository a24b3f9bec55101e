"""Who bears what branches lose beyond what the contracts had in them: one word of the genesis.

Without it real losses are not settled.
"""

from enum import IntEnum


class LossBearer(IntEnum):
    """Who pays for losses above the contracted ones, and gets what losses below them save."""

    NOBODY = 0
    """Real losses are not settled: the contracted ones stand."""
    ACCOUNT = 1
    """The loss account, which whoever runs the feeder evens out."""
    COMMUNITY = 2
    """The community account."""
    DSO = 3
    """The dso's account, which the fees and the rent of the feeder go to."""
    MEMBERS = 4
    """Every metering point in proportion to what crossed it both ways."""
