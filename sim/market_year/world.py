"""The homes, days and prices of one simulated year, as indices into what was measured.

Energies are mWh per interval, prices µ/kWh. Nothing is copied per home and day: a home has a record, and each simulated
day has a recorded day for the weather (solar and prices, the same for all homes) and one per home for the load. So a
thousand homes over a year take little more memory than the recording.

A recording that is long enough is played as it is. Two weeks in summer and two in winter become a year by drawing weeks
(`resampled`): the year begins on a Monday, week by week the season is drawn with a probability for summer that swings
from 0 at the winter solstice to 1 at the summer solstice, and of the two recorded weeks of that season one is drawn; a
weekday is always played by the same weekday. Homes beyond the number of records are copies of them in turn: a copy has
the solar of the day, and its load day by day from a drawn recorded day of the same season and kind (working day or
weekend), so that copies do not rise and fall as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi

import numpy as np
import numpy.typing as npt

from sim.homes.neighbourhood import NS_PER_S, SECONDS_PER_DAY, HouseholdError, Record, Recording, ranked

IntArray = npt.NDArray[np.int64]

DAYS_PER_YEAR = 365
MOST_MISSING = 0.01
"""Of a home's readings: a year has a few outages, and a home should not be left out for them."""
DAYS_PER_WEEK = 7
FIRST_WEEKEND_DAY = 5
DAYS_FROM_SOLSTICE = 10
"""From the winter solstice to the first of January."""
EPOCH_WEEKDAY = 3
"""The first of January 1970 was a Thursday; Monday is 0."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What is played: `homes` homes over `days` days of `day` intervals each.

    load, pv: what was measured, by record and recorded interval, both >= 0.
    record: the record of each home; `names` are the homes' names.
    import_price, export_price, carbon: by recorded interval; carbon in g/kWh, None where it is not known.
    weather_day: the recorded day that each simulated day takes solar and prices from.
    load_day: the recorded day of the load, by home and simulated day.
    battery: which homes have one.
    """

    source: str
    currency: str
    interval_s: int
    day: int
    names: tuple[str, ...]
    load: IntArray
    pv: IntArray
    record: IntArray
    import_price: IntArray
    export_price: IntArray
    carbon: IntArray | None
    weather_day: IntArray
    load_day: npt.NDArray[np.int16]
    battery: npt.NDArray[np.bool_]

    @property
    def homes(self) -> int:
        """How many homes are played."""
        return len(self.record)

    @property
    def days(self) -> int:
        """How many days are played."""
        return len(self.weather_day)

    @property
    def intervals(self) -> int:
        """How many intervals are played."""
        return self.days * self.day

    def recorded(self, interval: int) -> int:
        """The recorded interval whose prices and solar the simulated one has."""
        return int(self.weather_day[interval // self.day]) * self.day + interval % self.day

    def load_of(self, interval: int) -> IntArray:
        """The load of every home, mWh, >= 0."""
        days = self.load_day[:, interval // self.day].astype(np.int64)
        load: IntArray = self.load[self.record, days * self.day + interval % self.day]
        return load

    def pv_of(self, interval: int) -> IntArray:
        """The solar energy of every home, mWh, >= 0."""
        pv: IntArray = self.pv[self.record, self.recorded(interval)]
        return pv

    def surplus_of(self, interval: int) -> IntArray:
        """Solar less load of every home, mWh: positive is injected."""
        return self.pv_of(interval) - self.load_of(interval)

    def prices_of(self, interval: int) -> tuple[int, int]:
        """Import and export price of the supplier."""
        recorded = self.recorded(interval)
        return int(self.import_price[recorded]), int(self.export_price[recorded])


def estimated(recording: Recording) -> tuple[Recording, int]:
    """The recording with single missing readings estimated, and how many were.

    An estimate is the latest reading before, as in a cell's settlement, or the first one where there is none before.
    Homes that miss more than `MOST_MISSING` of their readings stay as they are: incomplete, and not chosen.
    """
    records, count = [], 0
    for record in recording.records:
        missing = record.load.count(None) + record.pv.count(None)
        if 0 < missing <= MOST_MISSING * recording.intervals:
            record = replace(record, load=_filled(record.load), pv=_filled(record.pv))
            count += missing
        records.append(record)
    return replace(recording, records=tuple(records)), count


def _filled(readings: Sequence[int | None]) -> tuple[int, ...]:
    latest = next(reading for reading in readings if reading is not None)
    filled = []
    for reading in readings:
        latest = latest if reading is None else reading
        filled.append(latest)
    return tuple(filled)


def as_recorded(recording: Recording, *, homes: int, days: int | None, seed: int, batteries: int) -> World:
    """The recording played as it is: its first `days` whole days of 24 hours, all of them where None.

    `batteries` is the percentage of the homes that have one. Raises HouseholdError where there are not so many complete
    homes or days.
    """
    day = SECONDS_PER_DAY // recording.interval_s
    whole = recording.intervals // day
    if not whole:
        hours = recording.intervals * recording.interval_s / 3600
        raise HouseholdError(
            f"{recording.source}: {hours:g} hours of readings; at least one whole day of 24 hours is needed"
        )
    if not 1 <= (whole if days is None else days) <= whole:
        raise HouseholdError(
            f"{recording.source}: {days} days asked for, but the recording has {whole} whole days: ask for 1 to {whole}"
        )
    weather_day = np.arange(whole if days is None else days)
    chosen = _chosen([recording], homes, seed)
    if homes > len(chosen):
        raise HouseholdError(
            f"{recording.source}: {homes} homes asked for, but {len(chosen)} of {len(recording.records)} have a"
            f" complete record: ask for 1 to {len(chosen)}"
        )
    load_day = np.tile(weather_day.astype(np.int16), (homes, 1))
    return _world([recording], chosen, day, weather_day, load_day, batteries)


def resampled(seasons: Sequence[Recording], *, homes: int, days: int, seed: int, batteries: int) -> World:
    """A year, or `days` days of it, from recordings of summer and winter, as the module says.

    Raises HouseholdError where no home has a complete record in both or a season lacks a weekday.
    """
    if homes < 1 or days < 1:
        raise HouseholdError(f"{homes} homes for {days} days asked for: at least 1 of each is needed")
    day = SECONDS_PER_DAY // seasons[0].interval_s
    chosen = _chosen(seasons, homes, seed)
    draw = np.random.default_rng([seed, homes, days])
    weekdays = [_weekdays(recording, day) for recording in seasons]
    offsets = np.cumsum([0, *(len(each) for each in weekdays[:-1])])
    weather_day, season_of = np.zeros(days, np.int64), np.zeros(days, np.int64)
    for first in range(0, days, DAYS_PER_WEEK):
        season = int(draw.random() >= _summer_share(first))
        choice = draw.random()
        for at in range(first, min(first + DAYS_PER_WEEK, days)):
            fitting = np.flatnonzero(weekdays[season] == at % DAYS_PER_WEEK)
            if not len(fitting):
                raise HouseholdError(f"{seasons[season].source}: a season must have every day of the week")
            weather_day[at] = offsets[season] + fitting[int(choice * len(fitting))]
            season_of[at] = season
    load_day = np.tile(weather_day.astype(np.int16), (homes, 1))
    for at in range(days):
        days_of_season = weekdays[season_of[at]]
        weekend = at % DAYS_PER_WEEK >= FIRST_WEEKEND_DAY
        fitting = np.flatnonzero((days_of_season >= FIRST_WEEKEND_DAY) == weekend) + offsets[season_of[at]]
        copies = max(0, homes - len(chosen))
        load_day[homes - copies :, at] = draw.choice(fitting, copies)
    return _world(seasons, chosen, day, weather_day, load_day, batteries)


def _summer_share(day_of_year: int) -> float:
    """The probability of a summer week: 0 at the winter solstice, 1 half a year later."""
    return (1 - cos(2 * pi * (day_of_year + DAYS_FROM_SOLSTICE) / DAYS_PER_YEAR)) / 2


def _weekdays(recording: Recording, day: int) -> IntArray:
    """The weekday, Monday 0, of each recorded day, by its middle: it begins at a local midnight."""
    first_noon_s = recording.first_start_ns // NS_PER_S + SECONDS_PER_DAY // 2
    first = first_noon_s // SECONDS_PER_DAY + EPOCH_WEEKDAY
    return (first + np.arange(recording.intervals // day)) % DAYS_PER_WEEK


def _chosen(recordings: Sequence[Recording], homes: int, seed: int) -> list[Record]:
    """The first `homes` records by seed that are complete in all recordings, trustworthy ones first."""
    complete = [{record.id for record in recording.records if record.complete} for recording in recordings]
    kept = set.intersection(*complete)
    chosen = [record for record in ranked(recordings[0].records, seed) if record.id in kept][:homes]
    if not chosen:
        raise HouseholdError(
            f"{recordings[0].source}: no home has a complete record: each misses more than {MOST_MISSING:.0%} of its"
            " readings"
        )
    if homes < 1:
        raise HouseholdError(f"{recordings[0].source}: {homes} homes asked for: at least 1 is needed")
    return chosen


def _world(
    recordings: Sequence[Recording],
    chosen: Sequence[Record],
    day: int,
    weather_day: IntArray,
    load_day: npt.NDArray[np.int16],
    batteries: int,
) -> World:
    homes = len(load_day)
    by_id = [{record.id: record for record in recording.records} for recording in recordings]
    ranks = np.arange(homes)
    carbon = [recording.prices.carbon for recording in recordings]
    return World(
        source=recordings[0].source,
        currency=recordings[0].prices.currency,
        interval_s=recordings[0].interval_s,
        day=day,
        names=tuple(_name(chosen, rank) for rank in range(homes)),
        load=np.array(
            [np.concatenate([each[record.id].load for each in by_id]) for record in chosen], np.int64
        ),
        pv=np.array([np.concatenate([each[record.id].pv for each in by_id]) for record in chosen], np.int64),
        record=ranks % len(chosen),
        import_price=np.concatenate([np.array(each.prices.import_price, np.int64) for each in recordings]),
        export_price=np.concatenate([np.array(each.prices.export_price, np.int64) for each in recordings]),
        carbon=None if None in carbon else np.concatenate([np.array(each, np.int64) for each in carbon]),
        weather_day=weather_day,
        load_day=load_day,
        battery=-(-(ranks + 1) * batteries // 100) > -(-ranks * batteries // 100),
    )


def _name(chosen: Sequence[Record], rank: int) -> str:
    copy = rank // len(chosen)
    name = chosen[rank % len(chosen)].id
    return f"{name} copy {copy}" if copy else name
