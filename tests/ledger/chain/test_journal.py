"""Money moves in sets that sum to zero, exactly, at any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.journal import Balances, Posting, PostingSet
from ledger.encoding import big_int_from
from ledger.errors import Unbalanced

accounts = st.sampled_from([b"ada", b"bob", b"cleo", b"supplier", b""])
amounts = st.integers(-(2**100), 2**100)


@st.composite
def posting_sets(draw: st.DrawFn) -> PostingSet:
    postings = [Posting(draw(accounts), draw(amounts)) for _ in range(draw(st.integers(0, 4)))]
    closing = Posting(draw(accounts), -sum(posting.amount for posting in postings))
    return PostingSet(1, draw(st.integers(0, 100)), (*postings, closing))


def paid(payer: bytes, payee: bytes, amount: int) -> PostingSet:
    return PostingSet(1, 7, (Posting(payer, -amount), Posting(payee, amount)))


def test_a_payment_debits_one_account_and_credits_another() -> None:
    balances = Balances().post([paid(b"ada", b"bob", 5), paid(b"bob", b"cleo", 2)])
    assert dict(balances) == {b"ada": -5, b"bob": 3, b"cleo": 2}
    assert balances[b"nobody"] == 0


@given(st.lists(posting_sets(), max_size=8))
def test_balances_always_sum_to_zero_and_equal_the_sum_of_postings(sets: list[PostingSet]) -> None:
    balances = Balances().post(sets)
    assert sum(balances.values()) == 0
    for account in (b"ada", b"bob", b"cleo", b"supplier", b""):
        posted = [p.amount for posting_set in sets for p in posting_set.postings if p.account == account]
        assert balances[account] == sum(posted)


@given(st.lists(posting_sets(), max_size=6), st.data())
def test_balances_depend_on_the_amounts_and_not_on_the_path(
    sets: list[PostingSet], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(sets))
    cut = data.draw(st.integers(0, len(sets)))
    at_once, in_parts = Balances().post(sets), Balances().post(shuffled[:cut]).post(shuffled[cut:])
    assert at_once == in_parts
    assert at_once.leaves() == in_parts.leaves()
    assert hash(at_once) == hash(in_parts)


@given(st.lists(posting_sets(), max_size=6))
def test_leaves_are_sorted_and_give_the_balances_back(sets: list[PostingSet]) -> None:
    balances = Balances().post(sets)
    keys = [account for account, _ in balances.leaves()]
    assert keys == sorted(set(keys)) == list(balances)
    assert {account: big_int_from(amount) for account, amount in balances.leaves()} == dict(balances)


@given(st.lists(st.tuples(accounts, amounts), max_size=5), st.integers(-3, 3).filter(bool))
def test_a_set_that_does_not_sum_to_zero_cannot_exist(pairs: list[tuple[bytes, int]], off: int) -> None:
    postings = [Posting(account, amount) for account, amount in pairs]
    closing = Posting(b"ada", off - sum(amount for _, amount in pairs))
    with pytest.raises(Unbalanced) as fault:
        PostingSet(9, 481, (*postings, closing))
    assert "reason 9, reference 481" in str(fault.value)
    assert f"sum to {off}" in str(fault.value)


def test_posting_leaves_earlier_balances_as_they_were() -> None:
    before = Balances().post([paid(b"ada", b"bob", 5)])
    after = before.post([paid(b"bob", b"ada", 5)])
    assert dict(before) == {b"ada": -5, b"bob": 5}
    assert dict(after) == {}


def test_an_account_back_at_zero_leaves_no_trace() -> None:
    balances = Balances().post([paid(b"ada", b"bob", 5), paid(b"bob", b"ada", 5)])
    assert balances == Balances()
    assert balances.leaves() == ()
    assert b"ada" not in balances


def test_the_smallest_unit_survives_beside_the_largest_sums() -> None:
    huge = 10**60
    balances = Balances().post([paid(b"ada", b"bob", huge), paid(b"ada", b"bob", 1)])
    assert balances[b"bob"] == huge + 1


def test_balances_that_do_not_sum_to_zero_are_refused() -> None:
    with pytest.raises(Unbalanced):
        Balances({b"ada": 1})
