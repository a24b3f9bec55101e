"""The daemon's core: `handle(input, now) -> effects`. Composes gathering, ordering, syncing, recall and trading.

Sans-IO: it reads no clock, signs nothing and sends nothing. Everything from a peer is hostile: what breaks a rule is
counted under its reason and dropped. What only a bug of ours can cause propagates and ends the process.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from devices.messages.control_messages import Attached, MeterRecord
from ledger.agreement.events import Record
from ledger.agreement.standing import Standing
from ledger.chain.chain import Tip
from ledger.errors import MissingEntries, PeerError
from ledger.heads import Head
from ledger.records.blocks import Block
from ledger.records.votes import Certificate
from ledger.sync.ingest import Ingested
from ledger.sync.replication import (
    Position,
    anchored_positions,
    feed_positions,
    read_block_reply,
    read_feeds_reply,
    read_recall_reply,
    recall_request,
)
from market.cell_state import CellState
from market.outcomes import BlockOutcomes
from node import events as ev
from node.agreement import belonging
from node.agreement.gathering import Gathering
from node.agreement.joining import Joining
from node.agreement.ordering import Ordering
from node.agreement.recall import Recall, Remembered, missing_reports, not_remembered
from node.agreement.steps import Decided, Halt, Step, WantAnswers, WantBlock, WantEntries, block_report
from node.agreement.syncing import BLOCK, BLOCKS, FEEDS, PART, RECALL, SNAPSHOT, Syncing
from node.agreement.timeliness import Attention
from node.agreement.timers import Timers
from node.constants import CAPACITY, CAPACITY_EVERY_NS, ENTRIES, STATUS_EVERY_NS
from node.core.serving import Serving
from node.events import Effect, Now
from node.instructions import Instructions
from node.trading import trading_together as together
from node.trading.capacities import Capacities
from node.trading.trading import Trading
from node.wire import (
    CertificateFrame,
    ProposalFrame,
    StandingFrame,
    StatusFrame,
    VoteFrame,
    decode_frame,
    encode_frame,
)


@dataclass(slots=True)
class NodeCore:
    """One member's daemon, without its shell. `remembered` is asked when a peer recalls our words."""

    identity: belonging.Identity
    gathering: Gathering
    ordering: Ordering[CellState]
    trading: Trading | None
    recall: Recall
    remembered: Remembered
    joining: Joining
    serving: Serving
    read_only: str | None = None
    records: tuple[Record, ...] = ()
    syncing: Syncing = field(default_factory=Syncing)
    capacities: Capacities = field(default_factory=Capacities)
    counters: Counter[str] = field(default_factory=Counter)
    instructions: Instructions = field(default_factory=Instructions)
    begin_trading: Callable[[Tip[CellState], Now], Trading | None] | None = None
    devices: Attached | None = None
    active: bool = False
    waits_out: int = 0
    timers: Timers[str] = field(default_factory=Timers)
    _wanted: tuple[Head, ...] = ()
    _unread: dict[int, MeterRecord] = field(default_factory=dict)

    def start(self, now: Now) -> list[Effect]:
        """The first effects of a run."""
        for what in ("status", "capacity"):
            self.timers.at(now.real_ns, what)
        self.ordering.schedule_opening(now)
        resumed = self._follow(self.ordering.resume(self.records, now), now)
        return [*self._say_what_is_missing(), *resumed, *self._activate(now)]

    def _say_what_is_missing(self) -> list[Effect]:
        held, height = self._remembers_all(), self.ordering.tip.height
        return missing_reports(self.read_only, self.remembered, height, covered=held)

    def _remembers_all(self) -> bool:
        """Whether the ledger holds all that the sign guard let through."""
        own = self.gathering.own_position(self.identity.member)
        return self.remembered.covered_by(own, self.ordering.tip.height)

    def own_feed(self) -> tuple[Head | None, int] | None:
        """The head of our own feed, and the incarnation the next entry belongs to; None while it may not grow."""
        member = self.identity.present(self.gathering.membership)
        if member is None or not self.gathering.feeds.may_grow(member.id):
            return None
        return self.gathering.feeds.head(member.id), member.incarnation

    def next_timer(self, now: Now) -> int | None:
        """The real time at which `TimerDue` is wanted next."""
        bid_ns = None if self.trading is None or not self.active else self.trading.next_order_ns(now.cell_ns)
        times = (
            self.timers.next(),
            self.ordering.timers.next(),
            self.syncing.next_ns(),
            None if bid_ns is None else now.real_of(bid_ns),
        )
        return min((at for at in times if at is not None), default=None)

    def handle(self, input_: ev.Input, now: Now) -> list[Effect]:
        """Take one input; carry out the effects in order."""
        match input_:
            case ev.GossipReceived():
                return self._guarded("gossip", self._gossip, input_, now)
            case ev.FrameReceived():
                return self._guarded("frame", self._frame, input_, now)
            case ev.ReplyReceived(peer, tag, data):
                self.syncing.answered(peer, tag)
                if data is None:
                    self.counters["requests_failed"] += 1
                    self.joining.unanswered(peer, tag)
                    return []
                effects = self._guarded("reply", self._reply, peer, tag, data, now)
                return [*effects, *self._activate(now)]
            case ev.PeerConnected(peer):
                self.capacities.greet()
                return self._peer_up(peer)
            case ev.PeerLost(peer):
                self.syncing.down(peer)
                self.joining.gone(peer)
                self.capacities.forget(peer)
                return [ev.Report("peer_lost", {"peer": peer.hex()[:16], "peers": len(self.syncing.peers)})]
            case ev.TimerDue():
                return self._timers_due(now)
            case ev.VoteSigned(vote):
                return self._follow(self.ordering.signed(vote, now), now)
            case ev.ProposalSigned(proposal):
                return self._follow(self.ordering.signed(proposal, now), now)
            case ev.EntrySigned(entry):
                self.gathering.take_own(entry, now)
                stored = self._trade(lambda t: t.entry_stored(entry.entry.kind, entry.entry.interval))
                return [ev.Publish(ENTRIES, entry.envelope), *stored, *self.serving.heard((entry,))]
            case ev.MeterRead(record):
                if not self.active:
                    self._unread[record.interval] = record
                    return []
                return self.serving.metered(record, self.trading, now)
            case ev.DevicesMeasured(image):
                self.serving.measured(image)
                return self._tell_trading(lambda t: t.measured(image))
            case ev.OperatorInstructed():
                may_speak = self.active and self.own_feed() is not None
                return self.instructions.take(input_, now) if may_speak else []
            case ev.ControlAttached(attached):
                self.devices = attached
                self._tell_trading(lambda t: t.attached(attached))
                return [ev.Report("control", {"pid": attached.pid}), *self.serving.attached(now)]
            case ev.AlarmChanged(alarm):
                return self.serving.alarm(alarm)
            case ev.LoopStalled():
                self.ordering.attention = Attention(now.cell_ns)
                return [ev.Report("stalled", {"ms": (now.real_ns - input_.since_real_ns) // 1_000_000})]
            case _:
                assert_never(input_)

    def _guarded(self, source: str, handle: Callable[..., list[Any]], *arguments: object) -> list[Any]:
        try:
            return handle(*arguments)
        except PeerError as fault:
            self.counters[f"{source}_refused_{type(fault).__name__}"] += 1
            return []

    def _gossip(self, gossip: ev.GossipReceived, now: Now) -> list[Effect]:
        if gossip.topic == ENTRIES:
            return self._took(self.gathering.take((gossip.data,), now), (gossip.author,), now)
        if gossip.topic == CAPACITY:
            self.capacities.hear(gossip.author, gossip.data)
        return []

    def _frame(self, frame: ev.FrameReceived, now: Now) -> list[Effect]:
        match decode_frame(frame.data):
            case VoteFrame(envelope):
                return self._follow(self.ordering.vote(envelope, now), now)
            case ProposalFrame(envelope, block):
                return self._follow(self.ordering.proposal(envelope, block, now), now)
            case CertificateFrame(certificate):
                return self._follow(self.ordering.certificate(certificate, now), now)
            case StandingFrame(standing):
                asked = Standing.decode(standing)
                answers = self.ordering.answer(asked) if self.syncing.may_answer(frame.peer, now) else ()
                return [ev.Send(frame.peer, answer) for answer in answers]
            case StatusFrame(height):
                self.syncing.claims(frame.peer, height)
                return self.syncing.ask_blocks(self.ordering.tip.height)

    def _reply(self, peer: bytes, tag: str, data: bytes, now: Now) -> list[Effect]:
        kind, _, argument = tag.partition(":")
        if kind == FEEDS:
            reply = read_feeds_reply(data)
            effects = self._took(self.gathering.take(reply.envelopes, now), (peer,), now)
            again = reply.more and self.gathering.learned
            return [*effects, *(self.syncing.ask_entries(self._positions(), (peer,)) if again else [])]
        if kind == BLOCKS:
            blocks = self.joining.blocks_of(peer, data, int(argument))
            instead = self.joining.instead_of(blocks, peer)
            return self._adopt(blocks.blocks, now) if instead is None else instead
        if kind in (SNAPSHOT, PART):
            return self.joining.reply(peer, kind, int(argument), data, now)
        if kind == BLOCK:
            block_id = bytes.fromhex(argument)
            block = read_block_reply(data, self.ordering.cell_id, block_id).block
            return [] if block is None else self._follow(self.ordering.pulled(block, now), now)
        assert kind == RECALL
        return self._recalled(peer, data, now)

    def _adopt(self, blocks: Sequence[tuple[Block, Certificate]], now: Now) -> list[Effect]:
        effects: list[Effect] = []
        for block, certificate in blocks:
            if block.header.height != self.ordering.height:
                continue
            try:
                # One by one: what came before a lie is true and stays.
                adopted = self._guarded("reply", self.ordering.adopt, block, certificate, now)
                effects += self._follow(adopted, now)
            except MissingEntries as missing:
                self._wanted = missing.wanted
                return [*effects, *self._ask_for(missing.wanted)]
        return [*effects, *(self.syncing.ask_blocks(self.ordering.tip.height) if effects else [])]

    def _took(self, taken: Ingested, senders: Iterable[bytes], now: Now) -> list[Effect]:
        self.counters["entries_refused"] += len(taken.refused)
        for fault in taken.faults:
            self.counters[f"entry_refused_{type(fault).__name__}"] += 1
        effects: list[Effect] = []
        for evidence in taken.evidence:
            effects += self._follow(self.ordering.found(evidence), now)
        effects += self.serving.heard(taken.appended)
        if not self.gathering.learned:
            return effects
        if taken.gaps:
            effects += self.syncing.ask_entries(self._positions(), senders)
        return [*effects, *self._try_again(now)]

    def _try_again(self, now: Now) -> list[Effect]:
        """Try again what waited for entries or a block."""
        effects = self._follow(self.ordering.retry(now), now)
        if not self._wanted:
            return effects
        self._wanted = ()  # the blocks that waited for them may do now: ask for them again
        return [*effects, *self.syncing.ask_blocks(self.ordering.tip.height)]

    def _peer_up(self, peer: bytes) -> list[Effect]:
        self.syncing.up(peer)
        effects: list[Effect] = [
            ev.Report("peer_up", {"peer": peer.hex()[:16], "peers": len(self.syncing.peers)}),
            ev.Send(peer, encode_frame(StatusFrame(self.ordering.tip.height))),
            *self.syncing.ask_entries(self._positions(), (peer,)),
        ]
        return effects if self.active else [*effects, *self._ask_recall(peer)]

    def _ask_recall(self, peer: bytes) -> list[Effect]:
        request = recall_request(self.identity.member, self.identity.consensus_key)
        return self.syncing.ask_recall(peer, request)

    def _recalled(self, peer: bytes, data: bytes, now: Now) -> list[Effect]:
        keys = self.identity.feed_keys(self.gathering.membership)
        recalled = read_recall_reply(data, self.ordering.cell_id, keys, self.identity.consensus_key)
        self.syncing.claims(peer, recalled.height)
        if self.active:
            return []
        found = self.recall.hear(peer, recalled, self.remembered)
        if found is not None and self.read_only is None:
            self.read_only = not_remembered(found)
            return self._say_what_is_missing()
        return self.syncing.ask_blocks(self.ordering.tip.height)

    def _activate(self, now: Now) -> list[Effect]:
        if self.active or self.read_only is not None or not (self.recall.done and self._remembers_all()):
            return []
        self.read_only = self.joining.forgotten
        if self.read_only is not None:
            return self._say_what_is_missing()
        self.active = True
        steps = self.ordering.let_vote(now) if self.remembered.vote is None else []
        if self.remembered.vote is not None:
            self.waits_out = self.ordering.height
            wait_ns = 2 * self.ordering.calendar.interval_ns // now.speed
            self.timers.at(now.real_ns + wait_ns, "waited")
        fields: dict[str, object] = {"height": self.ordering.tip.height, "waits_out": self.waits_out}
        unread, self._unread = self._unread, {}
        read = [said for each in unread.values() for said in self.serving.metered(each, self.trading, now)]
        return [ev.Report("active", fields), *self._follow(steps, now), *read]

    def _timers_due(self, now: Now) -> list[Effect]:
        effects: list[Effect] = []
        for what in self.timers.take_due(now.real_ns):
            effects += self._periodic(what, now)
        effects += self._follow(self.ordering.due(now), now)
        routine = self.syncing.routine(self._positions(), self.ordering.tip.height, now)
        if routine:
            effects += [*self._try_again(now), *routine]
        if self.active:
            effects += self._trade(lambda t: together.bid(t, self.capacities, self.ordering.tip, now))
        return effects

    def _periodic(self, what: str, now: Now) -> list[Effect]:
        match what:
            case "status":
                self.timers.at(now.real_ns + STATUS_EVERY_NS, "status")
                self.ordering.schedule_opening(now)  # again: the clock may have been behind at the last time
                asked = () if self.active or self.read_only is not None else self.syncing.peers
                recalls = [effect for peer in asked for effect in self._ask_recall(peer)]
                return [ev.Broadcast(encode_frame(StatusFrame(self.ordering.tip.height))), *recalls]
            case "capacity":
                self.timers.at(now.real_ns + CAPACITY_EVERY_NS, "capacity")
                said = self._trade(lambda t: together.say(t, self.capacities, self.ordering.tip, now))
                may_speak = self.active and self.own_feed() is not None
                return [*said, *self.serving.due(self.capacities, active=may_speak, now=now)]
            case _:
                return self._follow(self.ordering.let_vote(now), now)

    def _follow(self, steps: Iterable[Step[CellState]], now: Now) -> list[Effect]:
        """Turn what ordering asks for into effects."""
        effects: list[Effect] = []
        for step in steps:
            match step:
                case Decided():
                    effects += self._decided(step, now)
                case WantBlock(block_id, holders):
                    voted = belonging.feed_keys_of(self.ordering.tip.membership, holders)
                    effects += self.syncing.ask_block(block_id, voted)
                case WantEntries(heads):
                    effects += self._ask_for(heads)
                case WantAnswers(standing):
                    effects += self.syncing.compare(standing)
                case Halt(reason):
                    again, self.active, self.read_only = self.read_only is not None, False, reason
                    effects += [] if again else self._say_what_is_missing()
                case _:
                    effects.append(step)
        return effects

    def _ask_for(self, heads: Iterable[Head]) -> list[Effect]:
        """Ask for the entries that lead to these heads, from what is anchored on: it may be another branch."""
        return self.syncing.ask_entries(anchored_positions(self.ordering.tip, heads), self.syncing.peers)

    def _decided(self, decided: Decided[CellState], now: Now) -> list[Effect]:
        tip, header, outcomes = decided.tip, decided.block.header, decided.outcomes
        changed = belonging.members_changed(self.gathering.membership, tip.membership)
        self.gathering.anchor(tip.membership, decided.block.heads, tip.last_interval, now)
        voting = self.ordering.let_vote(now) if self.active and tip.height >= self.waits_out else []
        assert isinstance(outcomes, BlockOutcomes)
        timely = decided.certificate.round - header.round <= tip.genesis.last_timely_round
        effects = self._trade(lambda t: together.decided(t, self.capacities, tip, outcomes, timely, now))
        if changed:
            self.recall.needed = belonging.confirmations_needed(tip.membership, self.identity.member)
            self.capacities.keep(key for key, _ in belonging.connectable(tip.membership))
        self._begin_or_end_trading(now)
        return [
            block_report(decided, outcomes, self.capacities.headroom_mw(), now),
            *changed,
            *effects,
            *self.serving.decided(tip, outcomes, timely=timely, active=self.active, now=now),
            ev.Broadcast(encode_frame(StatusFrame(tip.height))),
            *self._follow(voting, now),
            *self.joining.due(decided),
        ]

    def _begin_or_end_trading(self, now: Now) -> None:
        """We trade from when the cell has a metering point of ours until it has none any more."""
        if self.gathering.membership.by_id(self.identity.member) is None:
            self.trading = None
        elif self.trading is None and self.begin_trading is not None:
            self.trading = self.begin_trading(self.ordering.tip, now)
            if self.trading is not None and self.devices is not None:
                self.trading.attached(self.devices)

    def _positions(self) -> tuple[Position, ...]:
        """Up to where we hold each member's feed."""
        return feed_positions(self.gathering.feeds, self.ordering.tip.membership)

    def _trade(self, act: Callable[[Trading], list[Effect]]) -> list[Effect]:
        return [] if self.trading is None else act(self.trading)

    def _tell_trading(self, tell: Callable[[Trading], None]) -> list[Effect]:
        if self.trading is not None:
            tell(self.trading)
        return []
