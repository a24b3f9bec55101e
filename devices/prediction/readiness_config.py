"""The configuration of a node that prepares itself for trouble: what it watches, and what it may do about it.

W and Hz; injection positive, but what is watched of a connection is what the site draws. Durations are cell time.
"""

from dataclasses import dataclass
from itertools import pairwise

from devices.errors import ServiceError
from devices.fields import Fields
from devices.prediction.readiness import Preparation, ReadinessRules, Trouble
from devices.response.fast_response import Arming
from devices.response.response_curve import Effect, read_curve

LARGEST_W = 1e9
LONGEST_MEMORY = 120
"""Readings that a row of features looks back at most: its cost grows with them."""
LONGEST_HORIZON = 1_440
MOST_SPANS = 6
DAY_S = 86_400
USUAL = {
    Trouble.FREQUENCY: (1, 60, (5, 15, 60), ReadinessRules(watch=0.2, ready=0.5, hold_s=30.0)),
    # An overload is rare and charging before it is cheap, so a node is ready at a lower probability.
    Trouble.OVERLOAD: (60, 600, (60, 300, 1_800), ReadinessRules(watch=0.05, ready=0.15, hold_s=600.0)),
}
"""Pace, horizon and spans in seconds, and the rules: those that `wattswarm sim grid trouble` measures."""


@dataclass(frozen=True, slots=True)
class ReadinessConfig:
    """What is watched and what follows.

    `against` is the trouble; `lowest` and `highest` its band (Hz, or W drawn; None: no bound on that side), `every_s`
    the pace of readings, `horizon_s` how far ahead trouble counts, `spans_s` over what rates are taken. `threshold` is
    the part of the way from the middle of the band to its bound beyond which a node that has learned nothing is ready.
    `charge_w` and `discharge_w` bound what preparing may use; `before_position` lets it go before a market position.
    `arm` is what a ready node arms by itself. `model` is a file fitted beforehand; `learn` says whether the node learns
    from its own readings.
    """

    against: Trouble
    lowest: float | None
    highest: float
    every_s: int
    horizon_s: int
    spans_s: tuple[int, ...]
    threshold: float
    rules: ReadinessRules
    charge_w: float
    discharge_w: float
    before_position: bool
    arm: Arming | None
    model: str | None
    learn: bool

    @property
    def limit_w(self) -> float | None:
        """What preparing itself may not draw beyond; None where no power is watched."""
        return self.highest if self.against is Trouble.OVERLOAD else None

    def asked(self, preparation: Preparation) -> tuple[Arming, ...]:
        """What a preparation arms: never more than the owner has named."""
        return (self.arm,) if preparation.arm and self.arm is not None else ()


def parse_readiness(
    top: Fields, *, import_limit_w: float, charge_w: float, discharge_w: float, speed: float
) -> ReadinessConfig | None:
    """Read the table `readiness`, if there is one; mistakes are collected in the fields.

    `charge_w` and `discharge_w` are what all batteries can do together, `speed` is the clock's.
    """
    if top.absent("readiness"):
        return None
    table = top.table("readiness")
    against = Trouble(table.choice("against", tuple(each.value for each in Trouble)))
    pace_s, ahead_s, spans_s, usual = USUAL[against]
    lowest, highest = _band(table, against, import_limit_w)
    every_s = table.integer("every_s", 1, 3_600, pace_s)
    config = ReadinessConfig(
        against=against,
        lowest=lowest,
        highest=highest,
        every_s=every_s,
        horizon_s=table.integer("horizon_s", 1, DAY_S, ahead_s),
        spans_s=spans_s if table.absent("spans_s") else table.integers("spans_s", MOST_SPANS, 1, DAY_S),
        threshold=table.number("threshold", 0.0, 1.0, 0.9),
        rules=_rules(table, usual),
        charge_w=table.number("charge_w", 0.0, LARGEST_W, charge_w),
        discharge_w=table.number("discharge_w", 0.0, LARGEST_W, discharge_w),
        before_position=table.flag("before_position", False),
        arm=_arm(table, against),
        model=None if table.absent("model") else table.text("model", 4_096),
        learn=table.flag("learn", True),
    )
    if charge_w == 0:
        table.problem("against", "there is no battery that could be prepared")
    _check_pace(table, config, speed)
    table.close()
    return config


def _band(table: Fields, against: Trouble, import_limit_w: float) -> tuple[float | None, float]:
    if against is Trouble.OVERLOAD:
        return None, table.number("limit_w", 1.0, import_limit_w, import_limit_w)
    lowest = table.number("lowest_hz", 40.0, 70.0, 49.8)
    highest = table.number("highest_hz", 40.0, 70.0, 50.2)
    if lowest >= highest:
        table.problem("lowest_hz", "must be below highest_hz")
    return lowest, highest


def _rules(table: Fields, usual: ReadinessRules) -> ReadinessRules:
    watch, ready = (
        table.number("watch", 1e-6, 1.0, usual.watch),
        table.number("ready", 1e-6, 1.0, usual.ready),
    )
    relax = table.number("relax", 0.01, 1.0, usual.relax)
    hold_s = table.number("hold_s", 0.0, DAY_S, usual.hold_s)
    charge = table.number("charge", 0.0, 1.0, usual.charge_for_overload)
    between = usual.band_for_frequency if table.absent("between") else table.pair("between", 0.0, 1.0)
    if watch > ready:
        table.problem("watch", "must be at most ready")
        return usual
    return ReadinessRules(watch, ready, relax, hold_s, charge, between)


def _arm(table: Fields, against: Trouble) -> Arming | None:
    if table.absent("arm"):
        return None
    if against is not Trouble.FREQUENCY:
        table.problem("arm", "is for against = frequency; nothing is armed against an overload")
    fields = table.table("arm")
    up_w, down_w = fields.number("up_w", 0.0, LARGEST_W, 0.0), fields.number("down_w", 0.0, LARGEST_W, 0.0)
    try:
        curve = read_curve(fields.table("curve"))
    except ServiceError as error:
        fields.problem("service", str(error))
        return None
    if curve.effect is not Effect.ACTIVE_POWER:
        fields.problem("service", f"{curve.name} is not about active power, which is all that can be armed")
    fields.close()
    return Arming(curve, up_w, down_w)


def _check_pace(table: Fields, config: ReadinessConfig, speed: float) -> None:
    every_s = config.every_s
    if every_s < speed:
        table.problem(
            "every_s", f"must be a second of real time or more: {speed:g} at this speed of the clock"
        )
    if config.against is Trouble.OVERLOAD and DAY_S % every_s:
        table.problem(
            "every_s", "must divide a day, 86400 s, because an overload is compared with the day before"
        )
    if config.horizon_s % every_s or not every_s <= config.horizon_s <= LONGEST_HORIZON * every_s:
        table.problem("horizon_s", f"must be 1 to {LONGEST_HORIZON} times every_s")
    spans = config.spans_s
    growing = all(before < after for before, after in pairwise(spans))
    if not growing or any(each % every_s for each in spans) or spans[-1] > LONGEST_MEMORY * every_s:
        table.problem("spans_s", f"must grow, each being 1 to {LONGEST_MEMORY} times every_s")
