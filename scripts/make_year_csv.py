"""Make a CSV for `wattswarm sim market --data FILE` of a whole recording that a sample is cut from.

Run as `python -m scripts.make_year_csv FOLDER NAME OUT [--homes N]`, with the folder of the full source files
(sim/data/README.md says where they come from) and fontana, london or swiss. A missing reading becomes an empty cell and
a missing price the one before it. Homes that miss more than 1 % of their readings are left out, and of the others the
first N by name are taken. The export price is the sample's assumption.
"""

import argparse
import sys
from datetime import datetime
from pathlib import Path

import polars as pl

from scripts.make_sample_data import SOURCES, read

STEP = {"fontana": "1h", "london": "30m", "swiss": "15m"}
STEPS_PER_HOUR = {"fontana": 1, "london": 2, "swiss": 4}
HOME = {"fontana": "home_id", "london": "home_id", "swiss": "site_id"}
PRICE = {"fontana": "tou_usd_per_kwh", "london": "dtou_gbp_per_kwh", "swiss": "vario_chf_per_kwh"}
EXPORT_PRICE = {"fontana": 0.06, "london": 0.035, "swiss": 0.08}
MOST_MISSING = 0.01


def year_of(folder: Path, name: str, homes: int) -> pl.DataFrame:
    """The rows of the CSV, by home and then by time, for the span that has prices."""
    source = SOURCES[name]
    price = pl.col(PRICE[name]).cast(pl.Float64).round(6).alias("import_price")
    tariff = read(folder / source.tariff).select("ts_utc", price).sort("ts_utc")
    first, last = tariff["ts_utc"].min(), tariff["ts_utc"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise SystemExit(f"make_year_csv: {source.tariff} has no prices")
    times = pl.datetime_range(first, last, STEP[name], time_zone="UTC", eager=True).alias("ts_utc").to_frame()
    tariff = times.join(tariff, on="ts_utc", how="left").with_columns(pl.col("import_price").forward_fill())
    table = read(folder / source.homes).with_columns(pl.col(HOME[name]).cast(pl.String).alias("home"))
    if "pv_kw" not in table.columns:
        table = table.with_columns(pl.lit(0.0).alias("pv_kw"))
    if name == "swiss":
        # The dates of the school and the factory are not those of the tariff.
        table = table.filter(pl.col("home").str.contains("^(house[1-5]|building1)$"))
    grid = table.select("home").unique().join(times, how="cross")
    rows = grid.join(table.select("home", "ts_utc", "load_kw", "pv_kw"), on=["home", "ts_utc"], how="left")
    missing = rows.group_by("home").agg(pl.col("load_kw").null_count() / pl.len())
    kept = missing.filter(pl.col("load_kw") <= MOST_MISSING)["home"].sort().head(homes)
    energies = [
        (pl.col(f"{kind}_kw").cast(pl.Float64) / STEPS_PER_HOUR[name]).round(6).alias(f"{kind}_kwh")
        for kind in ("load", "pv")
    ]
    return (
        rows.filter(pl.col("home").is_in(kept.to_list()))
        .join(tariff, on="ts_utc")
        .sort("home", "ts_utc")
        .select(
            pl.col("ts_utc").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("start"),
            "home",
            *energies,
            "import_price",
            pl.lit(EXPORT_PRICE[name]).alias("export_price"),
        )
    )


def main(arguments: list[str]) -> int:
    """Write the file and say what it has."""
    parser = argparse.ArgumentParser(description="Make a CSV of meter readings of a whole recording.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", choices=sorted(SOURCES))
    parser.add_argument("out", type=Path)
    parser.add_argument("--homes", type=int, default=10_000)
    options = parser.parse_args(arguments)
    write_readings(year_of(options.folder, options.name, options.homes), options.out)
    return 0


def write_readings(table: pl.DataFrame, out: Path) -> None:
    """Write meter readings and say what they are of."""
    table.write_csv(out, float_precision=6)
    homes = table["home"].n_unique()
    sys.stdout.write(f"{out}: {homes} homes, {table.height // max(1, homes)} intervals\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
