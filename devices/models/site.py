"""The place modelled devices stand in: position, air, sky, wind, and when the mains fails. The same every day."""

from dataclasses import dataclass

from devices.fields import Fields
from devices.models.daily_use import hour_of_day, within
from devices.models.model import Surroundings
from devices.models.sun_and_wind import clear_sky_w_m2


@dataclass(frozen=True, slots=True)
class Site:
    """`clearness`: what part of a clear sky's irradiance arrives. `outages`: spans of the UTC day without mains,
    (from hour, to hour).
    """

    latitude_deg: float = 52.5
    longitude_deg: float = 13.4
    ambient_c: float = 15.0
    clearness: float = 0.7
    wind_m_s: float = 6.0
    outages: tuple[tuple[float, float], ...] = ()

    def at(self, cell_ns: int) -> Surroundings:
        """What acts on the devices at a moment of cell time."""
        hour = hour_of_day(cell_ns)
        sky_w_m2 = clear_sky_w_m2(cell_ns, self.latitude_deg, self.longitude_deg)
        return Surroundings(
            cell_ns=cell_ns,
            ambient_c=self.ambient_c,
            irradiance_w_m2=self.clearness * sky_w_m2,
            wind_m_s=self.wind_m_s,
            mains=not any(within(hour, begins, ends) for begins, ends in self.outages),
        )


def parse_site(fields: Fields) -> Site:
    """Read a site; what is missing takes the default."""
    outages = fields.rows("outages", ((0.0, 24.0), (0.0, 24.0)), 24, "[from hour, to hour]")
    return Site(
        latitude_deg=fields.number("latitude_deg", -90.0, 90.0, Site().latitude_deg),
        longitude_deg=fields.number("longitude_deg", -180.0, 180.0, Site().longitude_deg),
        ambient_c=fields.number("ambient_c", -60.0, 60.0, Site().ambient_c),
        clearness=fields.number("clearness", 0.0, 1.0, Site().clearness),
        wind_m_s=fields.number("wind_m_s", 0.0, 100.0, Site().wind_m_s),
        outages=tuple((begins, ends) for begins, ends in outages),
    )
