"""Shell: reads which neighbouring cells this node witnesses, and by whom its own cell is witnessed."""

import re
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InvalidGenesis
from ledger.records.genesis import Genesis
from node.configuration.config import Config, WitnessedCell
from node.errors import ConfigError

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbouring cell, and the addresses of those of its nodes that witness and are witnessed, by feed key."""

    genesis: Genesis
    peers: dict[bytes, tuple[str, ...]]


def read_neighbours(config: Config, own_cell: bytes) -> tuple[Neighbour, ...]:
    """The cells of the configuration's `witness` section. Raises `ConfigError` with one message per mistake."""
    witness = config.witness
    if witness.cells and witness.listen is None:
        raise ConfigError(["witness.listen: is missing; neighbouring cells are to reach this node there"])
    neighbours: list[Neighbour] = []
    mistakes: list[str] = []
    for index, cell in enumerate(witness.cells):
        where = f"witness.cells.{index}"
        try:
            neighbours.append(_neighbour(config, cell, where))
        except ConfigError as error:
            mistakes += error.mistakes
            continue
        cell_id = neighbours[-1].genesis.cell_id
        if cell_id == own_cell:
            mistakes.append(f"{where}.genesis: is this node's own cell, which cannot witness itself")
        if any(known.genesis.cell_id == cell_id for known in neighbours[:-1]):
            mistakes.append(f"{where}.genesis: cell {cell_id.hex()} is listed twice")
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(neighbours)


def _neighbour(config: Config, cell: WitnessedCell, where: str) -> Neighbour:
    path = (Path(config.file).parent / cell.genesis).resolve()
    try:
        genesis = Genesis.decode(path.read_bytes())
    except (OSError, InvalidGenesis) as error:
        raise ConfigError([f"{where}.genesis: {path}: {error}"]) from error
    named = {member.name.decode(): member.feed_key for member in genesis.members}
    peers: dict[bytes, tuple[str, ...]] = {}
    for name, addresses in cell.peers.items():
        if name not in named and not _KEY.fullmatch(name):
            known = ", ".join(sorted(named))
            raise ConfigError([f"{where}.peers.{name}: no member of that cell, which has {known}, nor a key"])
        peers[named[name] if name in named else bytes.fromhex(name)] = addresses
    return Neighbour(genesis, peers)
