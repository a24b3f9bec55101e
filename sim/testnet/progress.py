"""Shell: live progress of a testnet on standard error: a table on a terminal, a line per interval elsewhere."""

import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from market.feeder import Feeder
from market.units import kwh_text, price_text
from sim.testnet.preparation import Prepared
from sim.testnet.processes import Daemon
from sim.testnet.watch import BlockSeen

SHOWN = 12
"""Intervals in the live table."""


class ProgressView:
    """Shows intervals as they are decided. Use as a context manager."""

    def __init__(self, branches: tuple[str, ...], intervals: int) -> None:
        self._console = Console(stderr=True)
        self._branches = branches
        self._intervals = intervals
        self._shown: list[tuple[str, ...]] = []
        self._height = 0
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def __enter__(self) -> "ProgressView":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, prepared: Prepared, daemons: list[Daemon]) -> None:
        """Take what the daemons have logged by now."""
        blocks = {block.height: block for daemon in daemons for block in daemon.view.blocks.values()}
        for height in sorted(blocks):
            if height > self._height and _settled(height, daemons):
                self._height = height
                self._add(prepared, blocks[height], daemons)
        if self._console.is_terminal:
            self._live.update(self._table(daemons), refresh=True)

    def say(self, text: str) -> None:
        """A line of its own, above the table if there is one."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _add(self, prepared: Prepared, block: BlockSeen, daemons: list[Daemon]) -> None:
        start = datetime.fromtimestamp(block.interval * prepared.interval_s, UTC)
        waits = [
            seen.agreement_ms
            for daemon in daemons
            if (seen := daemon.view.blocks.get(block.height)) is not None and seen.agreement_ms is not None
        ]
        holders = sum(block.height in daemon.view.blocks for daemon in daemons)
        row = (
            f"{start:%Y-%m-%d %H:%M}",
            " ".join("-" if price is None else price_text(price) for price in block.prices),
            kwh_text(block.volume),
            f"{max(waits):.0f} ms" if waits else "-",
            f"{holders}/{len(daemons)}",
        )
        self._shown.append(row)
        if not self._console.is_terminal:
            done = block.interval - prepared.first_interval + 1
            text = f"{min(done, self._intervals)}/{self._intervals}  {row[0]}  price {row[1]}  {row[2]} kWh"
            sys.stderr.write(f"{text}  agreed in {row[3]}  held by {row[4]}\n")
            sys.stderr.flush()

    def _table(self, daemons: list[Daemon]) -> Table:
        up = " ".join(
            f"[green]{daemon.name}[/]"
            if daemon.running and daemon.view.listening
            else f"[red]{daemon.name}[/]"
            for daemon in daemons
        )
        table = Table(title=f"{len(self._shown)} blocks; up: {up}", title_justify="left")
        for heading in (
            "interval (UTC)",
            f"price {' / '.join(self._branches)}",
            "kWh",
            "agreed in",
            "held by",
        ):
            table.add_column(heading, justify="right")
        for row in self._shown[-SHOWN:]:
            table.add_row(*row)
        return table


def _settled(height: int, daemons: list[Daemon]) -> bool:
    """Whether a majority holds the block, so that its line says something."""
    return 2 * sum(height in daemon.view.blocks for daemon in daemons) > len(daemons)


def branch_names(feeder: Feeder) -> tuple[str, ...]:
    """The branches in the order of the agreed rules."""
    return tuple(feeder.branches[index].name for index in feeder.top_down)
