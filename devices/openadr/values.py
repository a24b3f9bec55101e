"""Values out of a VTN's JSON, bounded and checked: everything a VTN says is a stranger's word.

Every reader raises `OpenAdrError` with the place of the value, what it should be, and what was found.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from devices.errors import DeviceError

TEXT_LENGTH: Final = 128
"""Of names and types, as the schema has it; ids are as long at most."""
MOST_ITEMS: Final = 2_000
"""Of any list: a week of five-minute intervals has 2,016, and nobody plans power further ahead."""
FOREVER_NS: Final = 2**62
"""The end of what has no end: the year 2116."""
NS_PER_S: Final = 1_000_000_000
S_PER_DAY: Final = 86_400

_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))?)?"
)
_DURATION: Final = re.compile(
    r"P(?=\d|T\d)(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?"
    r"(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?)?"
)
_UNIT_S: Final = (365 * S_PER_DAY, 30 * S_PER_DAY, 7 * S_PER_DAY, S_PER_DAY, 3_600, 60, 1)


class OpenAdrError(DeviceError):
    """The VTN's fault: it said what no VTN may say, or did not answer; the text names it and what to do."""


Table = dict[str, object]
"""A JSON object."""


def table(value: object, place: str) -> Table:
    """A JSON object."""
    if not isinstance(value, dict):
        raise OpenAdrError(f"{place} is no object; found {shown(value)}")
    return value


def items(value: object, place: str, most: int = MOST_ITEMS) -> list[object]:
    """A list that is not too long; null and nothing are an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise OpenAdrError(f"{place} is no list; found {shown(value)}")
    if len(value) > most:
        raise OpenAdrError(f"{place} has {len(value)} items; {most} are the most that is taken")
    return value


def text(value: object, place: str) -> str:
    """A text of 1 to `TEXT_LENGTH` characters that can be printed."""
    if not isinstance(value, str) or not 1 <= len(value) <= TEXT_LENGTH or not value.isprintable():
        raise OpenAdrError(
            f"{place} is no text of 1 to {TEXT_LENGTH} printable characters; found {shown(value)}"
        )
    return value


def some_text(value: object, place: str) -> str | None:
    """A text, or None where there is none."""
    return None if value is None or value == "" else text(value, place)


def object_id(value: object, place: str) -> str:
    """An id that is safe in a URL, as the schema's objectID."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise OpenAdrError(f"{place} is no id of 1 to 128 letters, digits, _ and -; found {shown(value)}")
    return value


def number(value: object, place: str, lowest: float = -1e12, highest: float = 1e12) -> float:
    """A finite number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OpenAdrError(f"{place} is no number; found {shown(value)}")
    if not lowest <= value <= highest:
        raise OpenAdrError(f"{place} is not from {lowest:g} to {highest:g}; found {shown(value)}")
    return float(value)


def integer(value: object, place: str, lowest: int = -(2**31), highest: int = 2**31 - 1) -> int:
    """A whole number within bounds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise OpenAdrError(f"{place} is no whole number from {lowest} to {highest}; found {shown(value)}")
    return value


def time_ns(value: object, place: str) -> int:
    """A moment (RFC 3339) as unix ns; 0 for a year before 1970, by which OpenADR means "now".

    A time without an offset is UTC, which is what OpenADR's own examples mean by it.
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise OpenAdrError(f"{place} is no time like 2026-06-15T09:30:00Z; found {shown(value)}")
    year, month, day, hour, minute, second, fraction, _, sign, off_hour, off_minute = found.groups()
    if int(year) < 1970:
        return 0
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
        )
        if sign is not None:
            off = timedelta(hours=int(off_hour), minutes=int(off_minute))
            moment = moment - off if sign == "+" else moment + off
    except (ValueError, OverflowError) as fault:
        raise OpenAdrError(f"{place} is no time: {fault}; found {shown(value)}") from fault
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    whole_ns = (since.days * S_PER_DAY + since.seconds) * NS_PER_S
    return max(0, min(whole_ns + int((fraction or "0").ljust(9, "0")), FOREVER_NS))


def time_text(moment_ns: int) -> str:
    """Unix ns as RFC 3339 in UTC, whole seconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment_ns // NS_PER_S)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def duration_ns(value: object, place: str) -> int:
    """A duration (ISO 8601) in ns, at most `FOREVER_NS`; a year counts 365 days and a month 30."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise OpenAdrError(f"{place} is no duration like PT15M; found {shown(value)}")
    *whole, fraction = found.groups()
    seconds = sum(int(part or 0) * unit for part, unit in zip(whole, _UNIT_S, strict=True))
    return min(seconds * NS_PER_S + int((fraction or "0").ljust(9, "0")), FOREVER_NS)


def duration_text(span_ns: int) -> str:
    """A span in ns as an ISO 8601 duration of whole seconds."""
    return f"PT{span_ns // NS_PER_S}S"


def shown(value: object) -> str:
    """A stranger's value for a message: short, and on one line."""
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."
