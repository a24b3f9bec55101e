"""Shell: loads a neighbourhood of measured households, from the committed samples or from a user's CSV
file.
"""

from pathlib import Path

from sim.homes.household_csv import parse_households
from sim.homes.household_samples import SOURCES, load_sample
from sim.homes.neighbourhood import HouseholdError, Neighbourhood, Recording, choose


def load_households(
    source: str | Path,
    season: str = "summer",
    *,
    homes: int,
    seed: int = 0,
    intervals: int = 1,
) -> Neighbourhood:
    """The neighbourhood of `homes` homes from "fontana", "london", "swiss", or a CSV file.

    A file is one season: `season` is for the samples. Trustworthy and complete records are chosen first, by
    seed; every second home gets a battery (sim/data/README.md). Raises HouseholdError, or its
    HouseholdFileError for a bad row in a file.
    """
    return choose(read_recording(source, season), homes=homes, seed=seed, intervals=intervals)


def read_recording(source: str | Path, season: str = "summer") -> Recording:
    """Everything measured in a committed sample's season, or in a CSV file. Raises HouseholdError."""
    if isinstance(source, str) and source in SOURCES:
        return load_sample(source, season)
    path = Path(source)
    if not path.is_file():
        raise HouseholdError(
            f"{source}: no such file, and no source of households: {', '.join(SOURCES)}, or a CSV"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse_households(lines, str(source))
    except UnicodeDecodeError as broken:
        raise HouseholdError(f"{source}: not a UTF-8 text file: {broken.reason}") from broken
