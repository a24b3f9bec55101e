"""Shell: bugs of the daemon and its storage, each planted by replacing one function; the search in cells must find
every one.

Each says in its docstring what goes wrong. They are taken from what such software gets wrong in the field: a check left
out, an order of two steps exchanged, a bound or a remainder forgotten.
"""

from collections.abc import Callable
from typing import Any

import ledger.files.write_ahead_log
import ledger.membership.evidence
import ledger.records.entries
import ledger.records.votes
import ledger.signing
import market.auction
import market.cell
import market.settlement
import node.agreement.ordering
import node.daemon.turns
from ledger.files.sign_guard import SignGuard
from ledger.files.write_ahead_log import WriteAheadLog
from ledger.membership.members import Membership
from market.cell_state import DSO
from node import events as ev
from node.agreement.gathering import Gathering
from node.agreement.ordering import Ordering
from node.agreement.recall import Recall
from node.agreement.syncing import Syncing
from node.core.core import NodeCore
from node.daemon.turns import Turns
from node.trading.trading import Trading
from sim.cells.faults import Cheat, DiskFault
from sim.cells.plans import Focus
from sim.patches import Patches

Plant = Callable[[Patches], None]


def proposals_not_judged(patches: Patches) -> None:
    """A proposer may censor and take a last look."""
    patches.setattr(node.agreement.ordering, "unfairness", lambda *_, **__: None)


def votes_unverified(patches: Patches) -> None:
    """Signatures of votes and proposals are not verified."""
    patches.setattr(ledger.records.votes, "verify", lambda *_: None)


def entries_unverified(patches: Patches) -> None:
    """Signatures of entries are not verified."""
    patches.setattr(ledger.records.entries, "verify", lambda *_: None)


def cell_left_out_of_signatures(patches: Patches) -> None:
    """What was signed in another cell counts here."""
    prefixes = ledger.signing._PREFIXES
    patches.setattr(ledger.signing, "preimage", lambda kind, cell_id, body: prefixes[kind] + body)


def evidence_unverified(patches: Patches) -> None:
    """Accusations are believed without their signatures."""
    patches.setattr(ledger.membership.evidence, "verify", lambda *_: None)


def sent_before_commit(patches: Patches) -> None:
    """A turn's messages leave before its commit."""

    def run(self: Turns, inputs: Any, effects: list[ev.Effect]) -> None:
        self._outbox.clear()
        self._own_entries.clear()
        self._carry_out(effects, inputs)
        while inputs:
            self._carry_out(self.core.handle(inputs.popleft(), self.now()), inputs)
        for message in self._outbox:
            self._send(message)
        self.signer.log.flush()
        self.store.commit()
        for signed in self._own_entries:
            self.signer.claim(signed)

    patches.setattr(Turns, "_run", run)


def meter_acknowledged_too_early(patches: Patches) -> None:
    """A reading is acknowledged before it is in the feed."""
    read = Trading.read

    def acknowledging(self: Trading, record: Any, now: ev.Now) -> list[ev.Effect]:
        return [ev.AcknowledgeMeter(record.interval)] if now.real_ns % 3 == 0 else read(self, record, now)

    patches.setattr(Trading, "read", acknowledging)


def blocks_not_kept(patches: Patches) -> None:
    """A validator prevotes a block that it has not written down."""
    patches.setattr(node.daemon.turns, "block_records", lambda block: ())


def recall_skipped(patches: Patches) -> None:
    """A node signs after a start without asking its peers what it said before."""
    patches.setattr(Recall, "done", property(lambda self: True))


def guard_not_written(patches: Patches) -> None:
    """What was signed is not claimed in the guard."""
    patches.setattr(SignGuard, "advance_vote", lambda *_: None)
    patches.setattr(SignGuard, "advance_feed", lambda *_: None)


def log_not_resumed(patches: Patches) -> None:
    """After a crash a validator begins its height anew."""
    patches.setattr(Ordering, "resume", lambda self, records, now: [])


def log_not_flushed(patches: Patches) -> None:
    """The write-ahead log is written but never flushed."""

    def flush(self: WriteAheadLog) -> None:
        self._durable = self._size

    patches.setattr(WriteAheadLog, "flush", flush)


def log_without_checksums(patches: Patches) -> None:
    """A torn frame of the write-ahead log is taken for a sound one."""
    head, most = ledger.files.write_ahead_log._HEAD, ledger.files.write_ahead_log.RECORD_BYTES

    def frame_at(content: bytes, offset: int) -> tuple[bytes, int] | None:
        if offset + head.size > len(content):
            return None
        length, durable, _ = head.unpack_from(content, offset)
        record = content[offset + head.size : offset + head.size + length]
        return None if length > most or len(record) < length else (record, durable)

    patches.setattr(ledger.files.write_ahead_log, "_frame_at", frame_at)


def deadline_ignored(patches: Patches) -> None:
    """Devices are told a position after the deadline of its interval."""

    def decided(self: Trading, state: Any, outcomes: Any, timely: bool, now: ev.Now) -> list[ev.Effect]:
        interval = outcomes.clearing.interval
        if self.last_trading_interval is not None and interval > self.last_trading_interval:
            return []
        return [ev.CommandPosition(interval, outcomes.position_of(self.rule.member))]

    patches.setattr(Trading, "decided", decided)


def equivocators_not_frozen(patches: Patches) -> None:
    """Proof of equivocation goes into blocks, and nothing follows."""
    patches.setattr(Membership, "with_frozen", lambda self, members, height: self)


def rent_off_by_one(patches: Patches) -> None:
    """A posting set makes a pico of money."""
    confirm = market.settlement.confirm

    def confirming(cleared: Any, rules: Any) -> Any:
        amounts = confirm(cleared, rules)
        return {account: amount + (account == DSO) for account, amount in amounts.items()}

    patches.setattr(market.settlement, "confirm", confirming)
    patches.setattr(market.cell, "confirm", confirming)


def fill_forgotten(patches: Patches) -> None:
    """The last fill of a clearing is nobody's."""
    parts = market.auction._parts
    patches.setattr(market.auction, "_parts", lambda bids, clearing: parts(bids, clearing)[:-1])


def blocks_not_asked_for(patches: Patches) -> None:
    """Who missed a decision never asks for it."""
    patches.setattr(Syncing, "ask_blocks", lambda self, height: [])


def entries_not_asked_for(patches: Patches) -> None:
    """What gossip loses stays lost."""
    patches.setattr(Syncing, "ask_entries", lambda self, positions, peers: [])


def questions_stay_open(patches: Patches) -> None:
    """A question that failed once is never asked again."""
    patches.setattr(Syncing, "answered", lambda self, peer, tag: None)


def late_orders_included(patches: Patches) -> None:
    """An honest proposer includes what came after the gate."""
    patches.setattr(Gathering, "heads_for", lambda self, interval, gate_ns: self.feeds.heads())


def orders_signed_twice(patches: Patches) -> None:
    """After a restart the own feed continues from what blocks anchored, not from what was said."""
    own_feed = NodeCore.own_feed

    def anchored(self: NodeCore) -> Any:
        place = own_feed(self)
        head = self.ordering.tip.heads.get(self.identity.member)
        return place if place is None or head is None else (head, place[1])

    patches.setattr(NodeCore, "own_feed", anchored)


BUGS = (
    proposals_not_judged,
    votes_unverified,
    entries_unverified,
    cell_left_out_of_signatures,
    evidence_unverified,
    sent_before_commit,
    meter_acknowledged_too_early,
    blocks_not_kept,
    recall_skipped,
    guard_not_written,
    log_not_resumed,
    log_not_flushed,
    log_without_checksums,
    deadline_ignored,
    equivocators_not_frozen,
    rent_off_by_one,
    fill_forgotten,
    blocks_not_asked_for,
    entries_not_asked_for,
    questions_stay_open,
    late_orders_included,
    orders_signed_twice,
)
ALONE = (blocks_not_kept, log_not_flushed)
"""Bugs that a cell of several survives: they are searched for in cells of one."""
FOCUS: dict[Plant, Focus] = {
    proposals_not_judged: Focus(("cheat",), (Cheat.LOOKS_LAST, Cheat.CENSORS)),
    votes_unverified: Focus(("cheat",), (Cheat.FORGES,)),
    entries_unverified: Focus(("cheat",), (Cheat.FORGES,)),
    cell_left_out_of_signatures: Focus(("cheat",), (Cheat.REPLAYS,)),
    evidence_unverified: Focus(("cheat",), (Cheat.ACCUSES_FALSELY,)),
    equivocators_not_frozen: Focus(("cheat",), (Cheat.FORKS_FEED, Cheat.FORKS_VOTES)),
    late_orders_included: Focus(("cheat",), (Cheat.LOOKS_LAST,)),
    recall_skipped: Focus(("backup",)),
    guard_not_written: Focus(("backup",)),
    log_without_checksums: Focus(("disk",), disks=(DiskFault.LOG_ROTS,)),
}
"""The kind of trouble in which a bug shows: there it is hunted, so that a table of all takes minutes and not hours."""
