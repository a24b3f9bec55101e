"""Shell: the daemon's part between cells: cosigns neighbours' logs, and has its own cell's log cosigned by them.

Witnesses have an endpoint of their own: another listening address and another scope of protocols, where only
the configured keys of neighbouring cells are let in, and which leads to nothing but this. So the class of a
connection is decided before its first stream, and the cell's own network never sees a stranger.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import trio

from ledger.chain.chain import Tip, genesis_tip
from ledger.chain.epochs import CertifiedHeader, EpochLink
from ledger.chain.header_log import HeaderLog
from ledger.chain.replay import first_tip, replay, stored_cover
from ledger.errors import DoubleSign, PeerError
from ledger.files.directory import COSIGNATURES_FILE, WITNESS_FILE
from ledger.merkle import Frontier
from ledger.records.blocks import decode_block
from ledger.records.genesis import Genesis
from ledger.records.votes import Certificate
from ledger.store.store import Store
from ledger.witnesses.asking import Asking, CellHistory
from ledger.witnesses.book import Witness, WitnessBook
from ledger.witnesses.cosignatures import load_cosignatures, save_cosignatures
from ledger.witnesses.messages import Cosignature
from ledger.witnesses.witness import ForkShown
from market.cell import EnergyCell
from market.cell_state import CellState
from node.constants import (
    REQUEST_TIMEOUT_S,
    WITNESS_BLOCKS_PER_LOOK,
    WITNESS_EVERY_S,
    WITNESS_REQUESTS_PER_PEER_BURST,
    WITNESS_REQUESTS_PER_PEER_PER_S,
    RateLimits,
)
from node.daemon.neighbours import Neighbour
from node.daemon.signer import Signer
from node.transport.errors import RequestFailed, RequestRefused
from node.transport.interface import Transport

if TYPE_CHECKING:
    from trio_typing import TaskStatus

WITNESS_SCOPE: Final = sha256(b"wattswarm/v1/witness").digest()
"""Stands where the cell's id stands in the names of protocols within a cell: witnesses share no cell."""

WITNESS_RATES: Final = RateLimits(
    requests_per_peer=WITNESS_REQUESTS_PER_PEER_PER_S, requests_burst=WITNESS_REQUESTS_PER_PEER_BURST
)
"""What a neighbour may ask of the witness transport."""


class Witnessing:
    """Both directions, over one transport of the witness scope; `present` gives the present tip and whether
    this node may sign.
    """

    def __init__(
        self,
        directory: Path,
        genesis: Genesis,
        store: Store,
        signer: Signer,
        neighbours: tuple[Neighbour, ...],
        transport: Transport,
        present: Callable[[], tuple[Tip[CellState], bool]],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._genesis = genesis
        self._store = store
        self._transport = transport
        self._present = present
        self._log = log
        self._peers = {key: places for each in neighbours for key, places in each.peers.items()}
        self._file = directory / COSIGNATURES_FILE
        self._book = WitnessBook.open(directory / WITNESS_FILE)
        cells = {each.genesis.cell_id: each.genesis for each in neighbours}
        self._witness = Witness(signer.identity_key, self._book, cells)
        self._sets: dict[bytes, tuple[bytes, ...]] = {}
        self._history = CellHistory(genesis.cell_id, self._certified, self._keys)
        held = load_cosignatures(self._file, genesis.cell_id)
        self._asking = [Asking(key, self._history, held.get(key)) for key in sorted(self._peers)]
        self._reported: set[str] = set()
        self._behind: set[bytes] = set()

    async def run(self, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, answer and ask until cancelled. Raises AddressInUse, and OSError when memory cannot be written."""
        self._transport.set_members(self._peers)
        self._transport.serve(self._answer)
        try:
            async with trio.open_nursery() as nursery:
                addresses = await nursery.start(self._transport.run)
                self._log.info("witnessing", addresses=list(addresses), witnesses=len(self._peers))
                nursery.start_soon(self._hear_nothing)
                nursery.start_soon(self._ask_all)
                task_status.started()
        finally:
            self._book.close()

    async def _hear_nothing(self) -> None:
        """Between cells there are questions and answers only: whatever else a neighbour sends is dropped."""
        async for _ in self._transport.events:
            pass

    async def _answer(self, peer: bytes, request: bytes) -> bytes:
        _, may_sign = self._present()
        if not may_sign:
            raise RequestRefused("this node does not sign yet")
        try:
            return self._witness.answer(request, time.time_ns()).encode()
        except ForkShown as fork:
            self._report_once(peer, str(fork))
            raise RequestRefused(str(fork)) from fork
        except (PeerError, DoubleSign) as fault:
            raise RequestRefused(str(fault)) from fault

    def _report_once(self, peer: bytes, reason: str) -> None:
        if reason not in self._reported and len(self._reported) < len(self._peers):
            self._reported.add(reason)
            self._log.error("witness_fork", peer=peer.hex()[:16], reason=reason)

    async def _ask_all(self) -> None:
        while True:
            await self._look_at_new_blocks()
            async with trio.open_nursery() as nursery:
                for asking in self._asking:
                    if asking.contradiction is not None:
                        self._report_once(asking.witness, asking.contradiction)
                    elif asking.behind and asking.witness not in self._behind:
                        self._behind.add(asking.witness)
                        self._log.warning("witness_behind", witness=asking.witness.hex()[:16])
                    elif asking.witness in self._transport.peers():
                        nursery.start_soon(self._ask, asking)
            await trio.sleep(WITNESS_EVERY_S)

    async def _look_at_new_blocks(self) -> None:
        """Take new headers into the history, a few at a time: there may be years of them after a start.

        The present validators are noted each time, so that a change is known without replaying the chain.
        """
        if self._store.height():
            self._sets |= _sets_of(self._present()[0])
        if self._store.base() > self._history.height:
            base, links = _beginning(self._store, self._genesis)
            self._history.log, self._history.links = HeaderLog(base), list(links)
        while self._history.height < self._store.height():
            through = min(self._store.height(), self._history.height + WITNESS_BLOCKS_PER_LOOK)
            for height in range(self._history.height + 1, through + 1):
                self._history.append(self._certified(height).header)
            await trio.lowlevel.checkpoint()

    async def _ask(self, asking: Asking) -> None:
        """One question, and a second one when the witness says that it remembers something else."""
        for _ in range(2):
            question = asking.question()
            if question is None:
                return
            try:
                reply = await self._transport.request(asking.witness, question, REQUEST_TIMEOUT_S)
                cosignature = asking.heard(reply)
            except (RequestFailed, PeerError):
                return
            if cosignature is not None:
                self._keep(cosignature)
                return

    def _keep(self, cosignature: Cosignature) -> None:
        save_cosignatures(self._file, (asking.last for asking in self._asking if asking.last is not None))
        self._log.info("cosigned", witness=cosignature.signer.hex()[:16], height=cosignature.checkpoint.size)

    def _certified(self, height: int) -> CertifiedHeader:
        row = self._store.block(height)
        if row is None:
            founders = genesis_tip(self._genesis, EnergyCell()).validators
            cover = stored_cover(self._store, height, self._genesis, founders)
            return CertifiedHeader(cover.header, cover.certificate)
        return CertifiedHeader(decode_block(row.block).header, Certificate.decode(row.certificate))

    def _keys(self, validators_hash: bytes) -> tuple[bytes, ...]:
        """The consensus keys of the validators with this hash, which some header of the chain names."""
        tip, _ = self._present()
        self._sets |= _sets_of(tip)
        if validators_hash not in self._sets:
            for replayed in replay(self._store, self._genesis, EnergyCell()):
                self._sets |= _sets_of(replayed.tip)
        return self._sets[validators_hash]


def _beginning(store: Store, genesis: Genesis) -> tuple[Frontier, tuple[EpochLink, ...]]:
    """The header log up to where a store begins, and all changes of validators that its newest snapshot has."""
    cell = EnergyCell()
    founders = genesis_tip(genesis, cell).validators
    newest = max(store.snapshots(), default=0)
    links = stored_cover(store, newest, genesis, founders).epochs if newest else ()
    return first_tip(store, genesis, cell).log, links


def _sets_of(tip: Tip[CellState]) -> Mapping[bytes, tuple[bytes, ...]]:
    def sets() -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        for validators in (tip.deciders, tip.validators, tip.next_validators):
            if validators is not None:
                yield validators.hash(), validators.keys

    return dict(sets())
