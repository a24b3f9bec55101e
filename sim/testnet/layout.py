"""Shell: where a testnet keeps what: one directory for the cell, one per node, one file that says how it was made."""

from pathlib import Path

CELL_DIRECTORY = "cell"
NODES_DIRECTORY = "nodes"
CLOCK_FILE = "clock.toml"
PARAMETERS_FILE = "testnet.json"
PROFILE_FILE = "profile.csv"
DAEMON_LOG = "daemon.log"


def node_directories(directory: Path) -> list[Path]:
    """The node directories of a testnet, by name; empty for a directory that is none."""
    nodes = directory / NODES_DIRECTORY
    return sorted(path for path in nodes.iterdir() if path.is_dir()) if nodes.is_dir() else []
