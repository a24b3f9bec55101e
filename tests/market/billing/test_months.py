"""Months as ranges of intervals, by the clocks of a zone."""

from datetime import UTC
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from market.billing.months import Month, moment
from market.errors import InputError
from market.units import NS_PER_S

ZURICH = ZoneInfo("Europe/Zurich")


@pytest.mark.parametrize(
    "text", ["2026", "2026-13", "2026-00", "26-01", "2026-1", "2026-01-01", "", "1969-12"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="2026-01"):
        Month.parse(text)


def test_a_month_has_the_intervals_that_begin_in_it() -> None:
    january = Month.parse("2026-01").intervals(3600, UTC)
    assert len(january) == 31 * 24
    assert moment(january.start * 3600 * NS_PER_S, UTC).isoformat() == "2026-01-01T00:00:00+00:00"


def test_the_clocks_of_a_zone_decide_where_a_month_begins_and_summer_time_shortens_it() -> None:
    march = Month.parse("2026-03").intervals(900, ZURICH)
    assert len(march) == 31 * 96 - 4
    assert moment(march.start * 900 * NS_PER_S, ZURICH).isoformat() == "2026-03-01T00:00:00+01:00"
    assert moment(march.stop * 900 * NS_PER_S, ZURICH).isoformat() == "2026-04-01T00:00:00+02:00"


@pytest.mark.parametrize("interval_s", [900, 3600, 7000, 604_800])
def test_months_follow_each_other_without_gap_or_overlap(interval_s: int) -> None:
    months = [Month(2025, 11), Month(2025, 12), Month(2026, 1), Month(2026, 2)]
    assert [month.next for month in months[:3]] == months[1:]
    for one, other in pairwise(months):
        assert one.intervals(interval_s, ZURICH).stop == other.intervals(interval_s, ZURICH).start
