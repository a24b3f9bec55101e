"""Shell: a testnet of several cells for people: a line per interval while it runs, and tables when it is over."""

import sys
from datetime import UTC, datetime

from rich.table import Table

from market.terminal import table_console
from market.units import price_text
from sim.testnet.federation.summary import CellsSummary
from sim.testnet.processes import Daemon


class CellsProgress:
    """Writes a line to standard error for every interval that all cells have decided."""

    def __init__(self, intervals: int, interval_s: int) -> None:
        self._intervals, self._interval_s = intervals, interval_s
        self._told = -1

    def update(self, names: tuple[str, ...], cells: list[list[Daemon]], first: int) -> None:
        """Take what the daemons have logged by now."""
        decided = min(max(daemon.view.interval for daemon in cell) for cell in cells)
        for interval in range(max(self._told + 1, first), decided + 1):
            prices = (_price(cell, interval) for cell in cells)
            told = "  ".join(f"{name} {price}" for name, price in zip(names, prices, strict=True))
            done = min(interval - first + 1, self._intervals)
            sys.stderr.write(f"{done}/{self._intervals}  {_time(interval, self._interval_s)}  {told}\n")
            sys.stderr.flush()
        self._told = max(self._told, decided)


def show_cells(summary: CellsSummary, interval_s: int) -> None:
    """The cells, what crossed between them, and whether all of it holds."""
    console = table_console()
    cells = Table(title="Cells", title_justify="left")
    for heading in ("cell", "nodes", "blocks", "all nodes hold the same", "ledgers", "mean price"):
        cells.add_column(heading, justify="left" if heading == "cell" else "right")
    for cell in summary["cells"]:
        prices = [price for price in cell["prices"].values() if price is not None]
        cells.add_row(
            cell["name"],
            str(cell["nodes"]),
            str(cell["blocks"]),
            "yes" if cell["agreed"] else "NO",
            "all verify" if cell["verified"] else f"NOT VERIFIED: {cell['faults']}",
            f"{sum(prices) / len(prices):.4f}" if prices else "-",
        )
    console.print(cells)
    crossed = Table(title="Transfers, kWh into the district", title_justify="left")
    for heading in ("interval (UTC)", "street", "decided", "price there", "filled", "price here", "proof"):
        crossed.add_column(heading, justify="left" if heading in {"interval (UTC)", "street"} else "right")
    for each in summary["transfers"]:
        crossed.add_row(
            _time(each["interval"], interval_s),
            each["street"],
            f"{each['contracted_kwh']:.3f}",
            _figure(each["price_in_district"]),
            f"{each['filled_kwh']:.3f}",
            _figure(each["price_in_street"]),
            each["fault"] or ("verified" if each["proven"] else "none in time"),
        )
    console.print(crossed)
    console.print(
        f"{summary['transferred_kwh']:.3f} kWh crossed; {summary['proofs_verified']} proofs verified, "
        f"{summary['without_proof']} transfers without one; prices in {summary['currency']}/kWh"
    )
    console.print("all of it holds" if summary["ok"] else "SOMETHING DOES NOT HOLD: see above")
    console.print(f"kept in {summary['directory']}", soft_wrap=True)


def _price(cell: list[Daemon], interval: int) -> str:
    """The price at the root of a cell, as its daemons logged it."""
    blocks = (block for daemon in cell for block in daemon.view.blocks.values())
    price = next((block.prices[0] for block in blocks if block.interval == interval), None)
    return "-" if price is None else price_text(price)


def _time(interval: int, interval_s: int) -> str:
    return f"{datetime.fromtimestamp(interval * interval_s, UTC):%Y-%m-%d %H:%M}"


def _figure(price: float | None) -> str:
    return "-" if price is None else f"{price:.4f}"
