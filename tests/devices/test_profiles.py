"""Profiles: exact energies however they are cut, and files refused with line and column."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import ProfileError
from devices.profiles import PICOJOULES_PER_MWH, Series, read_profile, step_energy


@st.composite
def series(draw: st.DrawFn) -> Series:
    durations = draw(st.lists(st.integers(1, 10**13), min_size=1, max_size=8))
    start = draw(st.integers(0, 2**60))
    edges = [start]
    for duration in durations:
        edges.append(edges[-1] + duration)
    energies = draw(st.lists(st.integers(0, 10**8), min_size=len(durations), max_size=len(durations)))
    return Series.of(tuple(edges), tuple(energies))


@given(series(), st.lists(st.floats(0, 1), max_size=20))
def test_every_cut_of_a_step_adds_up_to_its_energy_exactly(profile: Series, cuts: list[float]) -> None:
    for (start, end), energy in zip(pairwise(profile.edges), profile.energies, strict=True):
        moments = sorted({start, end, *(start + int((end - start) * cut) for cut in cuts)})
        parts = [
            profile.energy_until(later) - profile.energy_until(earlier)
            for earlier, later in pairwise(moments)
        ]
        assert all(part >= 0 for part in parts)
        assert sum(parts) == energy * PICOJOULES_PER_MWH


def test_outside_the_profile_there_is_no_power_and_no_energy() -> None:
    profile = Series.of((10, 20), (5,))
    assert profile.power_w(9) is None
    assert profile.power_w(20) is None
    assert profile.energy_until(5) == 0
    assert profile.energy_until(10**9) == 5 * PICOJOULES_PER_MWH


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour() -> None:
    assert step_energy(1000.0, 3600 * 10**9) == 1_000_000


def test_a_file_becomes_two_series_and_the_last_row_lasts_as_long_as_the_one_before() -> None:
    profile = read_profile(["pv_w,start_ns,load_w", "0,0,500", "250.5,1800000000000,100"], "home.csv")
    assert profile.load.edges == (0, 1_800_000_000_000, 3_600_000_000_000)
    assert profile.load.energies == (250_000, 50_000)
    assert profile.pv.energies == (0, 125_250)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["start_ns,load_w"], "line 1: the columns pv_w are missing"),
        (["start_ns,load_w,pv_w", "0,1,2"], "at least two rows"),
        (["start_ns,load_w,pv_w", "0,1,2", "0,1,2"], "line 3: start_ns: must be later"),
        (["start_ns,load_w,pv_w", "0,x,2", "1,1,2"], "line 2: load_w: 'x' is no number"),
        (["start_ns,load_w,pv_w", "0,1,-2", "1,1,2"], "line 2: pv_w: '-2' is not from 0"),
        (["start_ns,load_w,pv_w", "0,1,nan", "1,1,2"], "line 2: pv_w: 'nan' is not from 0"),
        (["start_ns,load_w,pv_w", "1.5,1,2", "2,1,2"], "line 2: start_ns: '1.5' is no whole number"),
        (["start_ns,load_w,pv_w", "0,1", "1,1,2"], "line 2: 2 columns, the header has 3"),
    ],
)
def test_a_bad_file_is_refused_with_line_column_and_reason(lines: list[str], message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        read_profile(lines, "home.csv")
    assert message in str(caught.value)
    assert "home.csv" in str(caught.value)
