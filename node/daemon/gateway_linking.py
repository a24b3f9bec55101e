"""Shell: the daemon's part in a gateway: one line to the operator's node in the other cell, and the core on this side.

The line is a transport of its own scope, where only the other node's key is let in. The core is told of every block
that this node decided, derived once more from the ledger, and what it says goes into the feed like an operator's
instruction: logged, guarded and signed with everything else.
"""

from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import structlog
import trio

from ledger.chain.chain import Tip, extend
from ledger.chain.epochs import CertifiedHeader
from ledger.chain.proofs import prove_outcome
from ledger.errors import MissingEntries, PeerError
from ledger.records.blocks import decode_block
from ledger.records.votes import Certificate
from market.cell import EnergyCell
from market.cell_state import CellState
from market.errors import MalformedPayload
from market.federation.gateway_order import curve_of_cell, gateway_order
from market.intervals import Calendar
from market.outcomes import PART_KEY, BlockOutcomes
from market.payloads import Curve, decode_order
from market.rules import CellRules
from market.standing_limits import limits_in
from market.units import NS_PER_MS, NS_PER_S
from node.configuration.config import Config
from node.constants import RateLimits
from node.core.core import NodeCore
from node.daemon.startup import Opened
from node.errors import ConfigError
from node.events import Now, OperatorInstructed
from node.gateway.child_side import ChildSide, Say
from node.gateway.messages import AskProof, Offer, decode_request, encode_request
from node.gateway.parent_side import ParentSide
from node.transport.errors import RequestFailed, RequestRefused
from node.transport.interface import Transport

if TYPE_CHECKING:
    from trio_typing import TaskStatus

GATEWAY_SCOPE: Final = sha256(b"wattswarm/v1/gateway").digest()
"""Stands where the cell's id stands in the names of protocols within a cell: the two nodes share none."""
GATEWAY_RATES: Final = RateLimits(requests_per_peer=20.0, requests_burst=60.0)
"""Questions per second: one each of three kinds and a few deliveries, five times a second."""
LOOK_EVERY_S: Final = 0.2
"""Real seconds between looks; a proof has to get through between two gates."""
ANSWER_S: Final = 2.0
"""Real seconds to wait for an answer before asking again."""


class Linking:
    """One side of a gateway, over a transport of the gateway scope; `say` takes what is to be said in this cell."""

    def __init__(
        self,
        config: Config,
        opened: Opened,
        core: NodeCore,
        transport: Transport,
        say: Callable[[OperatorInstructed], Awaitable[None]],
        now: Callable[[], Now],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        section = config.gateway
        assert section.peer is not None
        self._peer, self._places = bytes.fromhex(section.peer), section.addresses
        self._opened, self._core, self._transport = opened, core, transport
        self._say, self._now, self._log = say, now, log
        self._tip: Tip[CellState] = core.ordering.tip
        margin_ns = config.timing.gate_margin_real_ms * NS_PER_MS * config.clock.speed
        rules = self._tip.state.rules
        self._child = None
        self._parent = None
        if section.side == "cell":
            self._child = _child_side(config, rules, self._tip, margin_ns, self._order)
        else:
            self._parent = ParentSide(opened.genesis.cell_id, rules.calendar)

    async def run(self, *, task_status: "TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, answer and ask until cancelled. Raises AddressInUse."""
        self._transport.set_members({self._peer: self._places})
        self._transport.serve(self._answer)
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(self._transport.run)
            self._log.info("gateway", addresses=list(addresses), side="cell" if self._child else "parent")
            nursery.start_soon(self._hear_nothing)
            nursery.start_soon(self._look)
            task_status.started()

    async def _hear_nothing(self) -> None:
        """On this line there are questions and answers only."""
        async for _ in self._transport.events:
            pass

    async def _answer(self, peer: bytes, request: bytes) -> bytes:
        if self._parent is None or not self._may_sign():
            raise RequestRefused("this node answers no gateway now")
        try:
            asked = decode_request(request)
        except PeerError as fault:
            raise RequestRefused(str(fault)) from fault
        self._follow()
        reply, said = self._parent.take(asked, self._now().cell_ns)
        await self._tell(said)
        return reply

    async def _look(self) -> None:
        while True:
            self._follow()
            if self._child is not None and self._may_sign():
                await self._ask(self._child)
                await self._tell(self._child.says(self._now().cell_ns))
            await trio.sleep(LOOK_EVERY_S)

    async def _ask(self, child: ChildSide) -> None:
        if self._peer not in self._transport.peers():
            return
        for request in child.wants(self._now().cell_ns):
            refused = child.refused
            try:
                reply = await self._transport.request(self._peer, encode_request(request), ANSWER_S)
            except (RequestFailed, RequestRefused):
                return
            child.heard(request, reply)
            if child.refused > refused:
                self._log.error("transfer_refused", interval=request.interval)
            elif reply and isinstance(request, Offer):
                self._log.info("transfer_offered", interval=request.interval)
            elif reply and isinstance(request, AskProof):
                self._log.info("transfer_proven", interval=request.interval)

    async def _tell(self, said: Iterable[Say]) -> None:
        for number, each in enumerate(said):
            name = f"gateway-{int(each.kind)}-{each.interval}-{number}"
            await self._say(OperatorInstructed(name, int(each.kind), each.interval, each.payload))

    def _may_sign(self) -> bool:
        return self._core.active and self._core.read_only is None

    def _follow(self) -> None:
        """Tell the core of the blocks that were decided since the last look."""
        present = self._core.ordering.tip
        while self._tip.height < present.height:
            row = self._opened.store.block(self._tip.height + 1)
            if row is None:  # a snapshot lies between: what was decided there concerns no open interval
                self._tip = present
                return
            block = decode_block(row.block)
            try:
                tip, outcomes = extend(
                    self._tip, EnergyCell(), block, self._core.gathering.naming(self._tip, block.heads)
                )
            except MissingEntries:
                self._tip = present
                return
            assert isinstance(outcomes, BlockOutcomes)
            self._tip = tip
            self._decided(CertifiedHeader(block.header, Certificate.decode(row.certificate)), outcomes)

    def _decided(self, certified: CertifiedHeader, outcomes: BlockOutcomes) -> None:
        member, interval = self._opened.member.id, certified.header.last_interval
        part = outcomes.part_of(member)
        if self._child is not None:
            self._child.decided(interval, 0 if part is None else part.position)
        if self._parent is not None:
            links = tuple(
                link for link in self._core.joining.epochs if link.header.height < certified.header.height
            )
            leaf = None if part is None else prove_outcome(outcomes, PART_KEY + member)
            self._parent.decided(certified, leaf, links)
        if part is not None and part.position:
            self._log.info(
                "transfer_cleared", interval=interval, position_mwh=part.position, price=part.price
            )

    def _order(self, interval: int) -> Curve:
        """What the cell could give and take, of the orders that are here by now; nothing in an emergency."""
        state = self._core.ordering.tip.state
        if state.emergency.declared is not None:
            return Curve()
        curves = {member: curve for (at, member), curve in state.curves.items() if at == interval}
        gathering = self._core.gathering
        seen = sorted(
            gathering.orders_for(interval), key=lambda each: (each.member, each.incarnation, each.sequence)
        )
        for order in seen:
            try:
                (signed,) = gathering.entries(
                    order.member, order.incarnation, order.sequence - 1, order.sequence
                )
                curves[order.member] = decode_order(signed.entry.payload)
            except (MissingEntries, MalformedPayload):
                continue
        feeder = state.rules.feeder_for(interval, limits_in(state.limits, interval), state.tariffs)
        tariff = state.rules.tariff_at(interval, state.tariffs)
        at_root = state.rules.tariff_on(0, tariff)  # where the gateway stands
        return gateway_order(curve_of_cell(state.rules, feeder, curves), at_root)


def _child_side(
    config: Config,
    rules: CellRules,
    tip: Tip[CellState],
    margin_ns: int,
    order: Callable[[int], Curve],
) -> ChildSide:
    if rules.parent is None:
        raise ConfigError([f'{config.file}: gateway.side: is "cell", and this cell has no parent'])
    above = Calendar(rules.interval_s, rules.parent.gate_lead_s * NS_PER_S)
    first = max(tip.genesis.first_interval, tip.last_interval + 1)
    return ChildSide(rules.parent, rules.calendar, above, margin_ns, first, order, tip.last_interval)
