"""Shell: `wattswarm cell service|request|limit|meter`: what the dso buys, calls, limits and measures."""

import sys
from pathlib import Path

from cyclopts import App

from node.cli.withdrawal import limits, requests, withdraw
from node.saying.grid import CauseName, say_limit, say_request, start_after
from node.saying.meters import say_meter
from node.saying.services import Wanted, say_terms
from node.saying.speaking import cell_time_ns, speaker


def add_commands(app: App) -> None:
    """Give `wattswarm cell` the commands of this module."""
    app.command(service)
    app.command(request)
    app.command(requests)
    app.command(limits)
    app.command(withdraw)
    app.command(limit)
    app.command(meter)


def service(
    name: str,
    /,
    *,
    node: Path,
    from_interval: int,
    up_w: float = 0.0,
    down_w: float = 0.0,
    up_price: str = "0",
    down_price: str = "0",
    up_energy_price: str = "0",
    down_energy_price: str = "0",
    requested: bool = False,
) -> None:
    """Say what the dso buys of a service from an interval on, and pays for from its own account.

    With --up-w and --down-w of 0 the service ends. Members arm by their configuration what they offer of it.

    Example: wattswarm cell service village-flex --requested --up-w 50000 --up-price 0.01 --up-energy-price 0.30
    --from-interval 1994700 --node ./home-1

    Parameters
    ----------
    name
        A response curve's name, or with --requested one of your own: letters a to z, digits and hyphens.
    node
        The data directory of the dso's node.
    from_interval
        Index of the first interval: unix time divided by the interval.
    up_w
        The most power injected more that is bought in an interval.
    down_w
        The most power withdrawn more that is bought.
    up_price
        For a kW up that is armed and available for an hour.
    down_price
        For a kW down.
    up_energy_price
        What a member gets for a kWh injected more because of the service.
    down_energy_price
        What it gets for a kWh withdrawn more; negative: pays.
    requested
        Whether it is called by `wattswarm cell request`, and does not respond by itself.
    """
    wanted = Wanted(up_w, down_w, up_price, down_price, up_energy_price, down_energy_price)
    said = say_terms(speaker(node), name, wanted, requested=requested, from_interval=from_interval)
    sys.stdout.write(f"{said} It waits for the node.\n")


def request(
    service: str,
    power_w: float,
    /,
    *,
    node: Path,
    for_s: int,
    in_s: int = 0,
    branch: str | None = None,
    reach: int | None = None,
    cause: CauseName = "demand-surge",
    equalise: bool = False,
) -> None:
    """Call power of a requested service: members that armed it share it, each by what it has armed.

    It acts as soon as it reaches the members, and ends by itself or by `wattswarm cell withdraw`.

    Example: wattswarm cell request village-flex 20000 --for-s 1800 --branch north --node ./home-1

    Parameters
    ----------
    service
        The service that this dso buys.
    power_w
        Power in W: positive to inject more (or withdraw less), negative to withdraw more.
    node
        The data directory of the dso's node.
    for_s
        How long, in seconds of cell time; a day at most.
    in_s
        Seconds of cell time from now until it begins.
    branch
        The branch that needs it, with all below it; none: the whole cell.
    reach
        Instead of those below it: the branches at most so many steps along the feeder away from the branch.
    cause
        Why it is asked for.
    equalise
        Let the fullest give first (or the emptiest take), cheap ones before worn ones, in place of equal parts.
    """
    said = say_request(
        speaker(node),
        service,
        power_w,
        start_ns=start_after(cell_time_ns(node), in_s),
        for_s=for_s,
        branch=branch,
        reach=reach,
        cause=cause,
        equalise=equalise,
    )
    sys.stdout.write(f"{said} It waits for the node.\n")


def limit(branch: str, limit_w: float, /, *, node: Path, first: int, last: int) -> None:
    """Limit what a branch carries in some intervals, both ways: the market keeps it, and devices hold it.

    Of several limits the lowest counts; `wattswarm cell withdraw` takes one back.

    Example: wattswarm cell limit north 30000 --first 1994700 --last 1994707 --node ./home-1

    Parameters
    ----------
    branch
        The branch's name in the feeder.
    limit_w
        The most power in W.
    node
        The data directory of the dso's node.
    first
        The first interval.
    last
        The last interval.
    """
    said = say_limit(speaker(node), branch, limit_w, first, last)
    sys.stdout.write(f"{said} It waits for the node.\n")


def meter(branch: str, contribution: str, consumption: str, /, *, node: Path, interval: int) -> None:
    """Say what the meter of a branch counted in an interval: it is compared with the readings of the members below.

    Missing readings below the branch are estimated from it, and what does not agree is reported with the members it
    may concern. It counts as long as readings of the interval can be corrected.

    Example: wattswarm cell meter north 0 3.25 --interval 29920400 --node ./grid-1

    Parameters
    ----------
    branch
        The branch's name.
    contribution
        What went from the branch towards its parent, kWh.
    consumption
        What went into the branch, kWh.
    node
        The data directory of the dso's node.
    interval
        Index of the interval: unix time divided by the interval.
    """
    said = say_meter(speaker(node), branch, contribution, consumption, interval)
    sys.stdout.write(f"{said} It waits for the node.\n")
