"""Telegrams of a smart meter's P1 port: bytes in, checked values out, no I/O.

Source: P1 Companion Standard (Dutch Smart Meter Requirements 5.0.2), section 5.2 (format, CRC16 over everything from
the slash to the exclamation mark) and 6.12 (OBIS references); the Belgian and Luxembourgish meters follow it.
"""

import re
from collections.abc import Mapping

from devices.errors import DeviceError

LONGEST_TELEGRAM = 8_192
"""Bytes; the standard's own example has some 1,000, and text messages of the grid operator may add 2,048."""
LINE = re.compile(r"(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(?:\*\d{1,3})?)(\(.*\))")
NUMBER = re.compile(r"\((\d{1,12}(?:\.\d{1,7})?)\*(k?W)\)")
END = re.compile(rb"!([0-9A-Fa-f]{4})\r\n")
DRAWN, GIVEN = "1-0:1.7.0", "1-0:2.7.0"
REFLECTED = 0xA001
"""x16 + x15 + x2 + 1, least significant bit first, no seed, no final inversion."""


class TelegramError(DeviceError):
    """The meter's fault, or the line's: what is wrong with a telegram."""


def checksum(data: bytes) -> int:
    """The CRC16 of a telegram, from the slash to the exclamation mark, both included."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ REFLECTED if value & 1 else value >> 1
    return value


def cut(data: bytes) -> tuple[bytes | None, bytes]:
    """The newest whole telegram in a stream, if there is one, and what may be the beginning of the next."""
    ends = list(END.finditer(data))
    if not ends:
        start = data.rfind(b"/")
        return None, data[start:][-LONGEST_TELEGRAM:] if start >= 0 else b""
    last = ends[-1]
    before = ends[-2].end() if len(ends) > 1 else 0
    start = data.rfind(b"/", before, last.start())
    telegram = data[start : last.end()] if start >= 0 else None
    return telegram, data[last.end() :][-LONGEST_TELEGRAM:]


def read(telegram: bytes) -> dict[str, str]:
    """The values of a telegram by OBIS reference, each with its brackets. TelegramError unless all of it is sound."""
    end = END.search(telegram)
    if not telegram.startswith(b"/") or end is None or end.end() != len(telegram):
        raise TelegramError("no telegram with a checksum; meters before DSMR 4 send none")
    body = telegram[: end.start() + 1]
    if checksum(body) != int(end[1], 16):
        raise TelegramError(f"checksum {checksum(body):04X}, but the meter says {end[1].decode()}")
    try:
        lines = body[:-1].decode("ascii").split("\r\n")
    except UnicodeDecodeError as error:
        raise TelegramError("not only ASCII") from error
    values: dict[str, str] = {}
    for line in lines[1:]:
        found = LINE.fullmatch(line)
        if found is None:
            if line:
                raise TelegramError(f"no line of a telegram: {line[:60]!r}")
            continue
        reference = found[1].split("*")[0]
        if reference in values:
            raise TelegramError(f"{reference} comes twice")
        values[reference] = found[2]
    return values


def power_w(values: Mapping[str, str]) -> float:
    """What passes the meter, W, injection into the grid positive. Raises TelegramError where it does not say both
    directions: one that is missing is not 0.
    """
    return _watts(values, GIVEN) - _watts(values, DRAWN)


def _watts(values: Mapping[str, str], reference: str) -> float:
    found = NUMBER.fullmatch(values.get(reference, ""))
    if found is None:
        raise TelegramError(f"{reference} is missing or no power")
    # The last digit is a watt or a tenth of one; what the multiplication adds behind it is no measurement.
    return round(float(found[1]) * (1000.0 if found[2] == "kW" else 1.0), 4)
