"""Profiles written for simulated devices read back as the measured energies."""

from pathlib import Path

import pytest

from devices.profiles import read_profile
from sim.homes.households import load_households
from sim.homes.profiles import write_profile


@pytest.mark.parametrize("source", ["fontana", "london"])
def test_a_profile_reads_back_as_exactly_the_measured_energies(source: str, tmp_path: Path) -> None:
    place = load_households(source, homes=3)
    for home in place.homes:
        path = tmp_path / f"{home.id}.csv"
        write_profile(place, home, path)
        with path.open() as lines:
            profile = read_profile(lines, path.name)
        assert profile.load.energies == home.load
        assert profile.pv.energies == home.pv
        assert profile.load.edges[0] == place.first_start_ns
        assert profile.load.edges[place.history] == place.start_ns
