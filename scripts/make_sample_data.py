"""Shell: cuts the committed sample of measured households out of the full source files.

Two weeks in summer and two in winter of the Fontana homes (CityLearn challenge 2022, hourly, with solar and
time-of-use price), of the London homes (Low Carbon London, half-hourly, with the dynamic tariff of 2013) and of
the Swiss homes (storagesizer, quarter-hourly, with solar and a dynamic tariff of 2024) become small Parquet
files in sim/data/, with a manifest of their hashes. Values are copied, never filled or changed; a missing
reading stays null. The same input gives the same bytes with the versions of constraints.txt.

    python scripts/make_sample_data.py --source DIR [--out sim/data]

DIR holds the nine source files named in SOURCES; sim/data/README.md says where they come from and how they
were cleaned.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

FONTANA_LICENCE = "MIT, Copyright (c) 2020 Jose Ramon Vazquez-Canteli, Intelligent Environments Laboratory"
FONTANA_SOURCE = "CityLearn challenge 2022, github.com/intelligent-environments-lab/CityLearn @b8bad314"
LONDON_LICENCE = "CC BY 4.0"
LONDON_SOURCE = "UK Power Networks, Low Carbon London, London Datastore"

SWISS_LICENCE = "MIT"
SWISS_SOURCE = "storagesizer, github.com/moixpo/storagesizer @3b7eb916"

LONDON_FIXED_TARIFF_HOMES = 16
"""Homes on the flat tariff to keep beside the 16 on the dynamic one: 32 in all keeps the sample small."""


@dataclass(frozen=True, slots=True)
class Season:
    """Fourteen whole local days, as UTC instants: from start inclusive to end exclusive."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """One source of households: its files by role, and the seasons to cut (no clock change inside any)."""

    name: str
    homes: str
    tariff: str
    facts: str
    seasons: tuple[Season, ...]
    source: str
    licence: str


SOURCES = {
    "fontana": Source(
        name="fontana",
        homes="homes_fontana_citylearn_60min_2016_17.parquet",
        tariff="env_fontana_citylearn_60min_2016_17.parquet",
        facts="homes_fontana_citylearn_meta.parquet",
        seasons=(
            Season("summer", datetime(2017, 7, 3, 7, tzinfo=UTC), datetime(2017, 7, 17, 7, tzinfo=UTC)),
            Season("winter", datetime(2016, 12, 5, 8, tzinfo=UTC), datetime(2016, 12, 19, 8, tzinfo=UTC)),
        ),
        source=FONTANA_SOURCE,
        licence=FONTANA_LICENCE,
    ),
    "london": Source(
        name="london",
        homes="homes_london_lcl_30min_2013.parquet",
        tariff="tariff_london_lcl_dtou_2013.parquet",
        facts="homes_london_lcl_meta.parquet",
        seasons=(
            Season("summer", datetime(2013, 6, 27, 23, tzinfo=UTC), datetime(2013, 7, 11, 23, tzinfo=UTC)),
            Season("winter", datetime(2013, 12, 4, tzinfo=UTC), datetime(2013, 12, 18, tzinfo=UTC)),
        ),
        source=LONDON_SOURCE,
        licence=LONDON_LICENCE,
    ),
    "swiss": Source(
        name="swiss",
        homes="community_swiss_15min_2024.parquet",
        tariff="tariff_swiss_groupe_e_vario_15min_2024.parquet",
        facts="community_swiss_meta.parquet",
        seasons=(
            Season("summer", datetime(2024, 6, 30, 22, tzinfo=UTC), datetime(2024, 7, 14, 22, tzinfo=UTC)),
            Season("winter", datetime(2024, 12, 1, 23, tzinfo=UTC), datetime(2024, 12, 15, 23, tzinfo=UTC)),
        ),
        source=SWISS_SOURCE,
        licence=SWISS_LICENCE,
    ),
}


def cut_seasons(table: pl.DataFrame, seasons: tuple[Season, ...]) -> pl.DataFrame:
    """The rows inside any season, `ts_utc` renamed to `start_utc`, with the season's name as first column."""
    parts = [
        table.filter((pl.col("ts_utc") >= season.start) & (pl.col("ts_utc") < season.end)).with_columns(
            pl.lit(season.name).alias("season")
        )
        for season in seasons
    ]
    joined = pl.concat(parts).rename({"ts_utc": "start_utc"})
    return joined.select("season", "start_utc", pl.exclude("season", "start_utc"))


def fontana_tables(source: Source, folder: Path) -> dict[str, pl.DataFrame]:
    """All 17 Fontana homes, their tariff with the grid's carbon intensity, and what is known of each home."""
    homes = read(folder / source.homes).with_columns(pl.col("home_id").cast(pl.String))
    tariff = read(folder / source.tariff).select(
        "ts_utc", pl.col("tou_usd_per_kwh").alias("import_price"), "carbon_g_per_kwh"
    )
    facts = read(folder / source.facts).select(
        pl.col("home_id").cast(pl.String), "quality", "battery_kwh", "battery_kw", "battery_efficiency"
    )
    return {
        "homes": cut_seasons(homes, source.seasons).sort("season", "home_id", "start_utc"),
        "tariff": cut_seasons(tariff, source.seasons).sort("season", "start_utc"),
        "facts": facts.sort("home_id"),
    }


def london_tables(source: Source, folder: Path) -> dict[str, pl.DataFrame]:
    """The London homes on the dynamic tariff, as many on the flat one, and the dynamic tariff."""
    homes = cut_seasons(
        read(folder / source.homes).with_columns(pl.col("home_id").cast(pl.String)), source.seasons
    )
    facts = read(folder / source.facts).select(
        pl.col("home_id").cast(pl.String), pl.col("tariff").cast(pl.String).alias("tariff_group")
    )
    gaps = homes.group_by("home_id").agg(pl.col("load_kw").null_count().alias("missing"))
    flat = (
        facts.filter(pl.col("tariff_group") == "Std").join(gaps, on="home_id").filter(pl.col("missing") == 0)
    )
    dynamic = facts.filter(pl.col("tariff_group") == "ToU")["home_id"].to_list()
    kept = sorted(dynamic + flat.sort("home_id").head(LONDON_FIXED_TARIFF_HOMES)["home_id"].to_list())
    tariff = read(folder / source.tariff).select(
        "ts_utc", pl.col("dtou_gbp_per_kwh").alias("import_price"), pl.col("level").cast(pl.String)
    )
    return {
        "homes": homes.filter(pl.col("home_id").is_in(kept)).sort("season", "home_id", "start_utc"),
        "tariff": cut_seasons(tariff, source.seasons).sort("season", "start_utc"),
        "facts": facts.filter(pl.col("home_id").is_in(kept)).sort("home_id"),
    }


def swiss_tables(source: Source, folder: Path) -> dict[str, pl.DataFrame]:
    """Five houses and an apartment building with solar, and the dynamic tariff of their supplier.

    School and factory of the source are left out: their dates are not those of the tariff.
    """
    names = [*(f"house{number}" for number in range(1, 6)), "building1"]
    facts = read(folder / source.facts).select(
        pl.col("site_id").cast(pl.String).alias("home_id"), pl.col("type").cast(pl.String)
    )
    homes = read(folder / source.homes).with_columns(pl.col("site_id").cast(pl.String).alias("home_id"))
    kept = homes.filter(pl.col("home_id").is_in(names)).select("ts_utc", "home_id", "load_kw", "pv_kw")
    tariff = read(folder / source.tariff).select("ts_utc", pl.col("vario_chf_per_kwh").alias("import_price"))
    return {
        "homes": cut_seasons(kept, source.seasons).sort("season", "home_id", "start_utc"),
        "tariff": cut_seasons(tariff, source.seasons).sort("season", "start_utc"),
        "facts": facts.filter(pl.col("home_id").is_in(names)).sort("home_id"),
    }


TABLES = {"fontana": fontana_tables, "london": london_tables, "swiss": swiss_tables}


def read(path: Path) -> pl.DataFrame:
    """One source file, or a message that names the file that is missing."""
    if not path.is_file():
        raise SystemExit(f"make_sample_data: {path}: no such file (sim/data/README.md: where it comes from)")
    return pl.read_parquet(path)


def write(table: pl.DataFrame, path: Path, source: Source) -> None:
    """The same bytes for the same table: one row group, sorted, with source and licence as metadata."""
    arrow = table.to_arrow()
    arrow = arrow.replace_schema_metadata({"source": source.source, "licence": source.licence})
    pq.write_table(arrow, path, compression="zstd", compression_level=19, row_group_size=max(1, table.height))


def make_samples(folder: Path, out: Path, names: list[str]) -> None:
    """Writes three files per source and the manifest of all sources; raises SystemExit for a missing file."""
    out.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, dict[str, object]] = {}
    for name in names:
        source = SOURCES[name]
        tables = TABLES[name](source, folder)
        for role, table in tables.items():
            path = out / f"{name}_{role}.parquet"
            write(table, path, source)
            manifest[path.name] = {
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "rows": table.height,
                "columns": table.columns,
                "source": source.source,
                "licence": source.licence,
            }
            print(f"{path}  {path.stat().st_size} bytes, {table.height} rows")
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """The command line: where the source files are and where the sample goes."""
    parser = argparse.ArgumentParser(description="Cut the committed sample out of the full source files.")
    parser.add_argument("--source", type=Path, required=True, help="folder with the nine source files")
    parser.add_argument("--out", type=Path, default=Path("sim/data"), help="folder to write to")
    parser.add_argument("--only", choices=sorted(SOURCES), action="append", help="only this source")
    options = parser.parse_args(arguments)
    make_samples(options.source, options.out, options.only or sorted(SOURCES))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
