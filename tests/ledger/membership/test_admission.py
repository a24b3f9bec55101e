"""Changes of membership in the chain: who may come, go and take new keys, and from which height on."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.audit.audit import verify_directory
from ledger.chain import chain
from ledger.chain.chain import extend
from ledger.chain.commitments import state_leaves
from ledger.chain.replay import follow
from ledger.errors import InvalidBlock, InvalidCertificate
from ledger.feeds.grants import GRANT_KIND, grant_payload
from ledger.files.directory import LEDGER_FILE
from ledger.membership.evidence import Evidence
from ledger.membership.members import Membership
from ledger.records.blocks import decode_block
from ledger.records.changes import CHANGE_KIND, Readmit, Remove, Rotate
from ledger.records.genesis import Role
from ledger.records.votes import Step, Vote, sign_vote
from ledger.store.store import Store


def names(cell):
    return {member.name for member in cell.tip.membership.members}


def test_a_change_is_pending_for_one_block_and_holds_two_heights_later(cell):
    cell.announce(cell.admission())
    newcomer = cell.consensus_keys[4].verify_key.encode()
    cell.decide()
    assert [pending.height for pending in cell.tip.membership.pending] == [3]
    assert (cell.tip.membership.by_id(cell.ids[4]), cell.tip.validators.size) == (None, 4)
    assert newcomer in cell.tip.next_validators.keys
    second = cell.decide()
    assert cell.tip.membership.by_id(cell.ids[4]).name == b"member 4"
    assert second.header.validators_hash == cell.tips[0].validators.hash()
    assert second.header.next_validators_hash == cell.tip.validators.hash() != second.header.validators_hash
    third = cell.decide()
    assert third.header.validators_hash == second.header.next_validators_hash
    assert [cell.tip.validators_at(height).size for height in (1, 2, 3, 4, 5)] == [4, 4, 5, 5, 5]


def test_a_newcomer_speaks_from_its_height_on_and_not_before(cell):
    cell.announce(cell.admission())
    cell.decide()
    cell.author(4)
    block, _, _ = cell.propose()
    assert cell.ids[4] not in {head.member for head in block.heads}
    with pytest.raises(InvalidBlock, match="no member of the cell"):
        extend(cell.tip, cell.application, replace(block, heads=(cell.head(4),)), cell)
    cell.decide()
    assert cell.ids[4] in {head.member for head in cell.decide().heads}


def test_who_left_is_heard_up_to_the_height_before_and_no_longer(cell):
    cell.author(3)
    cell.announce(Remove(cell.ids[3]))
    cell.decide()
    cell.author(3)
    assert cell.ids[3] in {head.member for head in cell.decide().heads}
    assert cell.tip.membership.by_id(cell.ids[3]) is None
    assert cell.tip.membership.former(cell.ids[3]).left_at == 3
    cell.author(3)
    block, _, _ = cell.propose()
    assert block.heads == ()
    with pytest.raises(InvalidBlock, match="no member of the cell"):
        extend(cell.tip, cell.application, replace(block, heads=(cell.head(3),)), cell)
    assert cell.ids[3] in cell.tip.heads, "what was anchored stays"


def test_a_new_feed_key_begins_the_next_incarnation_and_the_old_one_is_refused(cell):
    cell.author(2)
    cell.announce(Rotate(cell.ids[2], cell.fresh("new feed"), None))
    cell.decide()
    cell.author(2)
    cell.decide()
    member = cell.tip.membership.by_id(cell.ids[2])
    assert (member.feed_key, member.incarnation) == (cell.fresh("new feed"), 1)
    cell.author(2)
    assert cell.propose()[0].heads == ()
    cell.feeds[cell.ids[2]].clear()
    cell.author(2, incarnation=1, sequence=0, previous=None)  # still under the old key
    with pytest.raises(chain.MissingEntries):
        cell.propose()
    cell.feeds[cell.ids[2]].clear()
    cell.keys[2] = SigningKey(sha256(b"new feed").digest())
    cell.author(2, incarnation=1, sequence=0, previous=None)
    assert cell.decide().heads == (cell.head(2),)


def test_a_new_consensus_key_votes_from_its_height_on_in_the_same_place(cell):
    index = cell.tip.validators.index_of(cell.consensus_keys[1].verify_key.encode())
    old, new = cell.consensus_keys[1], SigningKey(sha256(b"new vote").digest())
    cell.announce(Rotate(cell.ids[1], None, new.verify_key.encode()))
    cell.fresh_keys.append(new)
    cell.decide()
    cell.decide()
    assert cell.tip.validators.keys[index] == new.verify_key.encode()
    assert cell.tip.membership.by_id(cell.ids[1]).incarnation == 0
    block, _, _ = cell.propose()
    good = cell.certificate(block, signers=4)
    block_id = block.block_id(cell.cell_id)
    forged = sign_vote(old, cell.cell_id, Vote(3, 0, Step.PRECOMMIT, block_id, -1, index)).signature
    signatures = tuple(forged if at == index else one for at, one in enumerate(good.signatures))
    follow(cell.tip, cell.application, block, good, cell)
    with pytest.raises(InvalidCertificate):
        follow(cell.tip, cell.application, block, replace(good, signatures=signatures), cell)


def test_a_validator_begins_again_after_amnesia_only_with_a_new_consensus_key(cell):
    cell.author(1)
    cell.announce(Readmit(cell.ids[1], 1, None))
    cell.decide()
    assert cell.tip.membership.changes == 0
    cell.announce(Readmit(cell.ids[1], 2, cell.fresh("after")))
    cell.decide()
    assert cell.tip.membership.changes == 0
    cell.announce(Readmit(cell.ids[1], 1, cell.fresh("after")))
    cell.decide()
    cell.decide()
    member = cell.tip.membership.by_id(cell.ids[1])
    assert (member.incarnation, member.consensus_key) == (1, cell.fresh("after"))


def test_a_grant_in_between_does_not_stop_a_readmission(cell):
    cell.announce(Readmit(cell.ids[1], 1, cell.fresh("after")))
    cell.decide()
    cell.author(0, kind=GRANT_KIND, payload=grant_payload(cell.ids[1], 1))
    cell.decide()
    member = cell.tip.membership.by_id(cell.ids[1])
    assert (member.incarnation, member.consensus_key) == (1, cell.fresh("after"))
    assert cell.fresh("after") in cell.tip.validators.keys


def test_a_change_is_taken_once_and_only_in_its_turn(cell):
    entry = cell.announce(cell.admission(validator=False))
    cell.announce(cell.admission(validator=False), number=3)
    cell.decide()
    assert cell.tip.membership.changes == 1
    cell.author(1, kind=CHANGE_KIND, payload=entry.entry.payload)  # somebody says it again
    cell.author(2, kind=CHANGE_KIND, payload=entry.entry.payload)
    cell.decide()
    cell.decide()
    assert cell.tip.membership.changes == 1
    assert names(cell) == {b"member %d" % index for index in range(5)}


def test_what_is_wrong_with_a_change_is_ignored_and_invalidates_nothing(cell):
    stranger = SigningKey(bytes(32))
    admission = cell.admission()
    wrong = [
        lambda: cell.announce(admission, key=stranger),
        lambda: cell.announce(admission, key=cell.keys[0]),
        lambda: cell.author(0, kind=CHANGE_KIND, payload=(b"junk",)),
        lambda: cell.author(0, kind=CHANGE_KIND, payload=()),
        lambda: cell.announce(Remove(bytes(32))),
        lambda: cell.announce(Rotate(bytes(32), cell.fresh("a"), None)),
        lambda: cell.announce(Rotate(cell.ids[1], cell.tip.membership.members[0].feed_key, None)),
        lambda: cell.announce(Rotate(cell.ids[1], cell.fresh("a"), cell.fresh("a"))),
        lambda: cell.announce(Rotate(cell.ids[1], cell.admission_key.verify_key.encode(), None)),
        lambda: cell.announce(replace(admission, name=b"member 0")),
        lambda: cell.announce(replace(admission, name=b" ")),
        lambda: cell.announce(replace(admission, roles=16)),
        lambda: cell.announce(replace(admission, roles=int(Role.PROSUMER))),
        lambda: cell.announce(replace(admission, consensus_key=None)),
        lambda: cell.announce(replace(admission, consensus_key=admission.feed_key)),
        lambda: cell.announce(replace(admission, feed_key=cell.tip.membership.members[0].feed_key)),
        lambda: cell.announce(replace(admission, terms=(b"nowhere",))),
    ]
    for one in wrong:
        one()
        cell.decide()
        assert (cell.tip.membership.changes, cell.tip.membership.pending) == (0, ())
    assert cell.tip.membership == cell.tips[0].membership


def test_the_last_validator_stays_whatever_is_signed(cell):
    for offset, member in enumerate(cell.ids):
        cell.announce(Remove(member), number=offset + 1)
    cell.decide()
    assert cell.tip.membership.changes == 3
    cell.decide()
    cell.decide()
    assert (cell.tip.validators.size, names(cell)) == (1, {b"member 3"})


def test_more_than_a_third_can_leave_at_once_and_the_rest_goes_on(cell):
    for number, member in enumerate(cell.ids[2:], start=1):
        cell.announce(Remove(member), number=number)
    cell.decide()
    cell.decide()
    assert cell.tip.validators.quorum == 2
    assert cell.decide().header.height == 3


def test_a_key_that_was_given_up_convicts_nobody_and_is_never_given_again(cell):
    fork = Evidence.of_entries(cell.sign(2, payload=(1,)), cell.sign(2, payload=(2,)))
    index = cell.tip.validators.index_of(cell.consensus_keys[2].verify_key.encode())
    votes = [
        sign_vote(cell.consensus_keys[2], cell.cell_id, Vote(1, 0, Step.PREVOTE, block, -1, index))
        for block in (None, bytes(32))
    ]
    double = Evidence.of_votes(*votes)
    assert {each.check(cell.cell_id, cell.tip.membership) for each in (fork, double)} == {cell.ids[2]}
    old = (cell.keys[2].verify_key.encode(), cell.consensus_keys[2].verify_key.encode())
    cell.announce(Rotate(cell.ids[2], cell.fresh("feed"), cell.fresh("vote")))
    cell.decide()
    cell.decide()
    assert cell.decide(evidence=(fork.encode(), double.encode())).evidence == ()
    for again in (Rotate(cell.ids[1], old[0], None), Rotate(cell.ids[1], None, old[1])):
        cell.announce(again)
        cell.decide()
        assert cell.tip.membership.changes == 1


def test_a_double_vote_convicts_after_others_took_its_place_among_the_validators(cell):
    voter = 3
    index = cell.tip.validators.index_of(cell.consensus_keys[voter].verify_key.encode())
    votes = [
        sign_vote(cell.consensus_keys[voter], cell.cell_id, Vote(1, 0, Step.PREVOTE, block, -1, index))
        for block in (None, bytes(32))
    ]
    for number, member in enumerate(cell.ids[:2], start=1):
        cell.announce(Remove(member), number=number, by=2)
    cell.decide()
    cell.decide()
    assert cell.tip.validators.index_of(cell.consensus_keys[voter].verify_key.encode()) != index or index < 2
    proof = Evidence.of_votes(*votes).encode()
    assert cell.decide(evidence=(proof,)).evidence == (proof,)
    assert cell.tip.membership.by_id(cell.ids[voter]).frozen_at == 3


def test_the_state_commits_to_what_is_pending_and_to_keys_that_were_given_up(cell):
    cell.announce(Rotate(cell.ids[2], cell.fresh("feed"), None))
    cell.announce(Remove(cell.ids[3]), number=2)
    leaves = []
    for _ in range(3):
        cell.decide()
        leaves.append(dict(state_leaves(cell.tip.membership, ())))
    assert [sum(name.startswith(b"cpending/") for name in each) for each in leaves] == [2, 0, 0]
    assert [sum(name.startswith(b"ckey/") for name in each) for each in leaves] == [0, 1, 1]
    assert len({each[b"m" + cell.ids[3]] for each in leaves}) == 2


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "remove", "rotate", "readmit", "grant", "speak", "replay"]),
        st.integers(0, 9),
        st.booleans(),
    ),
    max_size=14,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=5))
def test_whatever_is_announced_every_header_names_the_next_validators_and_all_derive_the_same(
    new_cell, blocks
):
    cell = new_cell()
    said = []
    for actions in blocks:
        for action, index, votes in actions:
            _act(cell, said, action, index % cell.size, votes)
        block, tip, outcomes = cell.propose()
        extended = extend(cell.tip, cell.application, decode_block(block.encode()), cell)
        assert extended == (tip, outcomes)
        assert block.header.next_validators_hash == tip.validators.hash()
        assert tip.validators == tip.membership.validators()
        assert tip.next_validators == tip.membership.expected().validators()
        assert tip.validators_at(tip.height + 1) == tip.validators
        assert not {m.id for m in tip.membership.members} & {m.id for m in tip.membership.departed}
        leaves = tip.membership.leaves(), tip.membership.change_leaves()
        assert Membership.from_leaves(*leaves) == tip.membership
        cell.decide()


def _act(cell, said, action, index, votes):
    """One thing that an operator, or whoever got hold of its words, may put into the first member's feed."""
    present = cell.tip.membership.by_id(cell.ids[index])
    incarnation = 0 if present is None else present.incarnation
    unused = cell.fresh(f"unused {len(said)} {cell.tip.height}")
    number = cell.tip.membership.changes + 1 + sum(height == cell.tip.height for height, _ in said)
    if action == "replay" and said:
        cell.author(0, kind=CHANGE_KIND, payload=said[index % len(said)][1].entry.payload)
        return
    change = {
        "admit": lambda: cell.admission(validator=votes),
        "remove": lambda: Remove(cell.ids[index]) if index else None,
        "rotate": lambda: Rotate(cell.ids[index], None, unused) if index else None,
        "readmit": lambda: (
            Readmit(cell.ids[index], incarnation + 1, unused if votes else None) if index else None
        ),
    }.get(action, lambda: None)()
    if change is not None and cell.size < 9:
        said.append((cell.tip.height, cell.announce(change, number=number)))
    elif action == "grant" and index:
        cell.author(0, kind=GRANT_KIND, payload=grant_payload(cell.ids[index], incarnation + 1))
    elif action == "speak" and index == 0:
        cell.author(0)


# A ledger whose members changed, audited.


@pytest.fixture
def directory(cell, write_directory, tmp_path):
    """The closed directory of a member whose cell changed under it, and who rotated both its keys."""
    cell.author(3)
    cell.announce(cell.admission())
    cell.announce(Remove(cell.ids[3]), number=2)
    cell.announce(Rotate(cell.ids[1], cell.fresh("feed"), cell.fresh("vote")), number=3)
    cell.author(1)
    fork = Evidence.of_entries(cell.sign(3, payload=(1,)), cell.sign(3, payload=(2,)))
    for _ in range(5):
        cell.author(0)
        cell.decide()
    cell.author(4)
    cell.decide()
    path = tmp_path / "node"
    path.mkdir()
    store = write_directory(cell, path)
    store.put_evidence(fork.encode())
    store.commit()
    store.close()
    return path


def test_an_audit_follows_the_epochs(cell, directory):
    report = verify_directory(directory, cell.application)
    assert report.failure is None
    assert report.tip == cell.tip
    assert (report.evidence, report.member) == (1, cell.ids[0])


def test_an_entry_of_who_never_was_a_member_is_found(cell, directory):
    stranger = cell.newcomer()
    entry = cell.sign(stranger)
    store = Store.open(directory / LEDGER_FILE, cell.cell_id)
    store.append(cell.ids[stranger], entry, 1)
    store.commit()
    store.close()
    failure = verify_directory(directory, cell.application).failure
    assert failure is not None
    assert failure.expected == "a member as author"


@pytest.mark.parametrize("wrong", ["at once", "late", "unsigned"])
def test_software_that_gets_the_epochs_wrong_is_found_by_who_gets_them_right(
    cell, directory, wrong, monkeypatch
):
    """Planted: validators that change a height early or late, and changes that nobody signed."""
    if wrong == "unsigned":
        cell = type(cell)()
        cell.announce(Remove(cell.ids[3]), key=SigningKey(bytes(32)))
        monkeypatch.setattr("ledger.records.changes.verify", lambda *_: None)
    else:
        cell = type(cell)()
        cell.announce(cell.admission())
        monkeypatch.setattr("ledger.membership.admission.HEIGHTS_AHEAD", 1 if wrong == "at once" else 3)
    blocks = [cell.decide() for _ in range(3)]
    monkeypatch.undo()
    tip = cell.tips[0]
    with pytest.raises(InvalidBlock):
        for block in blocks:
            tip, _ = extend(tip, cell.application, block, cell)
