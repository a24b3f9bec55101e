"""What a node's ledger says, kept for answering: the last blocks with what followed from them, and the tip.

Built from replayed blocks alone, so everything the page shows of the cell was verified here. Energies mWh, prices
µ/kWh, money pico-currency; injection positive.
"""

from collections import deque
from dataclasses import dataclass, field

from ledger.chain.attendance import Attendance, attendance
from ledger.chain.chain import Tip
from ledger.chain.replay import Replayed
from ledger.heads import Head
from ledger.records.blocks import Header
from ledger.records.genesis import Genesis
from ledger.records.votes import Certificate
from market.cell_state import CellState
from market.outcomes import BlockOutcomes, ClearingOutcome, SettlementLine
from market.reporting.report import Report, build_report
from market.rules import TariffStep
from market.virtual_battery.book import Aggregators

BLOCKS_KEPT = 3_000
"""blocks answered about: a month of quarter hours; older ones are in the ledger and its reports."""
ATTENDANCE_BLOCKS = 33
"""blocks over which it is told who signed: the certificates of 32."""


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """One decided block and what followed from it; `aggregators` says who bid for whom in its auction."""

    id: bytes
    header: Header
    certificate: Certificate
    heads: tuple[Head, ...]
    outcomes: BlockOutcomes
    aggregators: Aggregators

    @property
    def clearing(self) -> ClearingOutcome:
        """The auction of its last interval."""
        return self.outcomes.clearing


@dataclass(slots=True)
class CellHistory:
    """The blocks of one cell as one node holds them; `base` is the height before the first that was replayed."""

    genesis: Genesis
    tip: Tip[CellState] | None = None
    base: int = 0
    blocks: deque[KeptBlock] = field(default_factory=lambda: deque(maxlen=BLOCKS_KEPT))
    lines: dict[int, dict[bytes, SettlementLine]] = field(default_factory=dict)
    tariffs: dict[int, TariffStep] = field(default_factory=dict)
    _recent: deque[Replayed[CellState]] = field(default_factory=lambda: deque(maxlen=ATTENDANCE_BLOCKS))
    _by_interval: dict[int, KeptBlock] = field(default_factory=dict)
    _report: Report | None = None

    def begin(self, tip: Tip[CellState]) -> None:
        """Forget everything; the blocks that come next follow this tip."""
        self.tip, self.base, self._report = tip, tip.height, None
        for each in (self.blocks, self._recent):
            each.clear()
        for known in (self.lines, self.tariffs, self._by_interval):
            known.clear()

    def add(self, replayed: Replayed[CellState]) -> KeptBlock:
        """Take the next block."""
        assert isinstance(replayed.outcomes, BlockOutcomes)
        pending = replayed.tip.state.pending
        block = KeptBlock(
            replayed.tip.header_id,
            replayed.block.header,
            replayed.certificate,
            replayed.block.heads,
            replayed.outcomes,
            {} if pending is None else pending.aggregators,
        )
        if len(self.blocks) == self.blocks.maxlen:
            self._drop(self.blocks[0])
        self.tip, self._report = replayed.tip, None
        self.blocks.append(block)
        self._recent.append(replayed)
        self._by_interval[block.clearing.interval] = block
        for settlement in replayed.outcomes.settlements:
            self.tariffs[settlement.interval] = settlement.tariff
            known = self.lines.setdefault(settlement.interval, {})
            known.update({line.member: line for line in settlement.lines})
        return block

    @property
    def height(self) -> int:
        """The height of the last block that was followed."""
        return 0 if self.tip is None else self.tip.height

    def block(self, height: int) -> KeptBlock | None:
        """The block at a height, if it is kept."""
        if not self.blocks:
            return None
        index = height - self.blocks[0].header.height
        return self.blocks[index] if 0 <= index < len(self.blocks) else None

    def auction(self, interval: int) -> KeptBlock | None:
        """The block that cleared an interval, if it is kept."""
        return self._by_interval.get(interval)

    def fate(self, block: KeptBlock) -> str:
        """What became of a block's clearing: stands, void, or pending until the next block."""
        after = self.block(block.header.height + 1)
        if after is None or after.outcomes.confirmation is None:
            return "pending"
        return "stands" if after.outcomes.confirmation.stands else "void"

    def attendance(self) -> dict[bytes, Attendance]:
        """Who signed of late, by member id."""
        return attendance(self._recent)

    def report(self) -> Report | None:
        """The report over the kept blocks, made once per block; None before the first."""
        if self._report is None and self.tip is not None and self.blocks:
            outcomes = (block.outcomes for block in self.blocks)
            self._report = build_report(self.genesis, outcomes, self.tip.state, self.tip.membership)
        return self._report

    def name_of(self, member: bytes) -> str:
        """A member's name, or the start of its id for one nobody knows."""
        if self.tip is not None:
            for known in self.tip.membership.everyone:
                if known.id == member:
                    return known.name.decode()
        return member.hex()[:8]

    def _drop(self, oldest: KeptBlock) -> None:
        self._by_interval.pop(oldest.clearing.interval, None)
        for interval in [each for each in self.lines if each < oldest.clearing.interval]:
            del self.lines[interval]
            self.tariffs.pop(interval, None)
