"""A small cell to play with, as fixtures."""

import pytest
from cell_world import CellWorld


@pytest.fixture(scope="session")
def cell_world() -> type[CellWorld]:
    """The class, for tests that found cells of their own."""
    return CellWorld


@pytest.fixture
def world() -> CellWorld:
    """A fresh cell."""
    return CellWorld()
