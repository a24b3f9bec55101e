"""The chain: what a block derives from, and everything that makes one invalid."""

from dataclasses import fields, replace
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.chain.chain import extend
from ledger.errors import InvalidBlock, MissingEntries
from ledger.feeds.grants import GRANT_KIND, grant_payload
from ledger.heads import Head
from ledger.membership.evidence import Evidence
from ledger.records.blocks import Header, decode_block

STEPS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), max_size=5),  # who authors an entry before the block
        st.integers(1, 50),  # how many intervals the block covers
        st.integers(0, 3),  # the round in which it is decided
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
def test_proposing_and_extending_end_in_the_same_tip_and_outcomes(new_cell, steps):
    cell = new_cell()
    for authors, covered, round_ in steps:
        for index in authors:
            cell.author(index)
        block, tip, outcomes = cell.propose(last_interval=cell.tip.last_interval + covered)
        extended, same_outcomes = extend(cell.tip, cell.application, decode_block(block.encode()), cell)
        assert extended == tip
        assert same_outcomes == outcomes
        assert tip.log.size == tip.height == len(cell.blocks) + 1
        cell.decide(round_, last_interval=cell.tip.last_interval + covered)


def test_the_first_block_follows_the_genesis(cell):
    cell.author(0)
    header = cell.decide().header
    assert (header.height, header.previous, header.first_interval) == (1, cell.cell_id, 100)
    assert header.last_certificate_hash is None
    assert header.log_size == 0


@pytest.mark.parametrize("name", [field.name for field in fields(Header)])
def test_a_block_with_any_other_header_field_is_refused_by_name(cell, name):
    cell.author(0)
    cell.decide()
    cell.author(1)
    block, _, _ = cell.propose()
    value = getattr(block.header, name)
    changed = bytes(32) if isinstance(value, bytes) else value + 1
    if name in ("time_ns", "last_interval", "proposer", "round"):
        changed = -1
    forged = replace(block, header=replace(block.header, **{name: changed}))
    with pytest.raises(InvalidBlock):
        extend(cell.tip, cell.application, forged, cell)


def test_the_time_moves_just_past_the_tip_when_the_proposers_clock_is_behind(cell):
    cell.decide(time_ns=500)
    assert cell.decide(time_ns=400).header.time_ns == 501


def test_previous_timely_follows_from_the_round_of_the_last_certificate(cell):
    cell.decide(round_=cell.genesis.last_timely_round)
    timely = dict(cell.propose()[2].leaves())[b"summary"]
    late_cell = type(cell)()
    late_cell.decide(round_=cell.genesis.last_timely_round + 1)
    late = dict(late_cell.propose()[2].leaves())[b"summary"]
    assert timely != late


def test_a_block_proposed_after_many_rounds_and_decided_at_once_is_timely(cell):
    cell.decide(round_=9, round=9)
    timely = dict(cell.propose()[2].leaves())[b"summary"]
    prompt_cell = type(cell)()
    prompt_cell.decide(round_=0)
    assert timely == dict(prompt_cell.propose()[2].leaves())[b"summary"]


def test_a_block_without_the_last_certificate_or_with_a_false_one_is_refused(cell):
    block = cell.decide()
    with pytest.raises(InvalidBlock, match="missing"):
        cell.propose(last_certificate=None)
    with pytest.raises(InvalidBlock, match="does not hold"):
        cell.propose(last_certificate=cell.certificate(block, signers=2))
    with pytest.raises(InvalidBlock, match="height"):
        cell.propose(last_certificate=replace(cell.blocks[0][1], height=2))


def test_heads_move_strictly_forward_and_in_the_granted_incarnation(cell):
    first = cell.author(1)
    cell.author(1)
    cell.decide()
    cell.author(1)
    block, _, _ = cell.propose()
    good = block.heads[0]
    back = Head(good.member, 0, 0, first.id)
    unknown = Head(bytes(32), 0, 0, first.id)
    for heads in ((back,), (replace(good, incarnation=1),), (unknown,), (good, good)):
        with pytest.raises(InvalidBlock, match="head"):
            extend(cell.tip, cell.application, replace(block, heads=heads), cell)


def test_entries_that_are_not_held_are_all_named_so_that_they_can_be_fetched(cell):
    cell.author(0)
    cell.author(2)
    block, _, _ = cell.propose()
    cell.feeds[cell.ids[0]].clear()
    cell.feeds[cell.ids[2]].clear()
    with pytest.raises(MissingEntries) as caught:
        extend(cell.tip, cell.application, block, cell)
    assert caught.value.wanted == block.heads


def test_another_branch_held_here_counts_as_missing_and_not_as_the_proposers_fault(cell):
    cell.author(0)
    block, _, _ = cell.propose()
    cell.feeds[cell.ids[0]][:] = [cell.sign(0, sequence=0, previous=None, payload=(7,))]
    with pytest.raises(MissingEntries) as caught:
        extend(cell.tip, cell.application, block, cell)
    assert caught.value.wanted == block.heads


def _fork_evidence(cell, index):
    one = cell.sign(index, payload=(1,))
    other = cell.sign(index, payload=(2,))
    return Evidence.of_entries(one, other).encode()


def test_evidence_freezes_the_author_whose_entries_then_stay_out(cell):
    evidence = _fork_evidence(cell, 3)
    cell.author(3)
    block = cell.decide(evidence=(evidence, evidence))
    assert block.evidence == (evidence,)
    assert block.heads == ()
    assert cell.tip.membership.by_id(cell.ids[3]).frozen_at == 1
    cell.author(3)
    later = cell.decide(evidence=(evidence,))
    assert (later.evidence, later.heads) == ((), ())


def test_a_block_that_repeats_evidence_or_moves_a_frozen_feed_is_refused(cell):
    evidence = _fork_evidence(cell, 3)
    cell.author(3)
    block, _, _ = cell.propose(evidence=(evidence,))
    with pytest.raises(InvalidBlock, match="frozen"):
        extend(cell.tip, cell.application, replace(block, heads=(cell.head(3),)), cell)
    cell.decide(evidence=(evidence,))
    again, _, _ = cell.propose()
    with pytest.raises(InvalidBlock, match="frozen already"):
        extend(cell.tip, cell.application, replace(again, evidence=(evidence,)), cell)
    with pytest.raises(InvalidBlock, match="does not hold"):
        extend(cell.tip, cell.application, replace(again, evidence=(evidence[:-1] + b"\0",)), cell)


def test_an_operators_grant_starts_a_new_incarnation_and_voids_the_member_once(cell):
    cell.author(2)
    cell.decide()
    cell.author(0, kind=GRANT_KIND, payload=grant_payload(cell.ids[2], 1))
    cell.author(2)
    cell.decide()
    assert cell.tip.membership.by_id(cell.ids[2]).incarnation == 1
    tallies = {member: count for member, count, _ in cell.tip.state.per_member}
    assert tallies[cell.ids[2]] == 1
    cell.author(2, incarnation=1, sequence=0, previous=None)
    cell.decide()
    assert cell.tip.heads[cell.ids[2]] == cell.head(2)
    assert {member: count for member, count, _ in cell.tip.state.per_member}[cell.ids[2]] == 2


def test_only_an_operator_grants_and_only_the_next_incarnation(cell):
    cell.author(1, kind=GRANT_KIND, payload=grant_payload(cell.ids[2], 1))
    cell.author(0, kind=GRANT_KIND, payload=grant_payload(cell.ids[2], 2))
    cell.author(0, kind=GRANT_KIND, payload=(b"short", 1))
    cell.decide()
    assert cell.tip.membership == cell.tips[0].membership


def test_a_tip_cannot_be_changed(cell):
    assert isinstance(cell.tip.heads, MappingProxyType)
    with pytest.raises(TypeError):
        cell.tip.heads[b""] = None
