"""The core as a whole: what it does with hostile bytes, peers that come and go, and its own past."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from devices.messages.control_messages import MeterRecord
from ledger.agreement.standing import Standing
from ledger.encoding import encode
from ledger.records.entries import Entry, author_entry
from ledger.sync.replication import Kind, read_blocks_reply
from market.payloads import Kind as Said
from node import events as ev
from node.agreement.syncing import BLOCKS, FEEDS, RECALL
from node.constants import CAPACITY, ENTRIES
from node.core.core import NodeCore
from node.wire import (
    Capacity,
    CertificateFrame,
    StandingFrame,
    StatusFrame,
    encode_capacity,
    encode_frame,
)
from sim.cells.cluster import Cluster
from sim.cells.faults import ClusterPlan, S
from sim.cells.keys import FIRST_INTERVAL
from sim.cells.node import ClusterNode


def started(size: int = 4) -> tuple[Cluster, ClusterNode]:
    """A node that was just started, in a world in which nothing happens by itself."""
    cluster = Cluster(1, size, 1, ClusterPlan(0, 0.0, 0.0, 1))
    node = cluster.nodes[0]
    node.start()
    return cluster, node


def handle(core: NodeCore, input_: ev.Input, cluster: Cluster) -> list[ev.Effect]:
    return core.handle(input_, cluster.now())


def questions(effects: list[ev.Effect]) -> set[str]:
    return {effect.tag for effect in effects if isinstance(effect, ev.SendRequest)}


def recalled(height: int = 0, entry: bytes | None = None) -> bytes:
    return encode((Kind.RECALL, height, entry, None, None))


def confirm(cluster: Cluster, node: ClusterNode, peers: int) -> list[ev.Effect]:
    """So many peers connect and know nothing of this node."""
    effects: list[ev.Effect] = []
    for keys in cluster.keys[1 : peers + 1]:
        handle(node.core, ev.PeerConnected(keys.public), cluster)
        effects += handle(node.core, ev.ReplyReceived(keys.public, RECALL, recalled()), cluster)
    return effects


@given(st.binary(max_size=200))
def test_hostile_bytes_from_anywhere_are_counted_and_change_nothing(data: bytes) -> None:
    cluster, node = WORLD
    peer = cluster.keys[1].public
    for input_ in (
        ev.GossipReceived(ENTRIES, peer, data),
        ev.GossipReceived(CAPACITY, peer, data),
        ev.FrameReceived(peer, data),
        ev.ReplyReceived(peer, FEEDS, data),
        ev.ReplyReceived(peer, f"{BLOCKS}:1", data),
        ev.ReplyReceived(peer, f"block:{'00' * 32}", data),
    ):
        before = sum(node.core.counters.values())
        effects = handle(node.core, input_, cluster)
        refused = sum(node.core.counters.values()) > before
        assert refused or not any(
            isinstance(effect, ev.StoreBlock | ev.SignVote | ev.SignEntry) for effect in effects
        )
    assert node.core.ordering.tip.height == 0


WORLD = started()


def test_a_topic_that_nobody_agreed_on_is_ignored() -> None:
    cluster, node = started()
    assert handle(node.core, ev.GossipReceived("weather", cluster.keys[1].public, b"sun"), cluster) == []


def test_a_new_peer_is_told_our_height_and_asked_for_entries_and_for_our_own_words() -> None:
    cluster, node = started()
    effects = handle(node.core, ev.PeerConnected(cluster.keys[1].public), cluster)
    assert questions(effects) == {FEEDS, RECALL}
    assert ev.Send(cluster.keys[1].public, encode_frame(StatusFrame(0))) in effects


def test_who_claims_to_be_higher_is_asked_for_blocks_once() -> None:
    cluster, node = started()
    peer = cluster.keys[1].public
    handle(node.core, ev.PeerConnected(peer), cluster)
    status = ev.FrameReceived(peer, encode_frame(StatusFrame(7)))
    assert questions(handle(node.core, status, cluster)) == {f"{BLOCKS}:1"}
    assert questions(handle(node.core, status, cluster)) == set()


def test_who_shows_what_it_holds_is_sent_what_it_lacks_but_not_without_end() -> None:
    cluster = Cluster(1, 1, 1, ClusterPlan(0, 0.0, 0.0, 1))
    assert cluster.run().violation is None
    core, peer = cluster.nodes[0].core, b"p" * 32
    handle(core, ev.PeerConnected(peer), cluster)
    certificate = core.ordering.last_certificate
    assert certificate is not None
    lacking = Standing(certificate.height, frozenset())
    question = ev.FrameReceived(peer, encode_frame(StandingFrame(lacking.encode())))
    answer = encode_frame(CertificateFrame(certificate.encode()))
    assert handle(core, question, cluster) == [ev.Send(peer, answer)]
    assert handle(core, question, cluster) == []


def test_nothing_is_signed_before_enough_peers_confirmed() -> None:
    cluster, node = started()
    confirm(cluster, node, 1)
    assert not node.core.active and not node.core.ordering.can_sign
    confirm(cluster, node, 2)
    assert node.core.active and node.core.ordering.can_sign


def test_a_peer_that_holds_more_of_us_than_we_do_makes_us_read_only() -> None:
    cluster, node = started()
    keys = cluster.keys[0]
    forgotten = author_entry(
        keys.feed, cluster.genesis.cell_id, Entry(keys.public, 0, 0, None, 33, 1, 1, (0, 5, 0))
    )
    handle(node.core, ev.PeerConnected(cluster.keys[1].public), cluster)
    reply = ev.ReplyReceived(cluster.keys[1].public, RECALL, recalled(0, forgotten.envelope))
    (effect,) = handle(node.core, reply, cluster)
    assert isinstance(effect, ev.Report) and effect.event == "read_only"
    assert "our own feed" in str(effect.fields["reason"])
    confirm(cluster, node, 1)
    confirm(cluster, node, 2)
    confirm(cluster, node, 3)
    assert not node.core.active and not node.core.ordering.can_sign


def test_a_meter_record_that_came_before_it_may_sign_is_read_when_it_may() -> None:
    cluster, node = started()
    record = MeterRecord(FIRST_INTERVAL, 0, 5, True, ())
    assert handle(node.core, ev.MeterRead(record), cluster) == []
    effects = confirm(cluster, node, 2)
    said = [effect for effect in effects if isinstance(effect, ev.SignEntry)]
    assert [(each.kind, each.interval) for each in said] == [(Said.READING, FIRST_INTERVAL)]


def test_capacity_is_known_while_its_member_is_there() -> None:
    cluster, node = started()
    peer = cluster.keys[1].public
    capacity = Capacity(1, 2, 3, None, 1000, 0)
    handle(node.core, ev.PeerConnected(peer), cluster)
    handle(node.core, ev.GossipReceived(CAPACITY, peer, encode_capacity(capacity)), cluster)
    assert node.core.capacities.seen == {peer: capacity}
    handle(node.core, ev.PeerLost(peer), cluster)
    assert node.core.capacities.seen == {}


def test_who_did_not_run_for_a_while_does_not_judge_what_came_meanwhile() -> None:
    cluster, node = started()
    effects = handle(node.core, ev.LoopStalled(cluster.now().real_ns), cluster)
    assert node.core.ordering.attention.since_ns == cluster.now().cell_ns
    assert isinstance(effects[0], ev.Report)


def test_what_came_before_a_lie_in_a_reply_of_blocks_is_true_and_kept() -> None:
    """Seed 222 of the search: the block was taken, the lie after it dropped its row, and the ledger had a hole."""
    ran = Cluster(1, 4, 3, ClusterPlan(0, 0.0, 0.0, 1))
    assert ran.run().violation is None
    peer, source = ran.keys[1].public, ran.nodes[1]
    cluster, node = started()
    first = handle(node.core, ev.PeerConnected(peer), cluster)
    asked = next(effect for effect in first if isinstance(effect, ev.SendRequest) and effect.tag == FEEDS)
    entries = source.answer(asked.data)
    assert entries is not None
    handle(node.core, ev.ReplyReceived(peer, FEEDS, entries), cluster)
    status = encode_frame(StatusFrame(3))
    (question,) = (
        effect
        for effect in handle(node.core, ev.FrameReceived(peer, status), cluster)
        if isinstance(effect, ev.SendRequest)
    )
    told = source.answer(question.data)
    assert told is not None
    (block, certificate), (second, forged), *_ = read_blocks_reply(told, 1).blocks
    forged = replace(forged, signatures=tuple(mark and bytes(64) for mark in forged.signatures))
    lie = ((block.encode(), certificate.encode()), (second.encode(), forged.encode()))
    reply = ev.ReplyReceived(peer, question.tag, encode((Kind.BLOCKS, 3, lie)))
    stored = [effect for effect in handle(node.core, reply, cluster) if isinstance(effect, ev.StoreBlock)]
    assert [each.height for each in stored] == [node.core.ordering.tip.height] == [1]
    assert node.core.counters["reply_refused_InvalidCertificate"] == 1


def test_a_failed_question_may_be_asked_again() -> None:
    cluster, node = started()
    peer = cluster.keys[1].public
    handle(node.core, ev.PeerConnected(peer), cluster)
    handle(node.core, ev.ReplyReceived(peer, FEEDS, None), cluster)
    assert node.core.counters["requests_failed"] == 1
    assert questions(node.core.syncing.ask_entries([], (peer,))) == {FEEDS}


def test_a_single_member_waits_for_nobody() -> None:
    _, node = started(1)
    assert node.core.active


def test_a_reply_without_news_asks_nothing_more() -> None:
    cluster, node = started()
    peer = cluster.keys[1].public
    handle(node.core, ev.PeerConnected(peer), cluster)
    assert handle(node.core, ev.ReplyReceived(peer, FEEDS, encode((Kind.FEEDS, 0, ()))), cluster) == []


def test_it_wants_to_be_woken_for_its_next_bid() -> None:
    cluster, node = started(1)
    assert node.core.trading is not None
    bid_ns = node.core.trading.next_order_ns(cluster.now().cell_ns)
    assert bid_ns is not None
    due_ns = node.core.next_timer(cluster.now())
    assert due_ns is not None and due_ns <= cluster.now().real_of(bid_ns)


def test_a_whole_run_wakes_it_no_more_often_than_there_is_something_to_do() -> None:
    cluster = Cluster(1, 1, 1, ClusterPlan(2 * S, 0.0, 0.0, 1))
    outcome = cluster.run()
    assert outcome.violation is None
    assert outcome.events < 400
