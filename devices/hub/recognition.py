"""What is in a socket or on a circuit: recognised from USB Power Delivery's enumeration, or from its power trace.

Power drawn is positive, W. A device is named only when exactly one signature fits; otherwise it is unknown, and
nothing is done to what is unknown.

Sources. Traces: on-thresholds, largest powers and shortest on-times of the UK-DALE homes, Kelly and Knottenbelt,
"Neural NILM", BuildSys 2015, table 4 (kettle, fridge, washing machine, microwave, dishwasher), widened to what
data sheets of such devices name. Enumeration: USB Power Delivery 3.1, Discover Identity (product types) and
Sink_Capabilities_Extended (maximum power, battery).
"""

from dataclasses import dataclass
from enum import Enum

from devices.hub.demand import NS_PER_S, Sample


class DeviceKind(Enum):
    """What a device is taken for."""

    LAPTOP = "laptop"
    PHONE = "phone"
    TABLET = "tablet"
    MONITOR = "monitor"
    DOCK = "dock"
    PERIPHERAL = "peripheral"
    NETWORK = "network equipment"
    LIGHT = "light"
    FRIDGE = "fridge"
    KETTLE = "kettle"
    MICROWAVE = "microwave"
    DISHWASHER = "dishwasher"
    WASHING_MACHINE = "washing machine"
    HEATER = "heater"
    CAR = "car"
    UNKNOWN = "unknown"


class UsbProduct(Enum):
    """Product types of an upstream-facing port in Discover Identity; NONE where it did not answer."""

    NONE = 0
    HUB = 1
    PERIPHERAL = 2
    POWER_SUPPLY = 3


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """What a device says of itself when it is plugged in: product type, most power as a sink, own battery."""

    product: UsbProduct
    most_w: float
    battery: bool


@dataclass(frozen=True, slots=True)
class Recognised:
    """A device's kind, and in words why."""

    kind: DeviceKind
    why: str


@dataclass(frozen=True, slots=True)
class Features:
    """A trace in a few numbers: mean while on and highest power, part of the time on, lengths of runs in minutes
    (median on, and off between), how uneven the power is within runs (highest over mean), and whether it falls
    through a run (last third over first).
    """

    on_w: float
    peak_w: float
    duty: float
    on_minutes: float
    off_minutes: float
    unevenness: float
    fall: float
    runs: int


@dataclass(frozen=True, slots=True)
class Signature:
    """Limits of every feature that a kind keeps."""

    kind: DeviceKind
    on_w: tuple[float, float]
    peak_w: tuple[float, float]
    duty: tuple[float, float]
    on_minutes: tuple[float, float]
    unevenness: tuple[float, float]
    fall: tuple[float, float]

    def fits(self, features: Features) -> bool:
        """Whether every feature is within its limits."""
        limits = ("on_w", "peak_w", "duty", "on_minutes", "unevenness", "fall")
        return all(
            getattr(self, name)[0] <= getattr(features, name) <= getattr(self, name)[1] for name in limits
        )


ANY = (0.0, 1e9)
SIGNATURES = (
    Signature(DeviceKind.NETWORK, (3, 30), (3, 35), (0.98, 1.0), ANY, (1.0, 1.3), (0.85, 1.15)),
    Signature(DeviceKind.FRIDGE, (40, 200), (50, 1000), (0.15, 0.7), (5, 60), (1.0, 8.0), (0.6, 1.15)),
    Signature(DeviceKind.KETTLE, (1200, 3100), (1500, 3200), (0.0, 0.1), (0.2, 8), (1.0, 1.4), (0.8, 1.2)),
    Signature(DeviceKind.MICROWAVE, (300, 1700), (600, 3000), (0.0, 0.1), (0.2, 20), (1.4, 6.0), ANY),
    Signature(DeviceKind.DISHWASHER, (300, 1100), (1500, 2500), (0.0, 0.35), (60, 200), (2.0, 9.0), ANY),
    Signature(DeviceKind.WASHING_MACHINE, (100, 299), (1500, 2500), (0.0, 0.35), (30, 180), (5.0, 30.0), ANY),
    Signature(DeviceKind.HEATER, (500, 3500), (500, 3600), (0.1, 0.95), (8, 120), (1.0, 1.15), (0.9, 1.1)),
    Signature(
        DeviceKind.CAR, (1300, 22_500), (1300, 22_500), (0.03, 0.6), (121, 1440), (1.0, 1.3), (0.3, 1.05)
    ),
    Signature(DeviceKind.LAPTOP, (15, 140), (20, 240), (0.02, 0.9), (20, 240), (1.15, 5.0), (0.05, 0.8)),
    Signature(DeviceKind.PHONE, (2, 14), (4, 30), (0.02, 0.6), (20, 240), (1.15, 6.0), (0.05, 0.8)),
    Signature(DeviceKind.MONITOR, (15, 70), (15, 90), (0.05, 0.8), (61, 720), (1.0, 1.3), (0.9, 1.1)),
)
"""A light draws as a monitor does, steadily and for hours: from a trace alone neither is told from the other, so
what is on a lighting circuit is told by its circuit.
"""
SHORTEST_NS = 6 * 3600 * NS_PER_S
"""Less of a trace says too little."""
FEWEST_SAMPLES = 100


def by_enumeration(identity: UsbIdentity) -> Recognised:
    """The kind that enumeration tells. Power alone decides between devices with batteries, as chargers sell."""
    if identity.product is UsbProduct.HUB:
        return Recognised(DeviceKind.DOCK, "it says that it is a hub")
    watts = f"asks for up to {identity.most_w:g} W"
    if identity.battery:
        if identity.most_w > 45:
            return Recognised(DeviceKind.LAPTOP, f"has a battery and {watts}")
        kind = DeviceKind.TABLET if identity.most_w > 27 else DeviceKind.PHONE
        return Recognised(kind, f"has a battery and {watts}")
    if identity.product is UsbProduct.PERIPHERAL and identity.most_w <= 15:
        return Recognised(DeviceKind.PERIPHERAL, f"says that it is a peripheral and {watts}")
    if identity.product is not UsbProduct.POWER_SUPPLY and 15 < identity.most_w <= 140:
        return Recognised(DeviceKind.MONITOR, f"has no battery and {watts}")
    return Recognised(DeviceKind.UNKNOWN, f"nothing that is known {watts} without a battery")


def by_trace(trace: tuple[Sample, ...]) -> Recognised:
    """The kind whose signature alone fits the trace's features."""
    features = features_of(trace)
    if features is None:
        return Recognised(DeviceKind.UNKNOWN, "too little is known of its power")
    fitting = [signature.kind for signature in SIGNATURES if signature.fits(features)]
    why = (
        f"{features.on_w:.0f} W while on, {features.peak_w:.0f} W at most, "
        f"on {features.duty:.0%} of the time, {features.on_minutes:.0f} minutes at once"
    )
    if len(fitting) == 1:
        return Recognised(fitting[0], why)
    return Recognised(DeviceKind.UNKNOWN, f"{why}; fits {len(fitting)} kinds")


def features_of(trace: tuple[Sample, ...]) -> Features | None:
    """The features of a trace; None when it is short, or never on."""
    known = [(sample.cell_ns, sample.drawn_w) for sample in trace if sample.drawn_w is not None]
    if len(known) < FEWEST_SAMPLES or known[-1][0] - known[0][0] < SHORTEST_NS:
        return None
    powers = sorted(power for _, power in known)
    peak_w = powers[round(0.999 * (len(powers) - 1))]
    threshold_w = max(1.0, min(0.1 * peak_w, 50.0))
    runs = _runs(known, threshold_w)
    on = [run for run in runs if run[0][1] >= threshold_w]
    off = [run for run in runs if run[0][1] < threshold_w]
    if not on:
        return None
    drawn = [power for run in on for _, power in run]
    on_w = sum(drawn) / len(drawn)
    highest = sorted(drawn)[round(0.99 * (len(drawn) - 1))]
    return Features(
        on_w=on_w,
        peak_w=peak_w,
        duty=len(drawn) / len(known),
        on_minutes=_median([_minutes(run, known) for run in on]),
        off_minutes=_median([_minutes(run, known) for run in off]) if off else 0.0,
        unevenness=highest / on_w,
        fall=_median([_fall(run) for run in on]),
        runs=len(on),
    )


Run = list[tuple[int, float]]


def _runs(known: Run, threshold_w: float) -> list[Run]:
    """Cut a trace where it passes the threshold."""
    runs: list[Run] = []
    for sample in known:
        if runs and (runs[-1][-1][1] >= threshold_w) == (sample[1] >= threshold_w):
            runs[-1].append(sample)
        else:
            runs.append([sample])
    return runs


def _minutes(run: Run, known: Run) -> float:
    """Length of a run; the last sample lasts as long as samples do on average."""
    spacing_ns = (known[-1][0] - known[0][0]) / (len(known) - 1)
    return (run[-1][0] - run[0][0] + spacing_ns) / NS_PER_S / 60


def _fall(run: Run) -> float:
    """Mean of the last third of a run over that of its first; 1 for a run too short to fall."""
    third = len(run) // 3
    if third == 0:
        return 1.0
    first = sum(power for _, power in run[:third])
    return sum(power for _, power in run[-third:]) / first if first > 0 else 1.0


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
