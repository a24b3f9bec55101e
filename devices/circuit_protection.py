"""Circuit faults: over-current, short circuit, earth fault and over-temperature disconnect a circuit for good.

A disconnected circuit stays off until somebody releases it, over restarts, too; and it can be released only when
its readings are known and good. This protects beside the circuit's own breaker, never instead of it. Currents in
A, at least 0; times are real time in nanoseconds. Pure: the next state follows from state, readings and time.

Sources. Over-current as a thermal image, between the conventional non-tripping (1.13) and tripping (1.45 times
the rating, within an hour) currents of IEC 60898-1, with its 2.55-fold current tripped within a minute. Short
circuit from the instantaneous band: 5 (B) or 10 (C) times the rating. Earth fault: 30 mA at once, as IEC 61008-1
demands within 300 ms. Conductors: 70 C for PVC, IEC 60364-5-52.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum

from devices.image import CircuitReadings
from devices.leases import Accepted, Answer, Refused

TRIPPING_HEAT = 1.3**2
"""Heat of the thermal image, in the square of the rated current, at which it trips."""
TIME_CONSTANT_S = 130.0
RELEASING_HEAT = 0.8 * TRIPPING_HEAT
BLIND_NS = 5_000_000_000
"""A sensor may be silent for so long before its circuit counts as unprotected."""


class Cause(Enum):
    """Why a circuit was disconnected. BLIND: a sensor that it has does not answer."""

    OVER_CURRENT = "over-current"
    SHORT_CIRCUIT = "short-circuit"
    EARTH_FAULT = "earth-fault"
    OVER_TEMPERATURE = "over-temperature"
    BLIND = "blind"


class Curve(Enum):
    """Instantaneous tripping, in multiples of the rating."""

    B = 5.0
    C = 10.0


@dataclass(frozen=True, slots=True)
class Rating:
    """What a circuit bears. `keeps_when_blind`: it stays on while a sensor is silent, because what hangs on it
    matters more and its own breaker guards it.
    """

    rated_a: float
    curve: Curve = Curve.B
    residual_a: float = 0.03
    limit_c: float = 70.0
    keeps_when_blind: bool = False


@dataclass(frozen=True, slots=True)
class Trip:
    """A disconnection: why, what was seen in words, and when (cell time)."""

    cause: Cause
    text: str
    cell_ns: int


@dataclass(frozen=True, slots=True)
class CircuitState:
    """Thermal image (1 is the heat of the rated current), when it was last good, and the trip that holds."""

    heat: float = 0.0
    real_ns: int | None = None
    known_ns: int | None = None
    trip: Trip | None = None


def protect(
    state: CircuitState, rating: Rating, readings: CircuitReadings, now_ns: int, cell_ns: int, max_age_ns: int
) -> CircuitState:
    """The state after these readings. A trip that holds is never replaced or lifted here."""
    current_a, residual_a, temperature_c = _values(readings, now_ns, max_age_ns)
    passed_s = 0.0 if state.real_ns is None else max(0, now_ns - state.real_ns) / 1e9
    heat = _heated(state.heat, rating, current_a, passed_s)
    complete = _complete(readings, current_a, residual_a, temperature_c)
    known_ns = now_ns if complete or state.known_ns is None else state.known_ns
    after = replace(state, heat=heat, real_ns=max(now_ns, state.real_ns or now_ns), known_ns=known_ns)
    if state.trip is not None:
        return after
    fault = _fault(rating, heat, current_a, residual_a, temperature_c)
    if fault is None and now_ns - known_ns > BLIND_NS and not rating.keeps_when_blind:
        fault = Cause.BLIND, f"a sensor has not answered for {(now_ns - known_ns) / 1e9:.0f} s"
    return after if fault is None else replace(after, trip=Trip(*fault, cell_ns))


def release(
    state: CircuitState, rating: Rating, readings: CircuitReadings, now_ns: int, max_age_ns: int
) -> tuple[CircuitState, Answer]:
    """Connect again, if everything is known and good and the conductors have cooled; else say why not."""
    if state.trip is None:
        return state, Refused("the circuit is not disconnected")
    if not _complete(readings, *_values(readings, now_ns, max_age_ns)):
        return state, Refused("a sensor does not answer")
    judged = protect(replace(state, trip=None), rating, readings, now_ns, 0, max_age_ns)
    if judged.heat > RELEASING_HEAT:
        return state, Refused("the conductors are still hot")
    if judged.trip is not None:
        return state, Refused(f"still {judged.trip.cause.value}: {judged.trip.text}")
    return judged, Accepted()


def _values(
    readings: CircuitReadings, now_ns: int, max_age_ns: int
) -> tuple[float | None, float | None, float | None]:
    """What can be used of the readings: current, current to earth, temperature."""
    fitted = (readings.current_a, readings.residual_a, readings.temperature_c)
    current_a, residual_a, temperature_c = (
        None if each is None else each.usable(now_ns, max_age_ns) for each in fitted
    )
    return current_a, residual_a, temperature_c


def _heated(heat: float, rating: Rating, current_a: float | None, passed_s: float) -> float:
    """The thermal image after a while at one current; an unknown current counts as the tripping one."""
    drives = TRIPPING_HEAT if current_a is None else (current_a / rating.rated_a) ** 2
    return drives + (heat - drives) * math.exp(-passed_s / TIME_CONSTANT_S)


def _complete(
    readings: CircuitReadings, current_a: float | None, residual_a: float | None, temperature_c: float | None
) -> bool:
    return (
        current_a is not None
        and (readings.residual_a is None or residual_a is not None)
        and (readings.temperature_c is None or temperature_c is not None)
    )


def _fault(
    rating: Rating,
    heat: float,
    current_a: float | None,
    residual_a: float | None,
    temperature_c: float | None,
) -> tuple[Cause, str] | None:
    """The gravest fault that the readings show."""
    if current_a is not None and current_a >= rating.curve.value * rating.rated_a:
        return Cause.SHORT_CIRCUIT, f"{current_a:.0f} A on a circuit for {rating.rated_a:g} A"
    if residual_a is not None and residual_a >= rating.residual_a:
        return Cause.EARTH_FAULT, f"{residual_a * 1000:.0f} mA flow to earth"
    if temperature_c is not None and temperature_c >= rating.limit_c:
        return Cause.OVER_TEMPERATURE, f"the conductors have {temperature_c:.0f} C"
    if current_a is not None and heat >= TRIPPING_HEAT:
        return Cause.OVER_CURRENT, f"{current_a:.1f} A too long on a circuit for {rating.rated_a:g} A"
    return None
