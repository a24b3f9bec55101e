"""Shell: searches seeded worlds of failing devices for a broken law: `python -m sim.device_faults.search FIRST COUNT`.

Prints how many faults of which kind struck how many kinds of devices, and every violation; status 1 if there is one.
"""

import argparse
import sys

from devices.response.service_files import find_curve
from sim.device_faults.faulty_der import Fault
from sim.device_faults.world import FaultyWorld, Report

CYCLES = 300
"""Cycles per world: half a minute of control, and some stalls."""
SERVICES = ("fcr-ce", "gb-dynamic-containment", "nordic-ffr")


def search(first: int, seeds: int, cycles: int = CYCLES) -> Report:
    """Run the worlds of `seeds` seeds from `first` on."""
    curves = tuple(find_curve(name) for name in SERVICES)
    total = Report()
    for seed in range(first, first + seeds):
        total.add(FaultyWorld(seed, curves).run(cycles))
    return total


def shown(report: Report) -> str:
    """The report as a table."""
    kinds = sorted({kind for kind, _ in report.faults})
    head = ["device", *(fault.value for fault in Fault)]
    rows = [head, *([kind, *(str(report.faults[kind, fault.value]) for fault in Fault)] for kind in kinds)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(
        [
            *lines,
            f"{report.worlds} worlds, {report.devices} devices, {report.cycles} cycles, {report.commands} commands",
            f"{report.real_s / 3600:.2f} hours of control, {report.cell_s / 3600:.1f} hours of physics",
            f"{sum(report.faults.values())} faults, {len(report.broken)} violations",
            *report.broken,
        ]
    )


def main(arguments: list[str]) -> int:
    """The command line: the first seed, and how many."""
    parser = argparse.ArgumentParser(
        description="Search worlds of failing devices for a broken law of safety."
    )
    parser.add_argument("first", type=int, help="the first seed")
    parser.add_argument("count", type=int, help="how many seeds")
    parser.add_argument("--cycles", type=int, default=CYCLES, help="control cycles in each world")
    options = parser.parse_args(arguments)
    report = search(options.first, options.count, options.cycles)
    sys.stdout.write(shown(report) + "\n")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
