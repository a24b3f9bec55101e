"""Laws of invoices over random histories: they add up to the journal, charge nothing twice, and stay as they are."""

import os
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from cell_histories import RELAXED, histories, play
from hypothesis import given, settings
from journals import all_books, journal_of_world

from ledger.chain.journal import Posting, PostingSet
from market.billing.invoice import make_invoice, make_invoices
from market.billing.line_kinds import line_kind
from market.cell_state import SUPPLIER, member_account
from market.outcomes import BlockOutcomes
from market.settlement import Reason

FEW = settings(RELAXED, max_examples=int(os.environ.get("WATTSWARM_SOAK", "0")) or 8)

THREE_DAYS = 259_200
"""An interval of the worlds here, seconds, so that a few blocks make several months."""


@pytest.fixture(scope="module")
def played(cell_world: Any) -> Any:
    """Plays a history in a new world, with some quiet blocks after it, and gives the world."""

    def run(history: list[dict[str, Any]], quiet: int = 12) -> Any:
        world = cell_world(interval_s=THREE_DAYS)
        play(world, history)
        for _ in range(quiet):
            world.block()
        return world

    return run


@FEW
@given(histories)
def test_invoices_add_up_to_the_journal_to_the_last_unit(played: Any, history: list[dict[str, Any]]) -> None:
    world = played(history, quiet=0)
    books = all_books(journal_of_world(world))
    for member in world.ids:
        invoices = [make_invoice(month, member) for month in books]
        assert invoices[0].opening == 0
        for earlier, later in pairwise(invoices):
            assert later.opening == earlier.closing
        assert invoices[-1].closing == world.state.balance_of(member)
        for invoice in invoices:
            assert sum(item.amount for item in invoice.items()) == invoice.charges + invoice.payments
            assert invoice.closing == invoice.opening + sum(line.amount for line in invoice.lines)


@FEW
@given(histories)
def test_every_posting_is_in_exactly_one_month_and_on_one_invoice(
    played: Any, history: list[dict[str, Any]]
) -> None:
    world = played(history)
    lines = [
        (invoice.member, line.height, line.place, line.amount)
        for month in all_books(journal_of_world(world))
        for invoice in make_invoices(month)
        for line in invoice.lines
    ]
    owners = {member_account(member): member for member in world.ids}
    posted = [
        (owners[posting.account], height, place, posting.amount)
        for height, outcomes in enumerate(world.outcomes, start=1)
        for place, moved in enumerate(outcomes.postings)
        for posting in moved.postings
        if posting.account in owners
    ]
    assert sorted(lines) == sorted(posted)


@FEW
@given(histories)
def test_a_closed_month_reads_the_same_however_much_later(played: Any, history: list[dict[str, Any]]) -> None:
    world = played(history)
    seen: dict[tuple[str, bytes], tuple[bytes, int, int, int]] = {}
    for blocks in range(1, len(world.history) + 1):
        for month in all_books(journal_of_world(world, blocks)):
            for invoice in make_invoices(month) if month.closed else ():
                now = (invoice.digest(), month.height, invoice.contribution, invoice.consumption)
                assert seen.setdefault((str(month.month), invoice.member), now) == now


@FEW
@given(histories)
def test_what_a_line_says_it_is_for_is_what_it_costs(played: Any, history: list[dict[str, Any]]) -> None:
    world = played(history)
    contribution = consumption = readings = 0
    for month in all_books(journal_of_world(world)):
        for invoice in make_invoices(month):
            contribution += invoice.contribution
            consumption += invoice.consumption
            readings += invoice.readings
            for line in invoice.lines:
                assert line.reason != Reason.DEPOSITED or line.energy is None
                assert line.reason != Reason.CORRECTED or line.energy
                if line.reason in (Reason.CONFIRMED, Reason.SETTLED, Reason.TAKEN_OVER):
                    assert line.price is not None
                    assert line.energy is not None
                    assert line.price * line.energy == line.amount
    latest = {
        (line.interval, line.member): line
        for outcomes in world.outcomes
        for settlement in outcomes.settlements
        for line in settlement.lines
    }
    assert contribution == sum(line.contribution for line in latest.values())
    assert consumption == sum(line.consumption for line in latest.values())
    assert readings == len(latest)


def with_posting(outcomes: BlockOutcomes, moved: PostingSet) -> BlockOutcomes:
    """The outcomes with one more posting set."""
    return replace(outcomes, postings=(*outcomes.postings, moved))


def test_a_posting_of_a_kind_that_nobody_named_is_a_line_all_the_same(played: Any) -> None:
    world = played([], quiet=30)
    member = world.ids[0]
    moved = PostingSet(77, 104, (Posting(member_account(member), 55), Posting(SUPPLIER, -55)))
    world.outcomes[5] = with_posting(world.outcomes[5], moved)
    (_, month, *_) = all_books(journal_of_world(world))
    (line,) = make_invoice(month, member).lines
    assert (line.kind.code, line.amount, line.energy, line.interval) == ("posting-77", 55, None, 104)
    assert "77" in line.kind.text


def test_every_reason_of_the_journal_has_a_name() -> None:
    for reason in Reason:
        for sign in (1, -1):
            assert not line_kind(reason, sign, None).code.startswith("posting-")
