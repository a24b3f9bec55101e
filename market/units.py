"""The border between the numbers people write and the integers that members agree on.

Energy is an integer of mWh (milliwatt-hours), a price an integer of µ/kWh (10^-6 currency per kWh), money
an integer of pico-currency: energy times price, exact, never rounded. Injection into the feeder is
positive, withdrawal negative. Inside the agreed state there is nothing else; this module is the only place
that converts, and each conversion says how it rounds. Text is converted exactly or refused.
"""

import re

from market.errors import AmountError

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
S_PER_DAY = 86_400
S_PER_HOUR = 3_600
MW_PER_W = 1_000  # power in agreed values is an integer of mW
MWH_PER_WH = 1_000
ENERGY_PER_KWH = 1_000_000  # mWh in a kWh
PRICE_PER_UNIT = 1_000_000  # µ/kWh in one currency unit per kWh
MONEY_PER_UNIT = 1_000_000_000_000  # pico in one currency unit
DECIMALS = 6  # of both kWh and currency per kWh
MONEY_DECIMALS = 12

MAX_QUANTITY = 2**40
"""Largest energy of one order, mWh: 1.1 GWh in one interval, beyond any feeder."""

MAX_PRICE = 2**35
"""Largest absolute price, µ/kWh: 34,000 currency per kWh; key and place of an order fit 64 bits."""

MAX_LIMIT = 2**61
"""Largest flow limit and largest sum of all quantities in one auction, mWh: all sums fit 64 bits."""

MAX_TEXT = 40  # characters of a number in a file; the longest valid one has fewer than 25

_PLAIN_DECIMAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")


def energy_of_power(power_mw: int, interval_s: int) -> int:
    """Energy in mWh of a constant power in mW over one interval, rounded toward zero."""
    product = abs(power_mw) * interval_s
    energy = product // S_PER_HOUR
    return energy if power_mw >= 0 else -energy


def power_of_energy(energy: int, interval_s: int) -> int:
    """Smallest power in mW that gives at least this energy in mWh >= 0 over one interval."""
    return -(-energy * S_PER_HOUR // interval_s)


def energy_from_kwh(text: str) -> int:
    """Energy in mWh of a plain decimal text in kWh. Raises AmountError for more than six decimals."""
    return _scaled(text)


def price_from_text(text: str) -> int:
    """Price in µ/kWh of a plain decimal text in currency per kWh. Raises AmountError beyond six decimals."""
    return _scaled(text)


def kwh_text(energy: int) -> str:
    """Energy in mWh as an exact decimal text in kWh with six decimals; also a valid JSON number."""
    return decimal_text(energy, DECIMALS)


def price_text(price: int) -> str:
    """Price in µ/kWh as an exact text in currency per kWh, six decimals; also a valid JSON number."""
    return decimal_text(price, DECIMALS)


def money_text(money: int) -> str:
    """Money in pico as an exact decimal text in currency, trailing zeros beyond six decimals dropped."""
    text = decimal_text(money, MONEY_DECIMALS)
    kept = len(text) - (MONEY_DECIMALS - DECIMALS)
    return text[:kept] + text[kept:].rstrip("0")


def decimal_text(value: int, decimals: int) -> str:
    """The integer divided by 10**decimals, written out exactly."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**decimals)
    return f"{sign}{whole}.{fraction:0{decimals}d}"


def _scaled(text: str) -> int:
    if len(text) > MAX_TEXT:
        raise AmountError(f"a number of {len(text)} characters, the longest allowed has {MAX_TEXT}")
    match = _PLAIN_DECIMAL.fullmatch(text.strip(" \t"))
    if match is None:
        raise AmountError(f"{text!r} is not a plain decimal number such as 0.25")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > DECIMALS:
        raise AmountError(f"{text!r} has more than {DECIMALS} decimals")
    value: int = int(whole) * 10**DECIMALS + int(fraction.ljust(DECIMALS, "0"))
    return -value if sign == "-" else value
