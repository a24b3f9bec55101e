"""Scenario: what acting on foreseen overloads is worth to a home, against not acting and against being always full.

A measured home, minute by minute, with a limit on what it draws and the node's own dispatch stack: layer 5 holds the
limit while the battery holds energy above its reserve. Without a sun a battery in self-consumption is at its reserve
when an overload comes; one that is always kept full is free for nothing else. Between the two: a node that charges when
it is ready, by the configured threshold alone, or with what it has learned from its own readings so far.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from devices.control.readiness_control import LEARN_EVERY
from devices.dispatch.dispatch import DispatchInput, NetToZero, dispatch
from devices.limits import PowerRange
from devices.power.preparing import Preparing
from devices.power.reserve import BatteryInput
from devices.prediction.experience import Predictor, Shape, learned, untaught
from devices.prediction.foresight import NS_PER_S, Foresight
from devices.prediction.readiness import Level, Readiness, Trouble, next_readiness, preparation
from devices.prediction.readiness_config import USUAL, ReadinessConfig
from sim.grid.result import Chart, Figure, Result
from sim.grid.system import Floats

LIMIT_W, BATTERY_W, CAPACITY_WH, RESERVE, EFFICIENCY = 5_000.0, 3_000.0, 5_000.0, 0.2, 0.95
CHARGE_W = 1_500.0
"""How fast a ready node charges: no faster than a home's wiring is used to."""
MINUTE_S = 60
LEARNING_PART = 0.25
"""Of the record: it is played and not counted, so that what is learned has begun."""
ALWAYS = Preparing(0.9, 1.0, CHARGE_W, BATTERY_W, LIMIT_W)


@dataclass(frozen=True, slots=True)
class Played:
    """What one way of acting made of a record: per minute what the home drew, what was stored, and whether held."""

    drawn_w: Floats
    stored_wh: Floats
    held: Floats
    predictor: Predictor | None = None


Acting = Callable[[float | None, int], Preparing | None]
"""From the load of the minute that has passed, and its number, to what is prepared now."""


class Ready:
    """A node that acts on what it foresees; with `learns` it learns as control does."""

    def __init__(self, *, learns: bool) -> None:
        pace_s, ahead_s, spans_s, rules = USUAL[Trouble.OVERLOAD]
        self._config = ReadinessConfig(
            Trouble.OVERLOAD, None, LIMIT_W, pace_s, ahead_s, spans_s, 0.9, rules,
            CHARGE_W, BATTERY_W, False, None, None, learns,
        )  # fmt: skip
        self._shape = Shape.of(self._config)
        self.foresight = Foresight(self._shape, untaught(self._config))
        self._held = Readiness()
        self._taken = 0

    def __call__(self, load_w: float | None, minute: int) -> Preparing | None:
        """What is prepared now."""
        foresight = self.foresight
        if foresight.take(load_w, minute * MINUTE_S * NS_PER_S):
            self._held = next_readiness(
                self._held, foresight.probability, float(MINUTE_S), self._config.rules
            )
            self._taken += 1
            if self._config.learn and self._taken % LEARN_EVERY == 0:
                foresight.predictor = learned(
                    foresight.readings, foresight.first, self._shape, foresight.predictor
                )
        asked = preparation(self._held.level, Trouble.OVERLOAD, self._config.rules)
        if asked.charge is None or self._held.level is Level.REST:
            return None
        return Preparing(*asked.charge, CHARGE_W, BATTERY_W, LIMIT_W)


def preparing(home_w: Floats) -> Result:
    """Play the record four times. Raises ValueError for one in which the limit is never passed."""
    counted = slice(round(LEARNING_PART * home_w.size), None)
    if not (home_w[counted] > LIMIT_W).any():
        raise ValueError("the home never draws more than its limit")
    ready = {"threshold": Ready(learns=False), "learned": Ready(learns=True)}
    played = {
        "not acting": play(home_w, lambda load_w, minute: None),
        "always full": play(home_w, lambda load_w, minute: ALWAYS),
        **{name: play(home_w, each) for name, each in ready.items()},
    }
    rows = tuple(_row(name, each, counted) for name, each in played.items())
    proven = ready["learned"].foresight.predictor.model is not None
    return Result(
        scenario="preparation",
        title="Overloads of a home met prepared: a battery that charges in time, against one that does not",
        assumptions={
            "limit_kw": LIMIT_W / 1000,
            "battery_kwh": CAPACITY_WH / 1000,
            "battery_kw": BATTERY_W / 1000,
            "charges_with_kw": CHARGE_W / 1000,
            "reserve": RESERVE,
            "horizon_min": USUAL[Trouble.OVERLOAD][1] // 60,
            "days_counted": round(home_w[counted].size / 1440, 1),
            "model_proved_itself": proven,
            "data": "UCI 235 (CC BY 4.0)",
        },
        rows=rows,
        checks={
            "no reserve was touched": all(
                float(each.stored_wh.min()) >= RESERVE * CAPACITY_WH - 1e-6 for each in played.values()
            ),
            "preparing never drew beyond the limit": all(
                bool((each.drawn_w <= np.maximum(np.nan_to_num(home_w), LIMIT_W) + 1e-6).all())
                for each in played.values()
            ),
            "acting never leaves more above the limit than not acting": all(
                float(str(row["excess_kwh"])) <= float(str(rows[0]["excess_kwh"])) for row in rows
            ),
        },
        charts=(
            Chart(
                "What is stored",
                "day",
                "kWh",
                tuple(
                    (name, np.arange(0, home_w.size, 15) / 1440, each.stored_wh[::15] / 1000)
                    for name, each in played.items()
                ),
            ),
        ),
    )


def play(home_w: Floats, acting: Acting) -> Played:
    """One way of acting, minute by minute. A minute without a reading is not known, and drawn as if it were nothing."""
    stored_wh = RESERVE * CAPACITY_WH
    drawn, stored, held = (np.zeros(home_w.size) for _ in range(3))
    for minute in range(home_w.size):
        load_w = None if np.isnan(home_w[minute]) else float(home_w[minute])
        prepared = acting(load_w, minute)
        power_w = _decided_w(load_w, stored_wh, prepared)
        moved_wh = power_w * MINUTE_S / 3600
        stored_wh -= moved_wh / EFFICIENCY if power_w > 0 else moved_wh * EFFICIENCY
        drawn[minute] = (load_w or 0.0) - power_w
        stored[minute], held[minute] = stored_wh, prepared is not None
    return Played(drawn, stored, held)


def _decided_w(load_w: float | None, stored_wh: float, prepared: Preparing | None) -> float:
    battery = BatteryInput(
        "battery",
        -BATTERY_W,
        BATTERY_W,
        CAPACITY_WH,
        EFFICIENCY,
        EFFICIENCY,
        RESERVE * CAPACITY_WH,
        0.0,
        stored_wh,
    )
    known = PowerRange(0.0, 0.0) if load_w is None else PowerRange(-load_w, -load_w)
    inputs = DispatchInput(
        locked=False,
        curtailed=False,
        batteries=(battery,),
        pv=(),
        load=known,
        batteries_w=0.0,
        connection=PowerRange(-LIMIT_W, LIMIT_W),
        wish=NetToZero(),
        horizon_s=float(MINUTE_S),
        preparing=prepared,
    )
    return dispatch(inputs).power_w


def _row(name: str, played: Played, counted: slice) -> dict[str, Figure]:
    over_w = np.maximum(0.0, played.drawn_w[counted] - LIMIT_W)
    charged_wh = np.maximum(0.0, np.diff(played.stored_wh[counted])).sum()
    return {
        "acting": name,
        "minutes_over": int((over_w > 1.0).sum()),
        "excess_kwh": round(float(over_w.sum()) / 60_000, 3),
        "time_held": round(float(played.held[counted].mean()), 3),
        "charged_kwh": round(float(charged_wh) / 1000, 1),
    }
