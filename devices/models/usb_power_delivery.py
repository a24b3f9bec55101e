"""USB Power Delivery's power data objects and requests, as 32-bit words, and the choice between them.

Source: USB Power Delivery Specification, revision 3.1 (IEC 62680-1-2): fixed supply objects (table "Fixed
Supply PDO - Source"; currents in 10 mA, voltages in 50 mV), request objects ("Fixed and Variable RDO").
"""

from dataclasses import dataclass
from functools import lru_cache

VOLTAGES_MV = (5_000, 9_000, 15_000, 20_000, 28_000, 36_000, 48_000)
"""The fixed voltages: the first four are the standard power range, to 100 W; the rest the extended, to 240 W."""
LARGEST_MA = 5_000
STANDARD_MA = 3_000
"""More current needs a cable that says it carries 5 A."""
_TYPE_SHIFT = 30
_VOLTAGE_SHIFT = 10
_TEN_BITS = 0x3FF
_POSITION_SHIFT = 28
_MISMATCH_BIT = 1 << 26


@dataclass(frozen=True, slots=True)
class FixedSupply:
    """A voltage a source can give, with the most current: mV and mA."""

    millivolt: int
    milliampere: int

    @property
    def power_w(self) -> float:
        """The most power of this object."""
        return self.millivolt * self.milliampere / 1e6

    def encoded(self) -> int:
        """The 32-bit object; type bits 00 say fixed supply."""
        return (self.millivolt // 50) << _VOLTAGE_SHIFT | (self.milliampere // 10)

    @classmethod
    def decoded(cls, word: int) -> "FixedSupply | None":
        """The fixed supply in a 32-bit object; None for the other types (battery, variable, augmented)."""
        if not 0 <= word < 1 << 32 or word >> _TYPE_SHIFT != 0:
            return None
        return cls((word >> _VOLTAGE_SHIFT & _TEN_BITS) * 50, (word & _TEN_BITS) * 10)


@dataclass(frozen=True, slots=True)
class Request:
    """What a device asks of the source: object position (from 1), operating and maximum current in mA.

    `mismatch`: the device would need more than any object offers.
    """

    position: int
    operating_ma: int
    maximum_ma: int
    mismatch: bool = False

    def encoded(self) -> int:
        """The 32-bit request."""
        word = self.position << _POSITION_SHIFT | (self.operating_ma // 10) << _VOLTAGE_SHIFT
        return word | self.maximum_ma // 10 | (_MISMATCH_BIT if self.mismatch else 0)

    @classmethod
    def decoded(cls, word: int) -> "Request | None":
        """The request in a 32-bit word; None where it names no object."""
        if not 0 <= word < 1 << 32 or word >> _POSITION_SHIFT == 0:
            return None
        return cls(
            position=word >> _POSITION_SHIFT,
            operating_ma=(word >> _VOLTAGE_SHIFT & _TEN_BITS) * 10,
            maximum_ma=(word & _TEN_BITS) * 10,
            mismatch=bool(word & _MISMATCH_BIT),
        )


@lru_cache(maxsize=256)
def offered(limit_w: float, five_ampere_cable: bool = True) -> tuple[FixedSupply, ...]:
    """The objects a source of this power offers: each voltage with what current the power leaves.

    Empty below 500 mW: there is no contract so small.
    """
    largest_ma = LARGEST_MA if five_ampere_cable else STANDARD_MA
    supplies: list[FixedSupply] = []
    for millivolt in VOLTAGES_MV:
        milliampere = min(largest_ma, int(limit_w * 1e6 / millivolt) // 10 * 10)
        known = supplies[-1].power_w if supplies else 0.0
        if milliampere >= 100 and millivolt * milliampere / 1e6 > known:
            supplies.append(FixedSupply(millivolt, milliampere))
    return tuple(supplies)


def requested(wanted_w: float, supplies: tuple[FixedSupply, ...]) -> Request | None:
    """What a device that wants this power asks for: the lowest voltage that carries it, else the strongest."""
    if not supplies:
        return None
    enough = [index for index, supply in enumerate(supplies) if supply.power_w >= wanted_w]
    index = enough[0] if enough else max(range(len(supplies)), key=lambda each: supplies[each].power_w)
    supply = supplies[index]
    wanted_ma = min(supply.milliampere, -int(-wanted_w * 1e6 // supply.millivolt))
    return Request(index + 1, wanted_ma // 10 * 10, supply.milliampere, mismatch=not enough)


def contract_w(request: Request, supplies: tuple[FixedSupply, ...]) -> float:
    """The most power that a granted request lets the device draw; 0 for a position nobody offered."""
    if not 1 <= request.position <= len(supplies):
        return 0.0
    supply = supplies[request.position - 1]
    return supply.millivolt * min(request.maximum_ma, supply.milliampere) / 1e6
