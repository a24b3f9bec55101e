"""A neighbourhood: measured homes of one place and season, in the integers that the cell works with.

Energies are mWh per interval, powers mW, prices micro-currency per kWh (see market/units.py for the cell's
arithmetic). Measurements are rounded to integers here and nowhere else, by `energy_from_power` and its
siblings: to the nearest, halves to even, from the exact value of the number as stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

NS_PER_S = 1_000_000_000
SECONDS_PER_DAY = 86_400
HISTORY_S = 2 * SECONDS_PER_DAY + 9 * 3_600
"""The longest history, in seconds: two days for forecasters, and the run starts at nine in the morning where the
recording starts at midnight, when the sun is up and there is trade."""
MWH_PER_KWH = 1_000_000
MICRO_PER_UNIT = 1_000_000


class HouseholdError(ValueError):
    """The household data asked for cannot be had: the message says what was asked and what there is."""


@dataclass(frozen=True, slots=True)
class Battery:
    """A simulated battery: usable `energy` (mWh), power both ways (mW), round-trip efficiency per mille."""

    energy: int
    power: int
    efficiency_per_mille: int


CHALLENGE_BATTERY = Battery(energy=6_400_000, power=5_000_000, efficiency_per_mille=900)
"""The battery of the CityLearn challenge 2022: 6.4 kWh, 5 kW, 90 % round trip."""


@dataclass(frozen=True, slots=True)
class Record:
    """One home's measurements: load and solar energy (both >= 0, mWh) per interval; None is a missing
    reading.
    """

    id: str
    load: tuple[int | None, ...]
    pv: tuple[int | None, ...]
    suspect: bool = False

    @property
    def complete(self) -> bool:
        """Whether no reading is missing."""
        return None not in self.load and None not in self.pv


@dataclass(frozen=True, slots=True)
class Home:
    """A chosen home: load and solar energy (both >= 0, mWh) per interval, and its battery if it has one."""

    id: str
    load: tuple[int, ...]
    pv: tuple[int, ...]
    battery: Battery | None


@dataclass(frozen=True, slots=True)
class Prices:
    """The supplier's tariff per interval, micro-currency per kWh, and grid carbon in g/kWh where it is
    known.
    """

    currency: str
    import_price: tuple[int, ...]
    export_price: tuple[int, ...]
    carbon: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything measured at one place in one season, before homes are chosen."""

    source: str
    season: str
    interval_s: int
    first_start_ns: int
    records: tuple[Record, ...]
    prices: Prices

    @property
    def intervals(self) -> int:
        """How many intervals were measured."""
        return len(self.prices.import_price)


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Chosen homes with their tariff.

    The first `history` intervals lie before the run: forecasters may use them. Every tuple of a home and of
    the prices starts at `first_start_ns` (unix ns, a multiple of the interval).
    """

    source: str
    season: str
    interval_s: int
    first_start_ns: int
    history: int
    homes: tuple[Home, ...]
    prices: Prices

    @property
    def start_ns(self) -> int:
        """When the run starts (unix ns): the start of the first interval after the history."""
        return self.first_start_ns + self.history * self.interval_s * NS_PER_S

    @property
    def first_interval(self) -> int:
        """Index of the first interval of the run: unix time divided by the interval length."""
        return self.start_ns // (self.interval_s * NS_PER_S)

    @property
    def run_intervals(self) -> int:
        """How many intervals can be played after the history."""
        return len(self.prices.import_price) - self.history


def choose(recording: Recording, *, homes: int, seed: int, intervals: int) -> Neighbourhood:
    """Picks `homes` complete homes by seed, trustworthy records first; every second one gets a battery.

    Of the recording, `intervals` are left to play; what comes before, up to `HISTORY_S`, is history. The same
    arguments give the same neighbourhood, for ever: the order is by SHA-256 of seed and home. Raises
    HouseholdError when there are not so many intervals or complete homes.
    """
    if not 1 <= intervals <= recording.intervals:
        raise HouseholdError(
            f"{recording.source}: {intervals} intervals asked for, but the recording has {recording.intervals} of"
            f" {recording.interval_s} s; ask for 1 to {recording.intervals}"
        )
    history = min(HISTORY_S // recording.interval_s, recording.intervals - intervals)
    complete = [record for record in recording.records if record.complete]
    if not 1 <= homes <= len(complete):
        raise HouseholdError(
            f"{recording.source}: {homes} homes asked for, but {len(complete)} of {len(recording.records)}"
            f" homes have a complete record in the {recording.season} window; ask for 1 to {len(complete)}"
        )
    chosen = [
        Home(
            id=record.id,
            load=_present(record.load),
            pv=_present(record.pv),
            battery=CHALLENGE_BATTERY if rank % 2 == 0 else None,
        )
        for rank, record in enumerate(ranked(complete, seed)[:homes])
    ]
    return Neighbourhood(
        source=recording.source,
        season=recording.season,
        interval_s=recording.interval_s,
        first_start_ns=recording.first_start_ns,
        history=history,
        homes=tuple(sorted(chosen, key=lambda home: home.id)),
        prices=recording.prices,
    )


def ranked(records: Sequence[Record], seed: int) -> list[Record]:
    """The records in the order in which they are chosen: trustworthy ones first, then complete ones, then by seed."""
    return sorted(records, key=lambda record: (record.suspect, not record.complete, _draw(seed, record.id)))


def energy_from_power(power_kw: float, interval_s: int) -> int:
    """Energy (mWh) of a mean power (kW) over an interval, to the nearest, halves to even."""
    return round(Fraction(power_kw) * interval_s * MWH_PER_KWH / 3600)


def energy_from_kwh(kwh: Fraction) -> int:
    """Energy (mWh) of a number of kWh, to the nearest, halves to even."""
    return round(kwh * MWH_PER_KWH)


def price_from_units(price: float | Fraction) -> int:
    """Price (micro-currency per kWh) of a price per kWh in whole currency, to the nearest, halves to even."""
    return round(Fraction(price) * MICRO_PER_UNIT)


def _draw(seed: int, home: str) -> bytes:
    return sha256(f"{seed}:{home}".encode()).digest()


def _present(readings: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(reading for reading in readings if reading is not None)
