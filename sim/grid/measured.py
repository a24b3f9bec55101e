"""Shell: reads measured frequency, rack power and loads: the committed samples, or a record that a user brings.

Hz, W and seconds; a missing reading is not-a-number. Loads and racks draw, and are positive numbers here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from node.errors import ConfigError
from sim.grid.system import Floats

DATA = Path(__file__).parents[1] / "data" / "grid"
FREQUENCY_COLUMNS = ("hz", "f")
"""Names of the column: ours, and that of the system operator of Great Britain."""
PLAUSIBLE_HZ = (40.0, 70.0)


@dataclass(frozen=True, slots=True)
class RackRun:
    """One run of a training job: power of all its servers together, every `step_s`."""

    job: str
    run: int
    servers: int
    step_s: float
    power_w: Floats


@dataclass(frozen=True, slots=True)
class Weathered:
    """Net load of some homes hour by hour, with the weather there: columns temperature, diffuse, direct radiation."""

    hour_of_day: Floats
    net_load_w: Floats
    weather: Floats


def measured_events() -> dict[str, Floats]:
    """The measured disturbances, by their day: Hz, one value a second."""
    return _by(pl.read_parquet(DATA / "frequency_events.parquet"), "event", "hz")


def measured_pieces() -> tuple[Floats, ...]:
    """The measured pieces of normal operation in the order of their recording: Hz, one value a second."""
    return tuple(_by(pl.read_parquet(DATA / "frequency_pieces.parquet"), "piece", "hz").values())


def measured_racks() -> tuple[RackRun, ...]:
    """Every measured run, job by job in the order in which they ran."""
    table = pl.read_parquet(DATA / "racks.parquet")
    return tuple(
        RackRun(
            str(part["job"][0]),
            int(part["run"][0]),
            int(part["servers"][0]),
            float(part["second"][1] - part["second"][0]),
            _floats(part["power_w"]),
        )
        for part in table.partition_by("job", "run", maintain_order=True)
    )


def measured_home() -> Floats:
    """The load of a home in W, minute by minute."""
    return _floats(pl.read_parquet(DATA / "home_minutes.parquet")["load_w"])


def measured_weather() -> Weathered:
    """A year of homes with their weather."""
    table = pl.read_parquet(DATA / "homes_weather.parquet")
    weather = table.select("temp_c", "dhi_w_per_m2", "dni_w_per_m2").cast(pl.Float64).to_numpy()
    hour = _floats(table["start_utc"].dt.hour())
    return Weathered(hour, 1000 * _floats(table["net_load_kw"]), weather)


def read_frequency(path: Path) -> Floats:
    """A record of frequency, one row a second, Parquet or (by any other suffix) CSV, with a column `hz` or `f`.

    Raises ConfigError naming the file and what is wrong with it.
    """
    try:
        table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError([f"--frequency: {path}: {error}"]) from error
    name = next((each for each in FREQUENCY_COLUMNS if each in table.columns), None)
    if name is None:
        raise ConfigError(
            [f"--frequency: {path}: no column hz (or f) with the frequency, one row per second"]
        )
    try:
        hz = _floats(table[name].cast(pl.Float64))
    except pl.exceptions.PolarsError as error:
        raise ConfigError([f"--frequency: {path}: column {name}: not all are numbers"]) from error
    known = hz[~np.isnan(hz)]
    if known.size == 0:
        raise ConfigError([f"--frequency: {path}: column {name} is empty"])
    if known.min() < PLAUSIBLE_HZ[0] or known.max() > PLAUSIBLE_HZ[1]:
        raise ConfigError(
            [
                f"--frequency: {path}: column {name} goes from {known.min():g} to {known.max():g}, "
                f"not from {PLAUSIBLE_HZ[0]:g} to {PLAUSIBLE_HZ[1]:g} Hz"
            ]
        )
    return hz


def _by(table: pl.DataFrame, key: str, value: str) -> dict[str, Floats]:
    return {str(part[key][0]): _floats(part[value]) for part in table.partition_by(key, maintain_order=True)}


def _floats(column: pl.Series) -> Floats:
    return np.asarray(column.cast(pl.Float64).to_numpy(), dtype=np.float64)
