"""Shell: reads the measured households committed under sim/data/ (README.md there: sources, licences)."""

import math
from datetime import datetime
from importlib import resources

import polars as pl

from sim.homes.neighbourhood import (
    NS_PER_S,
    HouseholdError,
    Prices,
    Record,
    Recording,
    energy_from_power,
    price_from_units,
)

SOURCES = ("fontana", "london", "swiss")
SEASONS = ("summer", "winter")

_CURRENCY = {"fontana": "USD", "london": "GBP", "swiss": "CHF"}
_EXPORT_PRICE = {"fontana": 60_000, "london": 35_000, "swiss": 80_000}
"""Assumed, not measured: what a supplier pays for surplus, micro-currency per kWh (sim/data/README.md).

Below the lowest price of the tariff (London: 39,900, Switzerland: 100,000), because nobody should earn by buying and
selling back.
"""
_INTERVAL_S = {"fontana": 3600, "london": 1800, "swiss": 900}


def load_sample(source: str, season: str) -> Recording:
    """The committed recording of one source and season; raises HouseholdError for an unknown name."""
    if source not in SOURCES:
        raise HouseholdError(
            f"unknown source of households {source!r}: one of {', '.join(SOURCES)}, or a CSV file"
        )
    if season not in SEASONS:
        raise HouseholdError(f"unknown season {season!r}: one of {', '.join(SEASONS)}")
    interval_s = _INTERVAL_S[source]
    tariff = _read(f"{source}_tariff.parquet").filter(pl.col("season") == season).sort("start_utc")
    starts = _starts_ns(tariff["start_utc"].to_list())
    carbon = tariff["carbon_g_per_kwh"].to_list() if "carbon_g_per_kwh" in tariff.columns else None
    return Recording(
        source=source,
        season=season,
        interval_s=interval_s,
        first_start_ns=starts[0],
        records=_records(source, season, interval_s, starts),
        prices=Prices(
            currency=_CURRENCY[source],
            import_price=tuple(price_from_units(price) for price in tariff["import_price"]),
            export_price=(_EXPORT_PRICE[source],) * len(starts),
            carbon=None if carbon is None else tuple(round(grams) for grams in carbon),
        ),
    )


def _records(source: str, season: str, interval_s: int, starts: list[int]) -> tuple[Record, ...]:
    table = _read(f"{source}_homes.parquet").filter(pl.col("season") == season)
    if "pv_kw" not in table.columns:
        table = table.with_columns(pl.lit(0.0).alias("pv_kw"))
    suspects = _suspects(source)
    records = []
    for (home,), rows in table.group_by("home_id", maintain_order=True):
        ordered = rows.sort("start_utc")
        if _starts_ns(ordered["start_utc"].to_list()) != starts:
            raise HouseholdError(f"{source}: {home} was not measured at the tariff's intervals")
        records.append(
            Record(
                id=str(home),
                load=_energies(ordered["load_kw"].to_list(), interval_s),
                pv=_energies(ordered["pv_kw"].to_list(), interval_s),
                suspect=str(home) in suspects,
            )
        )
    return tuple(records)


def _suspects(source: str) -> frozenset[str]:
    facts = _read(f"{source}_facts.parquet")
    if "quality" not in facts.columns:
        return frozenset()
    return frozenset(facts.filter(pl.col("quality") != "ok")["home_id"].to_list())


def _energies(powers: list[float | None], interval_s: int) -> tuple[int | None, ...]:
    return tuple(
        None if power is None or math.isnan(power) else energy_from_power(power, interval_s)
        for power in powers
    )


def _starts_ns(starts: list[datetime]) -> list[int]:
    return [int(start.timestamp()) * NS_PER_S for start in starts]


def _read(name: str) -> pl.DataFrame:
    with resources.as_file(resources.files("sim") / "data" / name) as path:
        return pl.read_parquet(path)
