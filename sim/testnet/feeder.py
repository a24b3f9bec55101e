"""The default feeder of a testnet: a substation with two streets, one of which binds at some hours."""

from market.feeder import Branch, Feeder, Grid
from sim.neighbourhood import Home, Neighbourhood

STREETS = ("north", "south")
BINDING_SHARE = (3, 4)
"""The binding street carries this quantile of its own net flows over the played intervals, so it binds in the rest."""

CONNECTION_FACTOR = 2
"""The grid connection carries this many times the largest net flow of the whole cell: it never binds by itself."""


def street_of(position: int) -> str:
    """The street on which the home at this position stands; homes alternate."""
    return STREETS[position % len(STREETS)]


def default_feeder(neighbourhood: Neighbourhood, intervals: int) -> Feeder:
    """Substation, north and south; only north has a limit, taken from the measured flows of its homes.

    Energies are mWh per interval. The grid's prices are those of the first interval; the tariff is a matter of its
    own.
    """
    start = neighbourhood.history
    played = range(start, start + min(intervals, neighbourhood.run_intervals))
    north = [home for position, home in enumerate(neighbourhood.homes) if street_of(position) == STREETS[0]]
    flows = sorted(abs(_net(north, interval)) for interval in played)
    numerator, denominator = BINDING_SHARE
    limit = max(1, flows[(len(flows) - 1) * numerator // denominator])
    peak = max(abs(_net(neighbourhood.homes, interval)) for interval in played)
    batteries = sum(_battery_energy(home, neighbourhood.interval_s) for home in neighbourhood.homes)
    connection = CONNECTION_FACTOR * max(1, peak + batteries)
    return Feeder(
        branches=(
            Branch("substation"),
            Branch(STREETS[0], 0, limit),
            Branch(STREETS[1], 0),
        ),
        grid=Grid(
            import_price=neighbourhood.prices.import_price[start],
            export_price=neighbourhood.prices.export_price[start],
            import_limit=connection,
            export_limit=connection,
        ),
    )


def _net(homes: "tuple[Home, ...] | list[Home]", interval: int) -> int:
    return sum(home.pv[interval] - home.load[interval] for home in homes)


def _battery_energy(home: Home, interval_s: int) -> int:
    return 0 if home.battery is None else home.battery.power * interval_s // 3600
