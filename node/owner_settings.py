"""Shell: what the owner set on the page: kept in a file beside the keys, and in force before the configuration.

The file is read at a start and written whole, durably, before a change counts as made.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from ledger.files.durable_file import flush_directory
from node.config import Config
from node.errors import ConfigError

SETTINGS_FILE = "owner-settings.json"


@dataclass(slots=True)
class OwnerSettings:
    """Reserves by battery, as parts of the capacity, and whether trading is paused."""

    path: Path
    reserves: dict[str, float] = field(default_factory=dict)
    paused: bool = False

    @staticmethod
    def load(directory: Path) -> "OwnerSettings":
        """The settings of a data directory. Raises `ConfigError` for a file that says something else."""
        path = directory / SETTINGS_FILE
        try:
            table = json.loads(path.read_text("utf-8"))
            reserves = {str(name): float(share) for name, share in table["reserves"].items()}
            if not all(0 <= share <= 1 for share in reserves.values()) or not isinstance(
                table["paused"], bool
            ):
                raise ValueError("a reserve is a part from 0 to 1, paused is true or false")
            return OwnerSettings(path, reserves, table["paused"])
        except FileNotFoundError:
            return OwnerSettings(path)
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            raise ConfigError(
                [f"{path}: not what the page wrote ({fault}); remove it to start afresh"]
            ) from fault

    def save(self) -> None:
        """Write them, durably. Raises OSError."""
        draft = self.path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"reserves": self.reserves, "paused": self.paused}, file, indent=1)
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
