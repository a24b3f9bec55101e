"""Shell: `wattswarm devices response`: what a service asks of a unit at a frequency or a voltage."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from devices.errors import ServiceError
from devices.response.response_curve import Effect, Quantity, ResponseCurve, curve_table, response
from devices.response.service_files import find_curve, known_curves

DIGITS = 9
"""Digits behind the point that are shown: a curve is data of three."""
PER_UNIT = {
    Effect.ACTIVE_POWER: "active power per unit of what is armed (mandatory: of the nameplate), injection positive",
    Effect.REACTIVE_POWER: "reactive power per unit of nameplate apparent power, injection positive",
    Effect.ACTIVE_POWER_LIMIT: "the most active power that may be injected, per unit of the nameplate",
}


def response_command(
    service: str | None = None,
    /,
    *,
    hz: float | None = None,
    volt: float | None = None,
    curve: tuple[Path, ...] = (),
    list_services: Annotated[bool, Parameter(name="--list", negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Print the power per unit that a service asks for; injection positive.

    Example: wattswarm devices response fcr-ce --hz 49.9

    Exit status: 0 printed; 1 no such service, a mistake in a curve, or a value out of its range.

    Parameters
    ----------
    service
        A service's name (see --list), or the TOML file of a curve of your own.
    hz
        The frequency in Hz, for services that read frequency.
    volt
        The voltage per unit of the nominal voltage (1.05 is 5 % above it), for services that read voltage.
    curve
        A TOML file with a curve of your own, known by its name from then on; may be repeated.
    list_services
        List every service with its standard instead.
    as_json
        Print one JSON object (a list with --list) instead of text.
    """
    if list_services:
        _list(known_curves(curve).values(), as_json)
        return
    if service is None:
        raise ServiceError(
            "name a service, as in `wattswarm devices response fcr-ce --hz 49.9`, or use --list"
        )
    found = find_curve(service, curve)
    x = _x(found, hz, volt)
    # A sum with zero makes no minus zero.
    power = round(response(found, x), DIGITS) + 0.0
    if as_json:
        answer = {
            "service": found.name,
            "quantity": found.quantity.value,
            "unit": "Hz" if found.quantity is Quantity.FREQUENCY else "pu",
            "x": x,
            "power_pu": power,
            "effect": found.effect.value,
            "dead_band": curve_table(found).get("dead_band"),
            "mandatory": found.mandatory,
            "full_activation_s": found.full_activation_s,
            "source": found.source,
        }
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return
    unit = "Hz" if found.quantity is Quantity.FREQUENCY else "pu"
    sys.stdout.write(f"{power:g}\n")
    sys.stderr.write(f"{found.name} at {x:g} {unit}: {PER_UNIT[found.effect]}. {found.source}\n")


def _x(curve: ResponseCurve, hz: float | None, volt: float | None) -> float:
    """The value that the curve reads. Raises ServiceError when it is not the one that was given."""
    reads_frequency = curve.quantity is Quantity.FREQUENCY
    wanted, other = (hz, volt) if reads_frequency else (volt, hz)
    if wanted is None or other is not None:
        option = "--hz 49.9" if reads_frequency else "--volt 1.05"
        raise ServiceError(
            f"{curve.name}: reads {curve.quantity.value} in {curve.quantity.unit}; "
            f"give it with {option}, and nothing else"
        )
    return wanted


def _list(curves: Iterable[ResponseCurve], as_json: bool) -> None:
    rows = sorted(curves, key=lambda each: each.name)
    if as_json:
        sys.stdout.write(json.dumps([curve_table(each) for each in rows], ensure_ascii=False) + "\n")
        return
    width = max(len(each.name) for each in rows)
    for each in rows:
        sys.stdout.write(f"{each.name:<{width}}  {each.title}\n")
