"""What tests of the page share: one ledger, one server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from served_node import ServedNode, alarm, image, record, saved_cell, served


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a member of a cell with some blocks."""
    made = tmp_path_factory.mktemp("cell") / "home-0"
    saved_cell(made)
    return made


@pytest.fixture
def node(directory: Path) -> Iterator[ServedNode]:
    """A node that is served, with an image, a reading and an alarm."""
    with served(directory) as running:
        last = running.watcher.node.interval_at(running.watcher.cell_ns())
        running.tell(image(), record(last - 1), alarm())
        yield running
