"""Shell: devices of a user's own for the first node of a testnet, from a file with tables [[site.ders]]."""

import tomllib
from pathlib import Path

from node.configuration.config import load_config
from node.configuration.config_file import config_text
from node.errors import ConfigError
from node.founding.founding import CONFIG_FILE


def read_devices(path: Path) -> list[dict[str, object]]:
    """The tables of a file that has nothing else, as they stand in a node's configuration. Raises `ConfigError`."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            [f"{path}: no such file; `wattswarm devices scan` prints what belongs into it"]
        ) from None
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError([f"{path}: cannot be read: {fault}"]) from fault
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError([f"{path}: not valid TOML: {fault}"]) from fault
    match table:
        case {"site": {"ders": [dict(), *_] as devices, **others}, **rest} if not others and not rest:
            found: list[dict[str, object]] = devices
            return found
    raise ConfigError([f"{path}: must have tables [[site.ders]] and nothing else"])


def give_devices(node: Path, devices: list[dict[str, object]]) -> None:
    """Add devices to those of a node that does not run yet. Raises `ConfigError` for what it would not start with."""
    path = node / CONFIG_FILE
    table = tomllib.loads(path.read_text("utf-8"))
    table["site"]["ders"] += devices
    path.write_text(config_text(table), "utf-8")
    load_config(path)
