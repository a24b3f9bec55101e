"""What a site with a flywheel draws from its feed, so that the flywheel hides the swings of the load.

Pure, and free of any model: it takes an expected load, whoever expects it. W, Wh and s; load and draw are positive
numbers here, the flywheel's power is positive when it gives.
"""

from dataclasses import dataclass

FADE_S = 20.0
"""At 100 kW the last 556 Wh at either end of the band fade, a tenth of a flywheel of 5.6 kWh."""


@dataclass(frozen=True, slots=True)
class FeedRules:
    """`ramp_w_per_s`: how fast the draw may change. `horizon_s`: over what the load is expected, and in which the
    flywheel is to be back in the middle of its band.
    """

    ramp_w_per_s: float
    horizon_s: float


@dataclass(frozen=True, slots=True)
class Wheel:
    """A flywheel as it stands: energy above its band's bottom, size of the band, and what it can give and take now."""

    stored_wh: float
    band_wh: float
    discharge_w: float
    charge_w: float


def draw_w(expected_w: float, wheel: Wheel, before_w: float, rules: FeedRules, passed_s: float) -> float:
    """The draw to steer to, `passed_s` after the draw was `before_w`.

    It goes to the load that is expected over the horizon, plus what brings the flywheel to the middle of its band
    within the horizon, as fast as the ramp allows and no faster: the draw itself never is a transient.
    """
    missing_wh = wheel.band_wh / 2 - wheel.stored_wh
    wanted_w = max(0.0, expected_w + missing_wh * 3600 / rules.horizon_s)
    most_w = rules.ramp_w_per_s * passed_s
    return min(max(wanted_w, before_w - most_w), before_w + most_w)


def wheel_w(load_w: float, drawn_w: float, wheel: Wheel) -> float:
    """What the flywheel is told: all of the difference that it can carry, and go on carrying for `FADE_S`.

    So it fades out towards the ends of its band: one that stops at once would be the transient it is there to hide.
    """
    given_w = min(wheel.discharge_w, max(0.0, wheel.stored_wh) * 3600 / FADE_S)
    taken_w = min(wheel.charge_w, max(0.0, wheel.band_wh - wheel.stored_wh) * 3600 / FADE_S)
    return min(max(load_w - drawn_w, -taken_w), given_w)
