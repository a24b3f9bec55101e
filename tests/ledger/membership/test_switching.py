"""The protocol's version in the chain: proposed, judged by who knows it, in force from one height on, or refused."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.chain.chain import extend
from ledger.chain.state_snapshot import decode_cover, restore, take_snapshot
from ledger.errors import InvalidBlock, Malformed
from ledger.membership.protocol import Protocol, Reason
from ledger.membership.switching import is_enough
from ledger.records import protocols
from ledger.records.blocks import decode_block
from ledger.records.changes import CHANGE_KIND, Remove, SwitchProtocol
from ledger.records.protocols import SUPPORT_KIND, read_support, support_payload


def supports(cell, *members, versions=(1, 2)):
    for index in members:
        cell.author(index, kind=SUPPORT_KIND, payload=support_payload(versions))


def versions_of(cell, blocks):
    return [cell.decide().header.version for _ in range(blocks)]


def test_a_cell_that_never_speaks_of_versions_has_no_leaf_of_them(cell):
    cell.decide()
    assert cell.tip.membership.change_leaves() == ((b"number", b"\x00"),)
    assert cell.blocks[0][0].header.version == protocols.FIRST


def test_a_version_that_enough_know_is_in_force_from_its_height_on(cell):
    supports(cell, 0, 1, 2)
    cell.announce(SwitchProtocol(2, 6))
    assert versions_of(cell, 3) == [1, 1, 1]
    assert cell.tip.membership.protocol.proposed.height == 6
    assert versions_of(cell, 1) == [1]
    assert cell.tip.membership.protocol.agreed.height == 6, "judged two heights before"
    assert versions_of(cell, 3) == [1, 2, 2]
    protocol = cell.tip.membership.protocol
    assert (protocol.version, protocol.proposed, protocol.agreed, protocol.refused) == (2, None, None, None)
    assert cell.tip.membership.changes == 1


def test_two_thirds_are_not_enough_and_the_refusal_is_in_the_state(new_cell):
    cell = new_cell(size=6)
    supports(cell, 0, 1, 2, 3)
    cell.announce(SwitchProtocol(2, 4))
    assert versions_of(cell, 6) == [1] * 6
    refused = cell.tip.membership.protocol.refused
    assert (refused.reason, refused.supporters, refused.validators) == (Reason.TOO_FEW_SUPPORT, 4, 6)
    assert (refused.switch.version, refused.switch.height, refused.at) == (2, 4, 2)
    assert cell.tip.membership.protocol.proposed is None


def test_a_proposal_that_comes_too_late_or_is_not_newer_is_refused_and_keeps_its_number(cell):
    supports(cell, 0, 1, 2, 3)
    envelope = cell.announce(SwitchProtocol(2, 2)).entry.payload
    cell.decide()
    assert cell.tip.membership.protocol.refused.reason is Reason.TOO_NEAR
    cell.announce(SwitchProtocol(1, 9))
    cell.author(1, kind=CHANGE_KIND, payload=envelope)
    cell.decide()
    assert cell.tip.membership.protocol.refused.reason is Reason.NOT_NEWER
    assert (cell.tip.membership.changes, cell.tip.membership.protocol.proposed) == (2, None)


def test_those_who_decide_the_block_are_counted_and_who_is_gone_is_not(new_cell):
    cell = new_cell(size=5)
    supports(cell, 0, 1, 2)
    cell.announce(SwitchProtocol(2, 5))
    cell.decide()
    cell.announce(Remove(cell.ids[4]))  # in force at height 4: three of four know it then
    assert versions_of(cell, 4) == [1, 1, 1, 2]
    cell = new_cell(size=4)
    supports(cell, 0, 1, 2)
    cell.announce(SwitchProtocol(2, 5))
    cell.decide()
    cell.announce(cell.admission())
    cell.announce(Remove(cell.ids[2]), number=3)
    assert versions_of(cell, 5) == [1] * 5
    assert cell.tip.membership.protocol.refused.supporters == 2
    assert dict(cell.tip.membership.protocol.supports).keys() == {cell.ids[0], cell.ids[1]}


def test_who_takes_its_word_back_before_it_is_judged_is_not_counted(cell):
    supports(cell, 0, 1, 2)
    cell.announce(SwitchProtocol(2, 5))
    cell.decide()
    supports(cell, 2, versions=(1,))
    assert versions_of(cell, 4) == [1] * 4
    assert cell.tip.membership.protocol.refused.supporters == 2


def test_a_later_proposal_takes_the_place_of_an_open_one(cell):
    supports(cell, 0, 1, 2, versions=(1, 2, 3))
    cell.announce(SwitchProtocol(2, 5))
    cell.decide()
    cell.announce(SwitchProtocol(3, 6))
    assert versions_of(cell, 6) == [1, 1, 1, 1, 3, 3]


def test_a_block_under_another_version_than_the_agreed_one_is_refused(cell):
    block, _, _ = cell.propose()
    wrong = replace(block, header=replace(block.header, version=2))
    with pytest.raises(InvalidBlock, match="version is 2, expected 1"):
        extend(cell.tip, cell.application, wrong, cell)


def test_a_program_that_lacks_the_version_cannot_read_its_blocks_and_says_what_to_do(cell, monkeypatch):
    supports(cell, 0, 1, 2)
    cell.announce(SwitchProtocol(2, 3))
    block = [cell.decide() for _ in range(3)][-1]
    with pytest.raises(InvalidBlock, match="upgrade"):
        decode_block(block.encode())
    monkeypatch.setattr(protocols, "KNOWN", (1, 2))
    assert decode_block(block.encode()) == block


def test_every_height_of_a_switch_comes_back_from_its_snapshot(cell, monkeypatch):
    monkeypatch.setattr(protocols, "KNOWN", (1, 2))
    supports(cell, 0, 1, 2)
    for change in (SwitchProtocol(2, 2), SwitchProtocol(2, 5), None, None, None, None):
        if change is not None:
            cell.announce(change)
        block = cell.decide()
        snapshot = take_snapshot(cell.tip, cell.application, block.header, cell.blocks[-1][1], ())
        tip = restore(decode_cover(snapshot.cover), snapshot.parts, cell.genesis, cell.application)
        assert tip == cell.tip
    assert cell.tip.membership.protocol.version == 2


@pytest.mark.parametrize(
    "leaf",
    [
        (b"protocol", b"\x01"),
        (b"protocol", b"\x84\x02\x01\xf6\xf6"),
        (b"protocol", b"\x84\x02\xf6\xf6\x87\x01\x02\x03\x09\x00\x00\x00"),
        (b"support/" + bytes(32), b"\x82\x02\x01"),
    ],
    ids=["a number", "a switch that is a number", "an unknown reason", "versions that descend"],
)
def test_leaves_that_say_nothing_are_refused(leaf):
    with pytest.raises(Malformed):
        Protocol.from_leaves([leaf])


@pytest.mark.parametrize("payload", [(), (0,), (2, 1), (1, 1), (b"1",), (1, None), tuple(range(1, 10))])
def test_announcements_that_are_none_change_nothing(cell, payload):
    assert read_support(payload) is None
    cell.author(1, kind=SUPPORT_KIND, payload=payload)
    cell.decide()
    assert cell.tip.membership.protocol == Protocol()


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_enough_is_more_than_two_thirds_exactly(supporters, validators):
    assert is_enough(supporters, validators) == (Fraction(supporters, validators) > Fraction(2, 3))


EVENTS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from([(1,), (1, 2), (1, 2, 3), (2, 3)])), max_size=3
        ),
        st.none() | st.tuples(st.integers(1, 3), st.integers(-1, 5)),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
def test_whatever_is_said_versions_only_rise_at_heights_that_were_signed_with_enough_support(
    new_cell, events
):
    cell = new_cell()
    signed = set()
    for said, proposal in events:
        for index, versions in said:
            supports(cell, index, versions=versions)
        if proposal is not None:
            version, ahead = proposal
            height = max(1, cell.tip.height + 1 + ahead)
            cell.announce(SwitchProtocol(version, height))
            signed.add((height, version))
        cell.decide()
    for _ in range(3):
        cell.decide()
    headers = [block.header for block, _ in cell.blocks]
    for before, after in pairwise(headers):
        assert after.version >= before.version
        if after.version != before.version:
            judged = cell.tips[after.height - 2].membership
            knows = sum(after.version in judged.protocol.known_to(member) for member in cell.ids)
            assert judged.protocol.agreed.height == after.height
            assert (after.height, after.version) in signed
            assert 3 * knows > 2 * len(cell.ids)
