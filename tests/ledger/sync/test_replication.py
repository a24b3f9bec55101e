"""Anti-entropy: what was lost is repaired, and nobody can make a node exceed its bounds or crash."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.chain.replay import follow
from ledger.encoding import encode
from ledger.errors import BadSignature, InvalidCertificate, Malformed, MissingEntries, PeerError
from ledger.feeds.feeds import Feeds
from ledger.limits import SYNC_BYTES
from ledger.records.entries import Entry, author_entry
from ledger.records.rows import VoteRow
from ledger.records.votes import Proposal, Step, Vote, sign_proposal, sign_vote
from ledger.store.archive import StoreArchive
from ledger.store.reopening import reopen
from ledger.store.store import Store
from ledger.sync.ingest import ingest
from ledger.sync.replication import (
    REPLY_BLOCKS,
    REPLY_ENTRIES,
    Kind,
    Position,
    anchored_positions,
    answer,
    block_request,
    blocks_request,
    feed_positions,
    feeds_request,
    read_block_reply,
    read_blocks_reply,
    read_feeds_reply,
    read_recall_reply,
    recall_request,
)

FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture]


class Node:
    """One node's ledger without network: a store, feeds and a tip."""

    def __init__(self, cell, path):
        self.cell = cell
        self.store = Store.open(path / "ledger.sqlite", cell.cell_id, create=True)
        self.tip = cell.tips[0]
        self.feeds = Feeds(cell.cell_id, self.tip.membership)
        self.undecided = {}
        self.archive = StoreArchive(self.store, self.undecided.get, lambda: self.tip.epochs)

    def take(self, envelopes, now_ns=7):
        result = ingest(envelopes, self.feeds, self.tip.membership, self.store, now_ns)
        self.store.commit()
        return result

    def fetch_feeds(self, peer, positions=None):
        """Ask until the peer has no more; how many rounds it took."""
        for rounds in range(1, 50):
            wanted = feed_positions(self.feeds, self.tip.membership) if positions is None else positions
            reply = read_feeds_reply(answer(feeds_request(wanted), peer.archive))
            self.take(reply.envelopes)
            if not reply.more:
                return rounds
        raise AssertionError("anti-entropy does not end")

    def fetch_blocks(self, peer):
        reply = read_blocks_reply(
            answer(blocks_request(self.tip.height + 1), peer.archive), self.tip.height + 1
        )
        for block, certificate in reply.blocks:
            try:
                tip, _ = follow(self.tip, self.cell.application, block, certificate, self.feeds)
            except MissingEntries as missing:
                self.fetch_feeds(peer, anchored_positions(self.tip, missing.wanted))
                tip, _ = follow(self.tip, self.cell.application, block, certificate, self.feeds)
            self.store.put_block(tip.height, tip.header_id, block.encode(), certificate.encode())
            self.store.commit()
            self.tip = tip
            self.feeds.set_membership(tip.membership)
            for head in block.heads:
                self.feeds.forget_through(head)
        return reply


@pytest.fixture
def new_node(cell, tmp_path_factory):
    nodes = []

    def build(of=cell):
        node = Node(of, tmp_path_factory.mktemp("node"))
        nodes.append(node)
        return node

    yield build
    for node in nodes:
        node.store.close()


PREFIXES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), min_size=4, max_size=4
)


@settings(max_examples=25, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(PREFIXES)
def test_two_nodes_with_any_prefixes_of_the_feeds_converge(new_cell, new_node, prefixes):
    cell = new_cell()
    one, other = new_node(cell), new_node(cell)
    for index, (length, held_by_one, held_by_other) in enumerate(prefixes):
        envelopes = [cell.author(index).envelope for _ in range(length)]
        one.take(envelopes[:held_by_one])
        other.take(envelopes[:held_by_other])
    one.fetch_feeds(other)
    other.fetch_feeds(one)
    assert one.feeds.heads() == other.feeds.heads() == one.store.heads() == other.store.heads()
    for index, (length, held_by_one, held_by_other) in enumerate(prefixes):
        head = one.feeds.head(cell.ids[index])
        assert (0 if head is None else head.sequence + 1) == min(length, max(held_by_one, held_by_other))


def test_a_backlog_beyond_one_reply_comes_in_bounded_pieces(cell, new_node):
    one, other = new_node(), new_node()
    one.take([cell.author(0, payload=(bytes(600),)).envelope for _ in range(1500)])
    one.take([cell.author(1).envelope for _ in range(1200)])
    request = feeds_request(feed_positions(other.feeds, other.tip.membership))
    first = answer(request, one.archive)
    assert len(first) <= SYNC_BYTES
    assert len(read_feeds_reply(first).envelopes) <= REPLY_ENTRIES
    assert read_feeds_reply(first).more
    assert other.fetch_feeds(one) >= 3
    assert other.feeds.heads() == one.feeds.heads()


def test_a_node_that_was_away_follows_the_chain_from_its_blocks(cell, new_node):
    one, other = new_node(), new_node()
    for _ in range(3):
        for index in range(4):
            one.take([cell.author(index).envelope])
        block = cell.decide()
        one.store.put_block(
            block.header.height, cell.tip.header_id, block.encode(), cell.blocks[-1][1].encode()
        )
    one.store.commit()
    assert other.fetch_blocks(one).height == 3
    assert other.tip == cell.tip
    tip, feeds = reopen(other.store, cell.genesis, cell.application)
    assert tip == cell.tip
    assert feeds.heads() == other.feeds.heads()


def test_reopening_restores_feeds_and_when_entries_were_first_seen(cell, new_node):
    node = new_node()
    node.take([cell.author(0).envelope], now_ns=5)
    late = cell.author(0)
    node.take([late.envelope], now_ns=6)
    _, feeds = reopen(node.store, cell.genesis, cell.application)
    assert feeds.heads() == (cell.head(0),)
    assert feeds.first_seen(late.id) == 6


def test_a_fork_comes_to_light_when_the_two_sides_meet(cell, new_node):
    one, other = new_node(), new_node()
    one.take([cell.sign(0, payload=(1,)).envelope])
    other.take([cell.sign(0, payload=(2,)).envelope])
    request = feeds_request(feed_positions(one.feeds, one.tip.membership))
    result = one.take(read_feeds_reply(answer(request, other.archive)).envelopes)
    assert result.evidence[0].check(cell.cell_id, one.tip.membership) == cell.ids[0]


def test_a_fork_of_an_anchored_entry_comes_to_light_from_the_store(cell, new_node):
    node = new_node()
    twin = cell.sign(0, payload=(2,))
    node.take([cell.author(0, payload=(1,)).envelope])
    for _ in range(30):
        node.take([cell.author(0).envelope])
    node.feeds.forget_through(cell.head(0))
    assert node.take([cell.feeds[cell.ids[0]][0].envelope]).duplicates == 1
    result = node.take([twin.envelope])
    assert result.evidence[0].check(cell.cell_id, node.tip.membership) == cell.ids[0]


def test_a_block_is_found_by_id_whether_proposed_or_decided(cell, new_node):
    node = new_node()
    block = cell.decide()
    block_id = block.block_id(cell.cell_id)
    ask = block_request(block_id)
    assert read_block_reply(answer(ask, node.archive), cell.cell_id, block_id).block is None
    node.undecided[block_id] = block.encode()
    proposed = read_block_reply(answer(ask, node.archive), cell.cell_id, block_id)
    assert (proposed.block, proposed.certificate) == (block, None)
    node.undecided.clear()
    node.store.put_block(1, block_id, block.encode(), cell.blocks[0][1].encode())
    node.store.commit()
    decided = read_block_reply(answer(ask, node.archive), cell.cell_id, block_id)
    assert decided.certificate == cell.blocks[0][1]
    with pytest.raises(Malformed, match="another block"):
        read_block_reply(answer(ask, node.archive), cell.cell_id, bytes(32))


def test_a_block_with_a_certificate_of_another_or_of_too_few_is_not_followed(cell, new_node):
    node = new_node()
    block = cell.decide()
    certificate = cell.blocks[0][1]
    for wrong in (
        replace(certificate, block_id=bytes(32)),
        replace(certificate, round=1),
        replace(certificate, signatures=(None, *certificate.signatures[1:])),
    ):
        with pytest.raises(InvalidCertificate):
            follow(node.tip, cell.application, block, wrong, node.feeds)


def test_a_peer_recalls_ones_last_entry_vote_and_proposal(cell, new_node):
    node = new_node()
    node.take([cell.author(2).envelope, cell.author(2).envelope])
    key = next(k for k in cell.consensus_keys if k.verify_key.encode() == cell.tip.validators.keys[2])
    vote = sign_vote(key, cell.cell_id, Vote(5, 1, Step.PREVOTE, None, -1, 2))
    earlier = sign_vote(key, cell.cell_id, Vote(5, 0, Step.PRECOMMIT, None, -1, 2))
    proposal = sign_proposal(key, cell.cell_id, Proposal(5, 1, -1, bytes(32), 2))
    for signed, step in ((vote, 1), (earlier, 2), (proposal, 0)):
        round_ = 0 if signed is earlier else 1
        node.store.put_vote(VoteRow(5, round_, step, 2, signed.envelope))
    node.store.commit()
    feed_key, consensus_key = cell.keys[2].verify_key.encode(), key.verify_key.encode()
    reply = answer(recall_request(cell.ids[2], consensus_key), node.archive)
    recalled = read_recall_reply(reply, cell.cell_id, {feed_key}, consensus_key)
    assert recalled.entry == cell.feeds[cell.ids[2]][-1]
    assert (recalled.vote, recalled.proposal, recalled.height) == (vote.vote, proposal.proposal, 0)
    other_key = cell.keys[1].verify_key.encode()
    with pytest.raises(BadSignature):
        read_recall_reply(reply, cell.cell_id, {other_key}, consensus_key)
    with pytest.raises(BadSignature):
        read_recall_reply(reply, cell.cell_id, {feed_key}, other_key)
    nothing = answer(recall_request(cell.ids[3], None), node.archive)
    assert read_recall_reply(nothing, cell.cell_id, {other_key}, None).entry is None


def test_entries_of_strangers_and_damaged_ones_are_counted_and_not_kept(cell, new_node):
    node = new_node()
    good = cell.author(0).envelope
    stranger = type(cell)(size=6).keys[5]
    foreign = author_entry(
        stranger, cell.cell_id, Entry(stranger.verify_key.encode(), 0, 0, None, 32, 0, 0, ())
    )
    result = node.take([good[:-1], bytes([good[0] ^ 1]) + good[1:], good, good, foreign.envelope])
    assert (len(result.faults), len(result.appended), result.duplicates, len(result.refused)) == (2, 1, 1, 1)
    assert node.store.heads() == (cell.head(0),)


VALUES = st.recursive(
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=40)
    | st.integers(Kind.FEEDS, Kind.RECALL),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=12,
)
HOSTILE = st.binary(max_size=300) | VALUES.map(encode) | st.tuples(st.integers(0, 5), VALUES).map(encode)


@settings(max_examples=200, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(HOSTILE)
def test_hostile_requests_get_a_bounded_reply_or_the_declared_error(new_node, data):
    try:
        reply = answer(data, _shared(new_node).archive)
    except Malformed:
        return
    assert len(reply) <= SYNC_BYTES


@settings(max_examples=200, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(HOSTILE)
def test_hostile_replies_end_in_a_value_or_the_declared_errors(cell, data):
    key = cell.keys[0].verify_key.encode()
    for read in (
        read_feeds_reply,
        lambda reply: read_blocks_reply(reply, 1),
        lambda reply: read_block_reply(reply, cell.cell_id, bytes(32)),
        lambda reply: read_recall_reply(reply, cell.cell_id, {key}, key),
    ):
        try:
            value = read(data)
        except PeerError:
            continue
        assert value is not None


@settings(max_examples=60, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_reply_with_a_changed_byte_never_leads_to_another_chain(new_cell, position, mask):
    cell = new_cell()
    pairs = []
    for _ in range(2):
        block = cell.decide()
        pairs.append((block.encode(), cell.blocks[-1][1].encode()))
    data = bytearray(encode((Kind.BLOCKS, 2, tuple(pairs))))
    data[position % len(data)] ^= mask
    tip = cell.tips[0]
    try:
        for block, certificate in read_blocks_reply(bytes(data), 1).blocks:
            tip, _ = follow(tip, cell.application, block, certificate, cell)
    except (PeerError, MissingEntries):
        pass
    assert tip == cell.tips[tip.height]


@settings(max_examples=100, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.data())
def test_hostile_entries_change_nothing(cell, new_node, garbage, data):
    node = _shared(new_node)
    before = node.feeds.heads()
    real = cell.sign(0).envelope
    position = data.draw(st.integers(0, len(real) - 1))
    damaged = (
        real[:position] + bytes([real[position] ^ data.draw(st.integers(1, 255))]) + real[position + 1 :]
    )
    result = node.take([*garbage, damaged])
    assert len(result.faults) == len(garbage) + 1
    assert node.feeds.heads() == before


def _shared(new_node):
    """One node for all examples of a property that leaves it as it was."""
    if not hasattr(new_node, "shared"):
        new_node.shared = new_node()
    return new_node.shared


@pytest.mark.parametrize(
    "request_",
    [
        encode((Kind.FEEDS, ((bytes(31), 0, 0, None),))),
        encode((Kind.FEEDS, ((bytes(32), 0, -2, None),))),
        encode((Kind.FEEDS, tuple((bytes(32), 0, 0, None) for _ in range(8193)))),
        encode((Kind.BLOCKS, 0)),
        encode((Kind.BLOCK, b"short")),
        encode((Kind.RECALL, bytes(32), b"short")),
        encode((9, 1)),
    ],
)
def test_requests_out_of_bounds_are_malformed(new_node, request_):
    with pytest.raises(Malformed):
        answer(request_, new_node().archive)


def test_replies_with_too_many_or_other_blocks_are_malformed(cell):
    block = cell.decide()
    pair = (block.encode(), cell.blocks[0][1].encode())
    for blocks in ((pair, pair), (pair,) * (REPLY_BLOCKS + 1), (pair[:1],)):
        with pytest.raises(Malformed):
            read_blocks_reply(encode((Kind.BLOCKS, 1, blocks)), 1)
    with pytest.raises(Malformed, match="consecutive"):
        read_blocks_reply(encode((Kind.BLOCKS, 1, (pair,))), 2)
    with pytest.raises(ValueError, match="at most"):
        feeds_request([Position(bytes(32), 0)] * 8193)
