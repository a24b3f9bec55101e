"""Shell: `wattswarm market clear`: clears a file of orders, so that anyone can check the auction by hand."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from market.certificates.certify import certify
from market.certificates.json_form import certificate_json
from market.clear_json import clearing_json
from market.clear_tables import show_result
from market.errors import FeederError, FileError, InputError
from market.feeder import Feeder
from market.feeder_file import read_feeder
from market.mechanisms.names import Mechanism
from market.mechanisms.result import MarketResult
from market.mechanisms.run import run
from market.orders_file import read_orders
from market.result_json import result_json
from market.terminal import table_console


def clear_command(
    orders: Path,
    /,
    *,
    feeder: Path | None = None,
    mechanism: Mechanism = Mechanism.UNIFORM,
    certificate: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Clear a CSV file of orders and show prices, fills and flows.

    The file's columns are id, member, branch, side (buy or sell), price (per kWh) and kwh:

        id,member,branch,side,price,kwh
        o1,ada,north,buy,0.30,1.5
        o2,ben,south,sell,0.12,2

    Without a feeder file all orders are at one place, named "cell", and the branch column is optional. With
    one, prices may differ by branch where a limit binds. A feeder file, in full:

        [grid]                    # optional; without it the feeder is islanded
        import_price = 0.31       # per kWh
        export_price = 0.04
        import_limit_kwh = 8.0    # per interval
        export_limit_kwh = 8.0

        [branches.substation]     # the root has no parent
        [branches.north]
        parent = "substation"
        limit_kwh = 2.5           # per interval, both directions
        fee = 0.01                # optional, per kWh that crosses the branch
        loss = 0.02               # optional, share of the energy entering the branch that is lost

    The mechanisms to compare with (docs/market-mechanisms.md) are pay-as-bid, mcafee and continuous, which
    takes the rows in order of arrival. They know no feeder and refuse one.

    Example: wattswarm market clear orders.csv --feeder feeder.toml --json

    Exit status: 0 cleared; 1 the orders or the feeder have mistakes, each named with its place, and nothing
    is cleared.

    Parameters
    ----------
    orders
        The CSV file of orders.
    feeder
        The TOML file of the feeder.
    mechanism
        uniform, pay-as-bid, mcafee or continuous.
    certificate
        Write what proves the clearing to this file, for `wattswarm market check-certificate`.
    as_json
        Print one JSON object instead of tables.
    """
    try:
        tree, result = _cleared(orders, feeder, mechanism)
    except FileError as error:
        sys.stderr.write("\n".join(error.mistakes) + "\nNothing was cleared.\n")
        return 1
    if certificate is not None:
        certificate.write_text(certificate_json(certify(result, tree)) + "\n", encoding="utf-8")
    place = Feeder.single() if tree is None else tree
    if not as_json:
        show_result(table_console(), place, result)
    elif result.clearing is None:
        sys.stdout.write(result_json(result) + "\n")
    else:
        sys.stdout.write(clearing_json(result.orders, place, result.clearing) + "\n")
    return 0


def _cleared(orders: Path, feeder: Path | None, mechanism: Mechanism) -> tuple[Feeder | None, MarketResult]:
    """The feeder and the result. Raises FileError with every mistake, each with its file."""
    tree = None if feeder is None else read_feeder(feeder)
    names = None if tree is None else {branch.name: index for index, branch in enumerate(tree.branches)}
    listed = read_orders(orders, names)
    try:
        return tree, run(mechanism, listed, tree)
    except FeederError as error:
        raise FileError((f"{feeder}: {error}",)) from error
    except InputError as error:
        raise FileError((f"{orders}: {error}",)) from error
