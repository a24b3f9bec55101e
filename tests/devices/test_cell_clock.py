"""Cell time: exact, monotone and invertible."""

from hypothesis import given
from hypothesis import strategies as st

from devices.cell_clock import ClockSpec, Instant

clocks = st.builds(
    ClockSpec,
    start_wall_ns=st.integers(0, 2**61),
    epoch_ns=st.integers(0, 2**61),
    speed=st.floats(0.01, 1e5),
)


def test_cell_time_starts_at_the_epoch_and_runs_at_its_speed() -> None:
    clock = ClockSpec(start_wall_ns=1_000, epoch_ns=50, speed=1200)
    assert clock.cell_ns(1_000) == 50
    assert clock.cell_ns(1_001) == 1_250


@given(clocks, st.integers(0, 2**61), st.integers(0, 2**40))
def test_cell_time_never_runs_backwards(clock: ClockSpec, wall_ns: int, later: int) -> None:
    assert clock.cell_ns(wall_ns) <= clock.cell_ns(wall_ns + later)


@given(clocks, st.integers(0, 2**61))
def test_the_wall_time_of_a_cell_time_is_the_first_that_shows_it(clock: ClockSpec, cell_ns: int) -> None:
    wall_ns = clock.wall_ns(cell_ns)
    assert clock.cell_ns(wall_ns) >= cell_ns
    assert clock.cell_ns(wall_ns - 1) < cell_ns


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**15), st.integers(0, 2 * 10**12))
def test_an_instant_between_two_lies_between_them_on_both_clocks(
    real_ns: int, real_span: int, cell_span: int, wanted: int
) -> None:
    earlier, later = Instant(real_ns, 0), Instant(real_ns + real_span, cell_span)
    for middle in (earlier.until(later, wanted), earlier.at_cell(later, wanted)):
        assert earlier.real_ns <= middle.real_ns <= later.real_ns
        assert earlier.cell_ns <= middle.cell_ns <= later.cell_ns
