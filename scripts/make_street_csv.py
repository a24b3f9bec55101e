"""Make a CSV for `wattswarm sim market --data FILE` of a street with solar: London's homes under Swiss roofs.

Run as `python -m scripts.make_street_csv FOLDER OUT [--homes N] [--step 1h]`, with the folder of the full source files
(sim/data/README.md). No large set of homes with both load and solar is open, so this one is composed, and only that:
loads are the readings of London homes of the whole of 2013 with the price of their trial; every second home gets the
readings of one of five Swiss roofs of 2024 in turn, on the same day of the year at the same time, scaled to yield in
the year what the home uses. The grid's carbon is that of Great Britain in 2021, on the same day of the year.
"""

import argparse
import sys
from pathlib import Path

import polars as pl

from scripts.make_sample_data import read
from scripts.make_year_csv import write_readings, year_of

SOLAR = "community_swiss_15min_2024.parquet"
CARBON = "carbon_intensity_60min_2021_24.parquet"
YEAR, SOLAR_YEAR, CARBON_YEAR = 2013, 2024, 2021
ROOFS = ("house1", "house2", "house3", "house4", "house5")


def roofs(folder: Path, step: str) -> pl.DataFrame:
    """The energy that each roof made in each step, moved to the year of the loads; the extra day is left out."""
    stamp = pl.col("ts_utc").dt
    return (
        read(folder / SOLAR)
        .filter(pl.col("site_id").cast(pl.String).is_in(ROOFS) & (stamp.year() == SOLAR_YEAR))
        .filter(~((stamp.month() == 2) & (stamp.day() == 29)))
        .with_columns(stamp.replace(year=YEAR).dt.truncate(step).alias("start"))
        .group_by(pl.col("site_id").cast(pl.String).alias("roof"), "start")
        .agg((pl.col("pv_kw").cast(pl.Float64).sum() / 4).alias("roof_kwh"))
    )


def carbon(folder: Path) -> pl.DataFrame:
    """The grid's intensity by hour, moved to the year of the loads, g/kWh."""
    stamp = pl.col("ts_utc").dt
    grams = pl.col("gb_direct_g_per_kwh").round(0).cast(pl.Int64).alias("carbon_g_per_kwh")
    table = read(folder / CARBON).filter(stamp.year() == CARBON_YEAR)
    return table.select(stamp.replace(year=YEAR).alias("hour"), grams)


def street_of(folder: Path, homes: int, step: str) -> pl.DataFrame:
    """The rows of the CSV, by home and then by time. A home's reading that is missing stays missing."""
    start = pl.col("start").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC").dt.truncate(step)
    table = (
        year_of(folder, "london", homes)
        .with_columns(start, pl.col("load_kwh").is_null().alias("missing"))
        .group_by("home", "start")
        .agg(
            pl.col("load_kwh").sum(),
            pl.col("missing").any(),
            pl.col("import_price").mean().round(6),
            pl.col("export_price").first(),
        )
    )
    names = table["home"].unique().sort().to_list()
    under = {name: ROOFS[place // 2 % len(ROOFS)] for place, name in enumerate(names) if place % 2 == 0}
    roof = pl.col("home").replace_strict(under, default=None, return_dtype=pl.String)
    table = table.with_columns(roof.alias("roof")).join(roofs(folder, step), on=["roof", "start"], how="left")
    scale = pl.col("load_kwh").sum().over("home") / pl.col("roof_kwh").sum().over("home")
    solar = (pl.col("roof_kwh") * scale).fill_null(0.0).round(6).alias("pv_kwh")
    load = pl.when(~pl.col("missing")).then(pl.col("load_kwh").round(6)).alias("load_kwh")
    return (
        table.with_columns(solar, load, pl.col("start").dt.truncate("1h").alias("hour"))
        .join(carbon(folder), on="hour", how="left")
        .sort("home", "start")
        .select(
            pl.col("start").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "home",
            "load_kwh",
            "pv_kwh",
            "import_price",
            "export_price",
            "carbon_g_per_kwh",
        )
    )


def main(arguments: list[str]) -> int:
    """Write the file and say what it has."""
    parser = argparse.ArgumentParser(description="Make a CSV of London's homes under Swiss roofs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--homes", type=int, default=60)
    parser.add_argument("--step", choices=["30m", "1h"], default="30m")
    options = parser.parse_args(arguments)
    write_readings(street_of(options.folder, options.homes, options.step), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
