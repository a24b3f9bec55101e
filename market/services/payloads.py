"""What members say about grid services: a dso's terms, a member's arming, its report, and a dso's request.

Power is mW, energy mWh, prices µ/kWh; up is injecting more, down withdrawing more. The interval of the entry is
the first one that terms or an arming hold for, the one a report is about, and the one in which a request begins.
Encoding checks as decoding does; both raise `MalformedPayload`, and a decoded payload encodes to what it came from.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ledger.encoding import Value
from ledger.limits import ID_BYTES
from market.errors import MalformedPayload
from market.rules import MAX_POWER_MW
from market.units import MAX_PRICE, MAX_QUANTITY

PPM: Final = 1_000_000
NAME_BYTES: Final = 48
"""Of a service's name: the longest of the package's own has 28."""
LATEST_INTERVAL: Final = 2**62
LONGEST_REQUEST_S: Final = 86_400
"""A request lasts a day at most: what is asked for longer is a limit or a tariff."""
MOST_HOPS: Final = 4096

_NAME_CHARACTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")


class Cause(IntEnum):
    """Why a dso asks."""

    FREQUENCY = 1
    VOLTAGE = 2
    DEMAND_SURGE = 3
    PEAK = 4


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """What a dso buys from an interval on, and pays for itself; with nothing bought the service ends.

    `requested` services are called by requests, the others respond by their curve on what members measure.
    `up_mw` and `down_mw` are the most that is bought in an interval. Capacity prices are for a kW that is armed
    for an hour, energy prices for a kWh that was activated: what the member gets (negative: pays) for it.
    """

    name: bytes
    requested: bool
    up_mw: int
    down_mw: int
    up_price: int
    down_price: int
    up_energy_price: int
    down_energy_price: int

    def __post_init__(self) -> None:
        _name(self.name)
        _power(self.up_mw, "up_mw")
        _power(self.down_mw, "down_mw")
        for price, name in ((self.up_price, "up_price"), (self.down_price, "down_price")):
            _within(price, 0, MAX_PRICE, name)
        for price, name in (
            (self.up_energy_price, "up_energy_price"),
            (self.down_energy_price, "down_energy_price"),
        ):
            _within(price, -MAX_PRICE, MAX_PRICE, name)


@dataclass(frozen=True, slots=True)
class ArmedCapacity:
    """What a member arms for a service up to and with interval `last`; replaces what it armed before.

    Without power either way it disarms.
    """

    name: bytes
    last: int
    up_mw: int
    down_mw: int

    def __post_init__(self) -> None:
        _name(self.name)
        _within(self.last, 0, LATEST_INTERVAL, "last")
        _power(self.up_mw, "up_mw")
        _power(self.down_mw, "down_mw")


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What a member's control saw of a service in an interval that is over.

    `available_ppm`: the part of the interval in which all that is armed could have been delivered and sustained,
    in millionths. `asked` is the energy that the service asked of what is armed, `delivered` what was given of it.
    """

    name: bytes
    available_ppm: int
    asked_up: int = 0
    asked_down: int = 0
    delivered_up: int = 0
    delivered_down: int = 0

    def __post_init__(self) -> None:
        _name(self.name)
        _within(self.available_ppm, 0, PPM, "available_ppm")
        _within(self.asked_up, 0, MAX_QUANTITY, "asked_up")
        _within(self.asked_down, 0, MAX_QUANTITY, "asked_down")
        _within(self.delivered_up, 0, self.asked_up, "delivered_up")
        _within(self.delivered_down, 0, self.asked_down, "delivered_down")


class Sharing(IntEnum):
    """How members share a request: in proportion to headroom, or so that their states of charge come together."""

    PROPORTIONAL = 0
    EQUALISED = 1


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A dso's call: so much power (positive up, negative down) from `start_ns` (cell time) on, for `duration_s`.

    `branch` is the branch at which it is needed, and all below it count; None: the whole cell. With `reach` those
    count whose branch is at most so many hops of the feeder away instead. `sharing`: who gives how much of it.
    """

    name: bytes
    cause: Cause
    power_mw: int
    start_ns: int
    duration_s: int
    branch: int | None = None
    reach: int | None = None
    sharing: Sharing = Sharing.PROPORTIONAL

    def __post_init__(self) -> None:
        _name(self.name)
        _within(self.power_mw, -MAX_POWER_MW, MAX_POWER_MW, "power_mw")
        if self.power_mw == 0:
            raise MalformedPayload("power_mw must not be zero")
        _within(self.start_ns, 0, 2**63 - 1 - LONGEST_REQUEST_S * 10**9, "start_ns")
        _within(self.duration_s, 1, LONGEST_REQUEST_S, "duration_s")
        if self.branch is not None:
            _within(self.branch, 0, 2**31, "branch")
        if self.reach is not None:
            _within(self.reach, 0, MOST_HOPS, "reach")
            if self.branch is None:
                raise MalformedPayload("reach is counted from a branch")

    @property
    def end_ns(self) -> int:
        """The cell time at which it ends."""
        return self.start_ns + self.duration_s * 10**9


def encode_terms(terms: ServiceTerms) -> tuple[Value, ...]:
    """Payload of a SERVICE_TERMS entry."""
    return (
        terms.name,
        int(terms.requested),
        terms.up_mw,
        terms.down_mw,
        terms.up_price,
        terms.down_price,
        terms.up_energy_price,
        terms.down_energy_price,
    )


def decode_terms(payload: tuple[Value, ...]) -> ServiceTerms:
    """The terms of a SERVICE_TERMS payload."""
    match payload:
        case (bytes(name), 0 | 1 as requested, *numbers) if len(numbers) == 6:
            return ServiceTerms(name, bool(requested), *_integers(numbers))
    raise MalformedPayload("terms have a name, 0 or 1, and six integers")


def encode_armed(armed: ArmedCapacity) -> tuple[Value, ...]:
    """Payload of an ARMING entry."""
    return (armed.name, armed.last, armed.up_mw, armed.down_mw)


def decode_armed(payload: tuple[Value, ...]) -> ArmedCapacity:
    """The arming of an ARMING payload."""
    match payload:
        case (bytes(name), int(last), int(up_mw), int(down_mw)):
            return ArmedCapacity(name, last, up_mw, down_mw)
    raise MalformedPayload("an arming has a name, a last interval and two powers")


def encode_report(report: ServiceReport) -> tuple[Value, ...]:
    """Payload of a SERVICE_REPORT entry."""
    return (
        report.name,
        report.available_ppm,
        report.asked_up,
        report.asked_down,
        report.delivered_up,
        report.delivered_down,
    )


def decode_report(payload: tuple[Value, ...]) -> ServiceReport:
    """The report of a SERVICE_REPORT payload."""
    match payload:
        case (bytes(name), *numbers) if len(numbers) == 5:
            return ServiceReport(name, *_integers(numbers))
    raise MalformedPayload("a report has a name and five integers")


def encode_request(request: ServiceRequest) -> tuple[Value, ...]:
    """Payload of a REQUEST entry."""
    return (
        request.name,
        int(request.cause),
        request.power_mw,
        request.start_ns,
        request.duration_s,
        request.branch,
        request.reach,
        # One that is shared in proportion is written as it was before there was another way.
        *((int(request.sharing),) if request.sharing else ()),
    )


def decode_request(payload: tuple[Value, ...]) -> ServiceRequest:
    """The request of a REQUEST payload."""
    match payload:
        case (
            bytes(name),
            int(cause),
            int(power_mw),
            int(start_ns),
            int(duration_s),
            (int() | None) as branch,
            (int() | None) as reach,
            *more,
        ):
            if cause not in set(Cause):
                raise MalformedPayload(f"{cause} is no cause of a request")
            if more not in ([], [int(Sharing.EQUALISED)]):
                raise MalformedPayload("the eighth field of a request is 1 where there is one")
            sharing = Sharing.EQUALISED if more else Sharing.PROPORTIONAL
            return ServiceRequest(name, Cause(cause), power_mw, start_ns, duration_s, branch, reach, sharing)
    raise MalformedPayload("a request has a name, a cause, power, start, duration, branch and reach")


def encode_withdrawal(request: bytes) -> tuple[Value, ...]:
    """Payload of a WITHDRAWAL entry: the id of the request's entry, which ends at the time of this one."""
    if len(request) != ID_BYTES:
        raise MalformedPayload(f"a request is named by the {ID_BYTES} bytes of its entry's id")
    return (request,)


def decode_withdrawal(payload: tuple[Value, ...]) -> bytes:
    """The id of the request that a WITHDRAWAL payload withdraws."""
    match payload:
        case (bytes(request),) if len(request) == ID_BYTES:
            return request
    raise MalformedPayload("a withdrawal has the id of a request")


def _integers(values: list[Value]) -> list[int]:
    found = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if len(found) < len(values):
        raise MalformedPayload("a number is no integer")
    return found


def _name(name: bytes) -> None:
    if not 1 <= len(name) <= NAME_BYTES or not _NAME_CHARACTERS.issuperset(name):
        raise MalformedPayload(f"a service is named by 1 to {NAME_BYTES} of a to z, 0 to 9 and -")


def _power(power_mw: int, name: str) -> None:
    _within(power_mw, 0, MAX_POWER_MW, name)


def _within(value: int, lowest: int, highest: int, name: str) -> None:
    if not lowest <= value <= highest:
        raise MalformedPayload(f"{name} must be within {lowest}..{highest}, not {value}")
