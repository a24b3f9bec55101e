"""The nameplate of a load that takes a limit: W, withdrawal negative."""

from devices.der import Nameplate
from devices.image import DerKind


def flexible(most_w: float, capacity_wh: float | None = None, response_s: float = 0.0) -> Nameplate:
    """A load that draws at most `most_w` (at least 0) and obeys a limit at once."""
    return Nameplate(
        kind=DerKind.FLEXIBLE,
        minimum_w=-most_w,
        maximum_w=0.0,
        capacity_wh=capacity_wh,
        charge_efficiency=1.0,
        discharge_efficiency=1.0,
        ramp_w_per_s=None,
        response_s=response_s,
    )
