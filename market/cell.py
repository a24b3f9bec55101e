"""The cell's state function: what a block of entries does to orders, contracts, readings and money."""

from collections.abc import Iterable

from ledger.application import BlockInput
from ledger.genesis import Genesis
from market.cell_state import CellState
from market.outcomes import BlockOutcomes


class EnergyCell:
    """The market as a ledger application; it holds nothing, so one instance serves any number of cells."""

    def initial(self, genesis: Genesis) -> CellState:
        """The state before block 1. Raises `InvalidRules` (an `InvalidGenesis`) naming the field."""
        raise NotImplementedError

    def apply(self, state: CellState, block: BlockInput) -> tuple[CellState, BlockOutcomes]:
        """The state after a block and what followed from it; never raises on what members wrote."""
        raise NotImplementedError

    def leaves(self, state: CellState) -> Iterable[tuple[bytes, bytes]]:
        """The state as leaves, ascending by key."""
        raise NotImplementedError
