"""Shell: reads a supplier's tariff over time from a CSV file."""

import csv
from pathlib import Path

from market.errors import AmountError, InvalidRules
from market.rules import TariffStep, check_tariff_step
from market.units import price_from_text
from node.errors import ConfigError

COLUMNS = ("from_interval", "import_price", "export_price")


def load_tariff(path: Path) -> tuple[TariffStep, ...]:
    """Tariff steps in ascending order, prices per kWh in the file. Raises `ConfigError`, one message per bad row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.reader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    if not rows or tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise ConfigError([f"{path}: line 1: the columns must be {', '.join(COLUMNS)}"])
    steps: list[TariffStep] = []
    mistakes: list[str] = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        try:
            step = _step(row)
            if steps and step.from_interval <= steps[-1].from_interval:
                raise ValueError(f"from_interval {step.from_interval} is not after the row before")
            steps.append(step)
        except (ValueError, AmountError, InvalidRules) as error:
            mistakes.append(f"{path}: line {number}: {error}")
    if not steps and not mistakes:
        mistakes.append(f"{path}: has no rows")
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(steps)


def _step(row: list[str]) -> TariffStep:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns where {len(COLUMNS)} belong")
    first, import_price, export_price = (cell.strip() for cell in row)
    if not first.isascii() or not first.isdigit():
        raise ValueError(f"from_interval {first!r} is not a whole number")
    step = TariffStep(int(first), price_from_text(import_price), price_from_text(export_price))
    check_tariff_step(step, "tariff")
    return step
