"""A simulated meter of the grid: frequency and voltage replayed from a profile, in cell time."""

from devices.cell_clock import Instant
from devices.grid_profile import GridProfile
from devices.image import GridImage, Reading


class SimulatedGridMeter:
    """A simulated `GridMeter`; outside its profile it has no readings."""

    def __init__(self, profile: GridProfile) -> None:
        self._profile = profile

    def measure(self, now: Instant) -> GridImage:
        """Read frequency, voltage and breaker at `now`."""
        values = self._profile.at(now.cell_ns)
        if values is None:
            return GridImage(Reading.missing(now.real_ns), Reading.missing(now.real_ns))
        frequency_hz, voltage_pu, closed = values
        return GridImage(Reading.of(frequency_hz, now.real_ns), Reading.of(voltage_pu, now.real_ns), closed)
