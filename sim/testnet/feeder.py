"""The default feeder of a testnet: a substation with two streets, one of which binds at some hours."""

from market.feeder import Branch, Feeder, Grid
from sim.homes.neighbourhood import Home, Neighbourhood

NORTH, SOUTH = "north", "south"

BINDING_DIVISOR = 2
"""North carries half of the largest surplus (without any, of the largest need) of its homes: it binds when the sun is
high or the evening dear, and local prices show."""

CONNECTION_FACTOR = 2
"""The grid connection carries this many times the largest net flow of the whole cell: it never binds by itself."""


def street_of(home: Home) -> str:
    """The street of a home: those with a battery live in the south, the others in the north."""
    return NORTH if home.battery is None else SOUTH


def default_feeder(neighbourhood: Neighbourhood, intervals: int) -> Feeder:
    """Substation, north and south; only north has a limit, taken from the measured energies of its homes.

    Energies are mWh per interval. The grid's prices are those of the first interval; the tariff is a matter of its
    own.
    """
    start = neighbourhood.history
    played = range(start, start + min(intervals, neighbourhood.run_intervals))
    peak = max(abs(sum(_net(home, interval) for home in neighbourhood.homes)) for interval in played)
    batteries = sum(_battery_energy(home, neighbourhood.interval_s) for home in neighbourhood.homes)
    connection = CONNECTION_FACTOR * max(1, peak + batteries)
    return Feeder(
        branches=(
            Branch("substation"),
            Branch(NORTH, 0, _binding_limit(neighbourhood, played)),
            Branch(SOUTH, 0),
        ),
        grid=Grid(
            import_price=neighbourhood.prices.import_price[start],
            export_price=neighbourhood.prices.export_price[start],
            import_limit=connection,
            export_limit=connection,
        ),
    )


def _binding_limit(neighbourhood: Neighbourhood, played: range) -> int | None:
    """The limit of the north; None where nobody lives there."""
    homes = [home for home in neighbourhood.homes if street_of(home) == NORTH]
    if not homes:
        return None
    nets = [sum(_net(home, interval) for home in homes) for interval in played]
    largest = max(nets) if max(nets) > 0 else -min(nets)
    return max(1, largest // BINDING_DIVISOR)


def _net(home: Home, interval: int) -> int:
    return home.pv[interval] - home.load[interval]


def _battery_energy(home: Home, interval_s: int) -> int:
    return 0 if home.battery is None else home.battery.power * interval_s // 3600
