"""Response curves as data: per-unit power against frequency or voltage, and the one function that evaluates them.

Per unit of what is armed (a service) or of the nameplate (a mandatory droop); injection positive. Frequency in
Hz, voltage per unit of the nominal voltage.
"""

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from devices.errors import ServiceError
from devices.fields import Fields

MOST_POINTS = 64
LARGEST_X = 1_000.0
LONGEST_S = 86_400.0


class Quantity(Enum):
    """What a curve reads."""

    FREQUENCY = "frequency"
    VOLTAGE = "voltage"
    REQUEST = "request"
    """Nothing: the service is called by requests. No file has such a curve, see `requested_curve`."""

    @property
    def unit(self) -> str:
        """The unit of x in words."""
        return "Hz" if self is Quantity.FREQUENCY else "per unit of nominal voltage"


class Effect(Enum):
    """What a curve's value does: an offset of active power, reactive power, or the most active power injected."""

    ACTIVE_POWER = "active-power"
    REACTIVE_POWER = "reactive-power"
    ACTIVE_POWER_LIMIT = "active-power-limit"


@dataclass(frozen=True, slots=True)
class Band:
    """From `lowest` to `highest`, both included."""

    lowest: float
    highest: float

    def holds(self, x: float) -> bool:
        """Whether `x` lies inside."""
        return self.lowest <= x <= self.highest


@dataclass(frozen=True, slots=True)
class Point:
    """One corner of a curve: at `x` the power is `power` per unit, injection positive."""

    x: float
    power: float


@dataclass(frozen=True, slots=True)
class ResponseCurve:
    """A service's steady-state response.

    Straight lines join the points (x never falls; two points of the same x are a jump), and beyond the first
    and the last the curve goes on level. Inside `dead_band` it is zero, whatever the points say. `valid` is
    where x is plausible at all. `mandatory` marks what a connection rule demands without arming.
    `full_activation_s` is the time to full delivery, `duration_s` how long an energy-limited unit must sustain
    it (0: the rule names no time). `source` cites the standard.
    """

    name: str
    title: str
    quantity: Quantity
    effect: Effect
    valid: Band
    dead_band: Band | None
    points: tuple[Point, ...]
    mandatory: bool
    full_activation_s: float
    duration_s: float
    source: str
    aliases: tuple[str, ...]


def response(curve: ResponseCurve, x: float) -> float:
    """The power per unit at `x`, injection positive. Raises ServiceError where `x` is not plausible.

    At a jump the stronger response holds.
    """
    if not curve.valid.holds(x):
        raise ServiceError(
            f"{curve.name}: {x:g} is out of range: {curve.quantity.value} from {curve.valid.lowest:g} to "
            f"{curve.valid.highest:g} {curve.quantity.unit}"
        )
    if curve.dead_band is not None and curve.dead_band.holds(x):
        return 0.0
    points = curve.points
    here = [point.power for point in points if point.x == x]
    if here:
        return max(here, key=abs)
    if x < points[0].x:
        return points[0].power
    for left, right in pairwise(points):
        if left.x < x < right.x:
            return left.power + (right.power - left.power) * (x - left.x) / (right.x - left.x)
    return points[-1].power


def parse_curve(source: object, path: str = "") -> ResponseCurve:
    """A curve from decoded TOML. Raises ServiceError with every mistake, one a line, `path` before each."""
    problems: list[str] = []
    curve = read_curve(Fields.of(source, path, problems))
    if problems:
        raise ServiceError("\n".join(problems))
    return curve


def read_curve(fields: Fields) -> ResponseCurve:
    """A curve from the fields of a table; mistakes go to the fields' problems."""
    valid = Band(*fields.pair("valid", -LARGEST_X, LARGEST_X))
    dead_band = (
        None if fields.absent("dead_band") else Band(*fields.pair("dead_band", valid.lowest, valid.highest))
    )
    points = tuple(Point(x, power) for x, power in fields.pairs("points", MOST_POINTS, LARGEST_X))
    curve = ResponseCurve(
        name=fields.text("name", 64),
        title=fields.text("title", 200),
        quantity=Quantity(fields.choice("quantity", (Quantity.FREQUENCY.value, Quantity.VOLTAGE.value))),
        effect=Effect(
            fields.choice("effect", tuple(each.value for each in Effect), Effect.ACTIVE_POWER.value)
        ),
        valid=valid,
        dead_band=dead_band,
        points=points,
        mandatory=fields.flag("mandatory", False),
        full_activation_s=fields.number("full_activation_s", 0.0, LONGEST_S),
        duration_s=fields.number("duration_s", 0.0, LONGEST_S, 0.0),
        source=fields.text("source", 900),
        aliases=fields.texts("aliases", 32, 64),
    )
    if any(later.x < earlier.x for earlier, later in pairwise(points)):
        fields.problem("points", "x must never fall from one point to the next")
    if any(abs(point.power) > 1 for point in points):
        fields.problem("points", "power is per unit, from -1 to 1")
    fields.close()
    return curve


def requested_curve(name: str, duration_s: float) -> ResponseCurve:
    """The curve of a service that a dso calls by requests: by itself it never asks for anything."""
    return ResponseCurve(
        name=name,
        title="called by requests",
        quantity=Quantity.REQUEST,
        effect=Effect.ACTIVE_POWER,
        valid=Band(0.0, 0.0),
        dead_band=None,
        points=(Point(0.0, 0.0),),
        mandatory=False,
        full_activation_s=0.0,
        duration_s=duration_s,
        source="the cell's dso",
        aliases=(),
    )


def curve_table(curve: ResponseCurve) -> dict[str, object]:
    """The table that `read_curve` reads back as this curve."""
    table: dict[str, object] = {
        "name": curve.name,
        "title": curve.title,
        "quantity": curve.quantity.value,
        "effect": curve.effect.value,
        "valid": [curve.valid.lowest, curve.valid.highest],
        "points": [[point.x, point.power] for point in curve.points],
        "mandatory": curve.mandatory,
        "full_activation_s": curve.full_activation_s,
        "duration_s": curve.duration_s,
        "source": curve.source,
        "aliases": list(curve.aliases),
    }
    if curve.dead_band is not None:
        table["dead_band"] = [curve.dead_band.lowest, curve.dead_band.highest]
    return table
