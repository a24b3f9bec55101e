"""Syncing: who is asked for what, and that nobody is asked twice at once."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.agreement.standing import Standing
from ledger.encoding import decode
from ledger.sync.replication import Position
from node.agreement.syncing import BLOCK, BLOCKS, FEEDS, RECALL, Syncing
from node.constants import ANSWERS_EVERY_NS, PEERS_COMPARED, POSITIONS_COMPARED, SYNC_EVERY_NS
from node.events import Effect, Now, Send, SendRequest
from node.wire import StandingFrame, decode_frame

A, B, C = (bytes([letter]) * 32 for letter in b"abc")
BLOCK_ID = b"i" * 32


def at(real_ns: int) -> Now:
    return Now(real_ns, 0, 1)


def with_peers(*peers: bytes) -> Syncing:
    syncing = Syncing()
    for peer in peers:
        syncing.up(peer)
    return syncing


def asked(effects: list[Effect]) -> list[tuple[bytes, str]]:
    assert all(isinstance(effect, SendRequest) for effect in effects)
    return [(effect.peer, effect.tag) for effect in effects if isinstance(effect, SendRequest)]


def test_a_peer_has_one_open_question_of_a_kind() -> None:
    syncing = with_peers(A, B)
    assert asked(syncing.ask_entries([], (A,))) == [(A, FEEDS)]
    assert asked(syncing.ask_entries([], (A, B))) == [(B, FEEDS)]
    syncing.answered(A, FEEDS)
    assert asked(syncing.ask_entries([], (A, B))) == [(A, FEEDS)]


def test_questions_of_other_kinds_may_be_open_beside_it() -> None:
    syncing = with_peers(A)
    syncing.claims(A, 7)
    effects = [*syncing.ask_entries([], (A,)), *syncing.ask_blocks(3), *syncing.ask_recall(A, b"r")]
    assert asked(effects) == [(A, FEEDS), (A, f"{BLOCKS}:4"), (A, RECALL)]


def test_in_a_large_cell_every_feed_is_asked_about_in_turn() -> None:
    syncing = with_peers(A, B)
    positions = [Position(bytes([index]) * 32, 0) for index in range(200)]
    named: dict[bytes, set[bytes]] = {A: set(), B: set()}
    for second in range(40):
        (effect,) = syncing.routine(positions, 0, at(second * SYNC_EVERY_NS))
        assert isinstance(effect, SendRequest)
        _, listed = decode(effect.data, max_bytes=10**6)  # type: ignore[misc]
        assert len(listed) == POSITIONS_COMPARED  # type: ignore[arg-type]
        named[effect.peer] |= {member for member, *_ in listed}  # type: ignore[misc, union-attr]
        syncing.answered(effect.peer, FEEDS)
    assert named[A] == named[B] == {position.member for position in positions}


def test_who_is_not_up_is_not_asked() -> None:
    syncing = with_peers(A)
    assert syncing.ask_entries([], (B,)) == []
    assert syncing.ask_recall(B, b"r") == []


def test_what_a_lost_peer_was_asked_may_be_asked_of_others_and_of_it_when_it_is_back() -> None:
    syncing = with_peers(A, B)
    for peer in (A, B):
        syncing.claims(peer, 7)
    ((first, tag),) = asked(syncing.ask_blocks(3))
    syncing.down(first)
    other = B if first == A else A
    assert asked(syncing.ask_blocks(3)) == [(other, tag)]
    syncing.up(first)
    assert syncing.heights[first] == 0


def test_blocks_are_asked_of_one_who_is_ahead() -> None:
    syncing = with_peers(A, B, C)
    syncing.claims(B, 9)
    assert asked(syncing.ask_blocks(8)) == [(B, f"{BLOCKS}:9")]
    assert syncing.ask_blocks(8) == []


def test_nobody_ahead_is_nobody_asked_for_blocks() -> None:
    syncing = with_peers(A)
    syncing.claims(A, 5)
    assert syncing.ask_blocks(5) == []


def test_a_claim_of_a_stranger_is_not_kept() -> None:
    syncing = with_peers(A)
    syncing.claims(B, 99)
    assert syncing.ask_blocks(0) == []


def test_a_block_is_asked_of_those_who_voted_for_it() -> None:
    syncing = with_peers(A, B, C)
    ((peer, tag),) = asked(syncing.ask_block(BLOCK_ID, (B,)))
    assert (peer, tag) == (B, f"{BLOCK}:{BLOCK_ID.hex()}")


def test_without_a_known_holder_anyone_is_asked_for_a_block() -> None:
    syncing = with_peers(A, B)
    ((peer, _),) = asked(syncing.ask_block(BLOCK_ID, (C,)))
    assert peer in (A, B)
    assert Syncing().ask_block(BLOCK_ID, (C,)) == []


def test_a_block_is_asked_of_one_peer_at_a_time_and_then_of_another() -> None:
    syncing = with_peers(A, B)
    ((first, tag),) = asked(syncing.ask_block(BLOCK_ID, ()))
    assert syncing.ask_block(BLOCK_ID, ()) == []
    syncing.answered(first, tag)
    ((second, _),) = asked(syncing.ask_block(BLOCK_ID, ()))
    assert {first, second} == {A, B}


def test_the_routine_asks_every_peer_in_turn_and_not_more_often_than_its_period() -> None:
    syncing = with_peers(A, B, C)
    peers = []
    for turn in range(3):
        ((peer, tag),) = asked(syncing.routine([], 0, at(turn * SYNC_EVERY_NS)))
        assert syncing.routine([], 0, at(turn * SYNC_EVERY_NS + 1)) == []
        syncing.answered(peer, tag)
        peers.append(peer)
    assert sorted(peers) == [A, B, C]


def test_without_peers_there_is_no_routine() -> None:
    syncing = Syncing()
    assert (syncing.next_ns(), syncing.routine([], 0, at(0))) == (None, [])


actions = st.lists(
    st.tuples(
        st.sampled_from(("up", "down", "entries", "blocks", "block", "recall", "answer")),
        st.sampled_from((A, B, C)),
    )
)


@given(actions)
def test_no_question_is_ever_open_twice(steps: list[tuple[str, bytes]]) -> None:
    syncing = Syncing()
    questions: set[tuple[bytes, str]] = set()
    for what, peer in steps:
        effects: list[Effect] = []
        match what:
            case "up":
                syncing.up(peer)
                syncing.claims(peer, 5)
            case "down":
                syncing.down(peer)
                questions = {question for question in questions if question[0] != peer}
            case "entries":
                effects = syncing.ask_entries([], (peer,))
            case "blocks":
                effects = syncing.ask_blocks(1)
            case "block":
                effects = syncing.ask_block(BLOCK_ID, (peer,))
            case "recall":
                effects = syncing.ask_recall(peer, b"r")
            case "answer":
                for question in sorted(questions):
                    syncing.answered(*question)
                questions.clear()
        for question in asked(effects):
            assert question not in questions and question[0] in syncing.peers
            questions.add(question)


def shown_to(syncing: Syncing) -> list[bytes]:
    standing = Standing(3, frozenset({b"12345678"}))
    sent = syncing.compare(standing)
    assert all(isinstance(each, Send) for each in sent)
    frames = {each.frame for each in sent if isinstance(each, Send)}
    assert [decode_frame(frame) for frame in frames] == [StandingFrame(standing.encode())] * bool(sent)
    return [each.peer for each in sent if isinstance(each, Send)]


def test_what_we_hold_is_shown_to_a_few_peers_and_to_all_in_turn() -> None:
    peers = [bytes([number]) * 32 for number in range(7)]
    syncing = with_peers(*peers)
    seen = [shown_to(syncing) for _ in range(4)]
    assert {len(each) for each in seen} == {PEERS_COMPARED}
    assert {peer for each in seen for peer in each} == set(peers)
    assert shown_to(with_peers(A)) == [A]
    assert shown_to(with_peers()) == []


def test_a_peer_is_answered_now_and_then_and_a_stranger_never() -> None:
    syncing = with_peers(A, B)
    assert syncing.may_answer(A, at(0)) and syncing.may_answer(B, at(0))
    assert not syncing.may_answer(A, at(ANSWERS_EVERY_NS - 1))
    assert syncing.may_answer(A, at(ANSWERS_EVERY_NS))
    assert not syncing.may_answer(C, at(0))
    syncing.down(A)
    assert not syncing.may_answer(A, at(5 * ANSWERS_EVERY_NS))
