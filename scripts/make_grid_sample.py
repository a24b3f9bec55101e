"""Shell: cuts the committed samples of measured grid frequency, rack power and minute load out of the full files.

They become small Parquet files in sim/data/grid/ with a manifest of their hashes. Readings are copied, never filled:
a missing one stays null. Only the racks are computed: the power of the servers of one run, each held until its next
reading, summed every two seconds. The same input gives the same bytes with the versions of constraints.txt.

    python scripts/make_grid_sample.py --source DIR [--out sim/data/grid]

DIR holds the five source files named in SOURCES; sim/data/grid/README.md says where they come from.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

STEP_MS = 2000
"""The servers' meters were read about every two seconds."""
RACKS = (
    ("8xSMC-H100-SXM-80GB", "ssd"),
    ("8xSMC-H100-SXM-80GB", "resnet"),
    ("9xSMC-H100-SXM-80GB", "unet3d"),
)
"""Several servers that train one model together, many runs one after the other, in the order of one day."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One committed file: from which source files, by whom, under which licence, and how it is made."""

    files: tuple[str, ...]
    source: str
    licence: str
    make: Callable[..., pl.DataFrame]


def frequency_events(events: pl.DataFrame) -> pl.DataFrame:
    """Both windows of Great Britain as they are: event (day), second of the window, Hz."""
    day = pl.col("ts_utc").dt.date().cast(pl.String)
    first = pl.col("ts_utc").min().over(day)
    return events.select(
        day.alias("event"),
        ((pl.col("ts_utc") - first).dt.total_milliseconds() // 1000).cast(pl.Int32).alias("second"),
        "hz",
    ).sort("event", "second")


def frequency_pieces(pieces: pl.DataFrame) -> pl.DataFrame:
    """All pieces of normal operation as they are: piece, second, Hz."""
    return pieces.select(
        pl.col("segment").alias("piece"), pl.col("t_s").cast(pl.Int32).alias("second"), "hz"
    ).sort("piece", "second")


def racks(servers: pl.DataFrame) -> pl.DataFrame:
    """The sum over the servers of each run, while all of them are read."""
    parts = []
    for system, benchmark in RACKS:
        chosen = servers.filter(
            (pl.col("system").cast(pl.String) == system) & (pl.col("benchmark").cast(pl.String) == benchmark)
        ).sort("ts_utc")
        order = chosen.group_by("run_id", maintain_order=True).agg(pl.col("ts_utc").min())["run_id"]
        for run, name in enumerate(order.cast(pl.String).to_list()):
            of_run = chosen.filter(pl.col("run_id").cast(pl.String) == name)
            parts.append(_summed(of_run, benchmark, run))
    return pl.concat(parts)


def _summed(of_run: pl.DataFrame, benchmark: str, run: int) -> pl.DataFrame:
    nodes = [part for _, part in sorted(of_run.group_by("node"), key=lambda each: str(each[0]))]
    times = [part["ts_utc"].dt.epoch("ms").to_numpy() for part in nodes]
    grid = np.arange(max(each[0] for each in times), min(each[-1] for each in times), STEP_MS)
    power_w = sum(
        part["power_w"].to_numpy().astype(np.float64)[np.searchsorted(each, grid, side="right") - 1]
        for part, each in zip(nodes, times, strict=True)
    )
    return pl.DataFrame(
        {
            "job": [benchmark] * grid.size,
            "run": pl.Series([run] * grid.size, dtype=pl.Int16),
            "servers": pl.Series([len(nodes)] * grid.size, dtype=pl.Int8),
            "second": pl.Series((grid - grid[0]) // 1000, dtype=pl.Int32),
            "power_w": pl.Series(np.round(power_w), dtype=pl.Float32),
        }
    )


def home_minutes(home: pl.DataFrame) -> pl.DataFrame:
    """The home's load, minute by minute, in W: the meter gives kW with three decimals, so nothing is rounded away."""
    load_w = (pl.col("load_kw") * 1000).round().cast(pl.Int16).alias("load_w")
    return home.select(pl.col("ts_utc").alias("start_utc"), load_w).sort("start_utc")


def homes_weather(homes: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
    """The net load of all 17 homes together, and the weather at them, hour by hour; null where one home is missing."""
    total = homes.group_by("ts_utc").agg(
        pl.when((pl.col("load_kw").null_count() + pl.col("pv_kw").null_count() == 0) & (pl.len() == 17))
        .then((pl.col("load_kw") - pl.col("pv_kw")).sum())
        .otherwise(None)
        .cast(pl.Float32)
        .alias("net_load_kw")
    )
    joined = weather.join(total, on="ts_utc", how="left").sort("ts_utc")
    return joined.select(
        pl.col("ts_utc").alias("start_utc"), "net_load_kw", "temp_c", "dhi_w_per_m2", "dni_w_per_m2"
    )


SOURCES = {
    "frequency_events": Sample(
        ("frequency_gb_neso_events_1s.parquet",),
        "National Energy System Operator; copies of github.com/grid-modeller/grid-sim (2019) and "
        "github.com/Davies-Energy-Electronics/open-rtu (2023)",
        "NESO Open Data Licence: Supported by National Energy SO Open Data",
        frequency_events,
    ),
    "frequency_pieces": Sample(
        ("frequency_china_enf_whu_1s.parquet",),
        "github.com/ghua-ac/ENF-WHU-Dataset @78ed7f37, H1_ref",
        "MIT",
        frequency_pieces,
    ),
    "racks": Sample(
        ("server_ai_training_power_2s_mlperf.parquet",),
        "MLCommons, github.com/mlcommons/training_results_v4.0 @6fe95437",
        "Apache-2.0",
        racks,
    ),
    "home_minutes": Sample(
        ("home_sceaux_uci_1min_2006_07.parquet",),
        "G. Hebrail and A. Berard, Individual household electric power consumption, UCI data set 235",
        "CC BY 4.0",
        home_minutes,
    ),
    "homes_weather": Sample(
        (
            "homes_fontana_citylearn_60min_2016_17.parquet",
            "env_fontana_citylearn_60min_2016_17.parquet",
        ),
        "CityLearn challenge 2022, github.com/intelligent-environments-lab/CityLearn @b8bad314",
        "MIT, Copyright (c) 2020 Jose Ramon Vazquez-Canteli, Intelligent Environments Laboratory",
        homes_weather,
    ),
}


def make_samples(folder: Path, out: Path) -> None:
    """Writes every sample and the manifest; raises SystemExit for a missing file."""
    out.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, dict[str, object]] = {}
    for name, sample in SOURCES.items():
        missing = [file for file in sample.files if not (folder / file).is_file()]
        if missing:
            raise SystemExit(
                f"make_grid_sample: {folder / missing[0]}: no such file (see sim/data/grid/README.md)"
            )
        table = sample.make(*(pl.read_parquet(folder / file) for file in sample.files))
        path = out / f"{name}.parquet"
        arrow = table.to_arrow().replace_schema_metadata({"source": sample.source, "licence": sample.licence})
        pq.write_table(arrow, path, compression="zstd", compression_level=19, row_group_size=table.height)
        manifest[path.name] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": table.height,
            "columns": table.columns,
            "source": sample.source,
            "licence": sample.licence,
        }
        print(f"{path}  {path.stat().st_size} bytes, {table.height} rows")
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """The command line: where the source files are and where the samples go."""
    parser = argparse.ArgumentParser(description="Cut the committed grid samples out of the full files.")
    parser.add_argument("--source", type=Path, required=True, help="folder with the source files")
    parser.add_argument("--out", type=Path, default=Path("sim/data/grid"), help="folder to write to")
    options = parser.parse_args(arguments)
    make_samples(options.source, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
