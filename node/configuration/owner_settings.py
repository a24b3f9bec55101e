"""Shell: what the owner set on the page: kept in a file beside the keys, and in force before the configuration.

The file is read at a start and written whole, durably, before a change counts as made.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.files.durable_file import flush_directory
from node.configuration.bidding_section import GOALS, BiddingSection
from node.configuration.config import Config
from node.errors import ConfigError

SETTINGS_FILE = "owner-settings.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the owner wants of bidding: the goal, and the floor and cap of prices in currency per kWh."""

    goal: str
    price_floor: float | None = None
    price_cap: float | None = None

    def of(self, section: BiddingSection) -> BiddingSection:
        """A configuration's section with this. Raises ValueError saying why it cannot be."""
        return section.preferring(self.goal, self.price_floor, self.price_cap)


@dataclass(slots=True)
class OwnerSettings:
    """What was set; what is None, or not named, is as configured.

    Reserves by battery as parts of the capacity, whether trading is paused, what is wanted of bidding, the headroom of
    services by name (up and down, W), and whether nobody may look without a token, not even on this machine.
    """

    path: Path
    reserves: dict[str, float] = field(default_factory=dict)
    paused: bool = False
    wanted: Wanted | None = None
    services: dict[str, tuple[float, float]] = field(default_factory=dict)
    private: bool = False

    @staticmethod
    def load(directory: Path) -> "OwnerSettings":
        """The settings of a data directory. Raises `ConfigError` for a file that says something else."""
        path = directory / SETTINGS_FILE
        try:
            return _read(path, json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return OwnerSettings(path)
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise ConfigError(
                [f"{path}: not what the page wrote ({fault}); remove it to start afresh"]
            ) from fault

    def save(self) -> None:
        """Write them, durably. Raises OSError."""
        wanted = self.wanted
        table = {
            "reserves": self.reserves,
            "paused": self.paused,
            "wanted": None if wanted is None else [wanted.goal, wanted.price_floor, wanted.price_cap],
            "services": self.services,
            "private": self.private,
        }
        draft = self.path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(table, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.path)
        flush_directory(self.path.parent)

    def applied_to(self, config: Config) -> Config:
        """The configuration with these reserves in its devices' tables."""
        ders = tuple(
            {**each, "reserve": self.reserves[str(each.get("name"))]}
            if each.get("name") in self.reserves
            else each
            for each in config.site.ders
        )
        return config.model_copy(update={"site": config.site.model_copy(update={"ders": ders})})


def _read(path: Path, table: dict[str, Any]) -> OwnerSettings:
    """The settings in a table, of which a file of an older version has the first two. Raises what is wrong with it."""
    reserves = {str(name): float(share) for name, share in table["reserves"].items()}
    services = {str(name): (float(up), float(down)) for name, (up, down) in table.get("services", {}).items()}
    paused, private, wanted = table["paused"], table.get("private", False), table.get("wanted")
    if not all(0 <= share <= 1 for share in reserves.values()):
        raise ValueError("a reserve is a part from 0 to 1")
    if not isinstance(paused, bool) or not isinstance(private, bool):
        raise ValueError("paused and private are true or false")
    if not all(up >= 0 and down >= 0 for up, down in services.values()):
        raise ValueError("headroom is at least 0 W")
    if wanted is not None:
        goal, floor, cap = wanted
        if goal not in GOALS:
            raise ValueError(f"a goal is one of {', '.join(GOALS)}")
        wanted = Wanted(goal, None if floor is None else float(floor), None if cap is None else float(cap))
    return OwnerSettings(path, reserves, paused, wanted, services, private)
