"""Calendar months as ranges of delivery intervals: a month has the intervals that begin in it, in one time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from market.errors import InputError
from market.units import NS_PER_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the Gregorian calendar."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month that `YYYY-MM` names. Raises InputError."""
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text)
        if match is None or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1970:
            raise InputError(f"{text!r} is not a month; write it as year and month, such as 2026-01")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def next(self) -> "Month":
        """The month after it."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def intervals(self, interval_s: int, zone: tzinfo) -> range:
        """Indices of the intervals that begin in the month by the clocks of a zone."""
        return range(*(-(-month._start_s(zone) // interval_s) for month in (self, self.next)))

    def _start_s(self, zone: tzinfo) -> int:
        return (datetime(self.year, self.number, 1, tzinfo=zone) - _EPOCH) // timedelta(seconds=1)


def moment(time_ns: int, zone: tzinfo) -> datetime:
    """A cell time by the clocks of a zone, to the second."""
    return (_EPOCH + timedelta(seconds=time_ns // NS_PER_S)).astimezone(zone)
