"""Shell: measured series to evaluate forecasters on, from the committed samples or from a user's CSV file."""

import math
from collections.abc import Iterable

from market.forecasting.evaluation import LEAST_DAYS, Series
from sim.homes.household_samples import SEASONS, SOURCES
from sim.homes.households import read_recording
from sim.homes.neighbourhood import (
    MICRO_PER_UNIT,
    MWH_PER_KWH,
    NS_PER_S,
    SECONDS_PER_DAY,
    HouseholdError,
    Record,
    Recording,
    ranked,
)

LOAD, PV, PRICE = "load", "pv", "price"


def load_series(source: str, homes: int, seed: int, days: int | None) -> list[Series]:
    """The series of a sample (both seasons) or a file: load and solar of up to `homes` homes, kWh, and the price.

    Homes are drawn by seed, trustworthy and complete ones first; of each series the last `days` days are taken. Raises
    HouseholdError when there is no such source or it is too short.
    """
    recordings = (
        [read_recording(source, season) for season in SEASONS]
        if source in SOURCES
        else [read_recording(source)]
    )
    found: list[Series] = []
    for recording in recordings:
        season = SECONDS_PER_DAY // recording.interval_s
        whole = recording.intervals // season
        if min(whole, whole if days is None else days) < LEAST_DAYS:
            raise HouseholdError(
                f"{source}: {whole} days measured, {whole if days is None else days} asked for;"
                f" an evaluation needs at least {LEAST_DAYS}"
            )
        kept = recording.intervals if days is None else min(recording.intervals, days * season)
        for record in ranked(recording.records, seed)[:homes]:
            found += _of_record(recording, record, kept)
        prices = recording.prices.import_price[-kept:]
        if len(set(prices)) > 1:
            units = (price / MICRO_PER_UNIT for price in prices)
            found.append(_series(recording, "tariff", PRICE, units, kept, None))
    return found


def _of_record(recording: Recording, record: Record, kept: int) -> list[Series]:
    series = [_series(recording, record.id, LOAD, _kwh(record.load[-kept:]), kept, 0.0)]
    if any(record.pv):
        series.append(_series(recording, record.id, PV, _kwh(record.pv[-kept:]), kept, 0.0))
    return series


def _kwh(energies: Iterable[int | None]) -> Iterable[float]:
    return (math.nan if energy is None else energy / MWH_PER_KWH for energy in energies)


def _series(
    recording: Recording, member: str, kind: str, values: Iterable[float], kept: int, least: float | None
) -> Series:
    first = recording.first_start_ns // (recording.interval_s * NS_PER_S) + recording.intervals - kept
    return Series(
        source=recording.source,
        member=f"{member} {recording.season}",
        kind=kind,
        season=SECONDS_PER_DAY // recording.interval_s,
        first_interval=first,
        values=tuple(values),
        least=least,
    )
