"""Shell: writes a home's measurements as the profile file that its simulated devices replay.

The format is that of devices/profiles.py: power in W from `start_ns` on. Written so that reading it back gives
exactly the energies (mWh) of the home.
"""

import csv
from pathlib import Path

from devices.profiles import COLUMNS
from sim.homes.neighbourhood import NS_PER_S, Home, Neighbourhood


def write_profile(neighbourhood: Neighbourhood, home: Home, path: Path) -> None:
    """Writes all intervals of the home, history included; raises OSError when the file cannot be written."""
    step_ns = neighbourhood.interval_s * NS_PER_S
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for index, (load, pv) in enumerate(zip(home.load, home.pv, strict=True)):
            start_ns = neighbourhood.first_start_ns + index * step_ns
            rows.writerow(
                (
                    start_ns,
                    mean_power_w(load, neighbourhood.interval_s),
                    mean_power_w(pv, neighbourhood.interval_s),
                )
            )


def mean_power_w(energy: int, interval_s: int) -> float:
    """Mean power (W) of an energy (mWh) over an interval; a float is close enough to round back to it."""
    return energy * 3600 / (interval_s * 1000)
