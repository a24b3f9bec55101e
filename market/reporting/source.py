"""Shell: replays the ledger in a node's or a testnet's directory and reports on it.

Every block is verified again on the way (certificates, entries, roots), so a report is never drawn from a
ledger that does not hold.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.chain.replay import replay
from ledger.errors import LedgerError
from ledger.files.directory import GENESIS_FILE, LEDGER_FILE
from ledger.membership.members import Membership
from ledger.records.genesis import Genesis
from ledger.store.private_copy import copy_ledger
from ledger.store.store import Store
from market.cell import EnergyCell
from market.errors import InputError
from market.outcomes import BlockOutcomes
from market.reporting.report import Report, build_report

NODES_DIRECTORY = "nodes"
SHARED_GENESIS = Path("cell") / GENESIS_FILE
"""Where a testnet keeps the genesis of all its nodes, from its own directory."""


@dataclass(frozen=True, slots=True)
class Source:
    """The node directory that was reported on."""

    directory: Path
    report: Report


def read_report(directory: Path) -> Source:
    """The report of a node's directory, or of a testnet's first node whose ledger verifies.

    Raises InputError with one line per ledger that could not be used.
    """
    faults: list[str] = []
    for node in candidates(directory):
        try:
            return Source(node, report_node(node))
        except (LedgerError, OSError) as fault:
            faults.append(f"{node}: {fault}")
    if not faults:
        faults = [
            f"{directory}: holds no {LEDGER_FILE}, and no nodes/ with one; name a node's or a testnet's directory"
        ]
    raise InputError("\n".join(faults))


def candidates(directory: Path) -> list[Path]:
    """The directories that could hold a ledger: this one, or the nodes of a testnet, by name."""
    if (directory / LEDGER_FILE).is_file():
        return [directory]
    nodes = directory / NODES_DIRECTORY
    # A node whose ledger is lost counts: it has a directory, and whoever looks at all nodes should hear of it.
    return sorted(path for path in nodes.iterdir() if path.is_dir()) if nodes.is_dir() else []


def report_node(directory: Path) -> Report:
    """The report of one node's ledger, which a daemon may be writing. Raises LedgerError when it does not hold."""
    outcomes: list[BlockOutcomes] = []
    with opened_ledger(directory) as (genesis, store):
        state = EnergyCell().initial(genesis)
        membership = Membership.founding(genesis)
        for replayed in replay(store, genesis, EnergyCell()):
            state, membership = replayed.tip.state, replayed.tip.membership
            assert isinstance(replayed.outcomes, BlockOutcomes)
            outcomes.append(replayed.outcomes)
    return build_report(genesis, outcomes, state, membership)


@contextmanager
def opened_ledger(directory: Path) -> Iterator[tuple[Genesis, Store]]:
    """The genesis of a node and a private copy of its ledger, which a daemon may be writing. Raises LedgerError."""
    genesis = Genesis.decode(genesis_path(directory).read_bytes())
    with TemporaryDirectory(prefix="wattswarm-report-") as temporary:
        copy = copy_ledger(directory / LEDGER_FILE, Path(temporary))
        with closing(Store.open(copy, genesis.cell_id)) as store:
            yield genesis, store


def genesis_path(directory: Path) -> Path:
    """The node's own genesis, or the one it shares with the other nodes of a testnet."""
    own = directory / GENESIS_FILE
    shared = directory.parent.parent / SHARED_GENESIS
    return shared if not own.is_file() and shared.is_file() else own
