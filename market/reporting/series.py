"""What duration curves are made of: the prices of each branch, and mean powers of the settled intervals."""

from market.reporting.report import Report
from market.reporting.tables import kwh, unit_price
from market.units import S_PER_HOUR

DRAWN, FROM_GRID, TO_GRID = "drawn by members", "from the grid", "to the grid"


def branch_prices(report: Report) -> dict[str, list[float | None]]:
    """By branch the price of every interval whose auction stands, currency per kWh; None without trade."""
    names = [branch.name for branch in report.intervals[0].branches] if report.intervals else []
    return {
        name: [unit_price(row.branches[index].price) for row in report.standing]
        for index, name in enumerate(names)
    }


def mean_powers(report: Report) -> dict[str, list[float]]:
    """What members drew in all, and what crossed the grid connection each way; kW, at least 0."""
    settled = [row for row in report.intervals if row.settled]
    energies = {
        DRAWN: [row.consumption for row in settled],
        FROM_GRID: [max(row.consumption - row.contribution, 0) for row in settled],
        TO_GRID: [max(row.contribution - row.consumption, 0) for row in settled],
    }
    per_hour = S_PER_HOUR / report.interval_s
    return {name: [kwh(energy) * per_hour for energy in found] for name, found in energies.items()}
