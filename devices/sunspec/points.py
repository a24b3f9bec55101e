"""SunSpec points: where a value lies in a model, how registers encode it, and what "not implemented" looks like.

Source: SunSpec Device Information Model Specification 1.1, sections 4 (types, scale factors) and 6 (models);
registers are 16 bits, the most significant one first. A value that a device does not implement is None here, never
the number that stands for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEADER = 2
"""Every model begins with its number and its length, one register each."""
LARGEST_SCALE = 10
"""Scale factors are powers of ten from -10 to 10; anything else is no scale factor."""

SIGNED = frozenset({"int16", "int32", "int64", "sunssf"})
ACCUMULATORS = frozenset({"acc16", "acc32", "acc64"})
TEXTS = frozenset({"string"})
BYTES = frozenset({"ipaddr", "ipv6addr", "eui48", "float32", "float64", "pad"})
"""Types that are read by nothing here."""

Value = int | str | None


class UnfitValueError(ValueError):
    """A value cannot be written into its point; the message says why."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a model: `offset` counts registers from the model's number, `scale` names the point that holds the
    power of ten or is that power; `symbols` name the values of an enumeration.
    """

    name: str
    offset: int
    size: int
    type_name: str
    scale: str | int | None
    units: str
    writable: bool
    symbols: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Definition:
    """A model's number, its label and the points of its fixed part, by name; `size` in registers with the header."""

    number: int
    label: str
    points: Mapping[str, Point]
    size: int


@dataclass(frozen=True, slots=True)
class Block:
    """A model as a device holds it: its definition, the address of its number, and its registers as they were read."""

    definition: Definition
    address: int
    registers: tuple[int, ...]

    def raw(self, name: str) -> Value:
        """The value as it is encoded, unscaled; None when the device does not implement it or has not got it."""
        point = self.definition.points[name]
        registers = self.registers[point.offset : point.offset + point.size]
        return decode(point, registers) if len(registers) == point.size else None

    def number(self, name: str) -> float | None:
        """The scaled value; None when it, or a scale factor that it needs, is not implemented or makes no sense."""
        raw, scale = self.raw(name), self.power_of_ten(name)
        if not isinstance(raw, int) or scale is None:
            return None
        return float(raw * 10**scale) if scale >= 0 else raw / 10**-scale

    def text(self, name: str) -> str | None:
        """A text; None when it is not implemented."""
        raw = self.raw(name)
        return raw if isinstance(raw, str) else None

    def symbol(self, name: str) -> str | None:
        """The name of an enumeration's value; of one without a name the number as text."""
        raw = self.raw(name)
        if not isinstance(raw, int):
            return None
        return self.definition.points[name].symbols.get(raw, str(raw))

    def power_of_ten(self, name: str) -> int | None:
        """The scale of a point as a power of ten; 0 for a point without one; None when its scale factor is missing."""
        scale = self.definition.points[name].scale
        if scale is None:
            return 0
        if isinstance(scale, str):
            found = self.raw(scale)
            if not isinstance(found, int):
                return None
            scale = found
        return scale if -LARGEST_SCALE <= scale <= LARGEST_SCALE else None

    def encoded(self, name: str, value: float, toward_zero: bool = False) -> tuple[int, ...]:
        """The registers that hold the nearest value that the point can hold; or the nearest that is not further from
        zero. Raises UnfitValueError when there is none.
        """
        scale = self.power_of_ten(name)
        point = self.definition.points[name]
        if scale is None:
            raise UnfitValueError(
                f"{self.definition.number}.{name}: the device states no scale factor for it"
            )
        # Nine decimals: a quotient that is a whole number but for the rounding of floats stays that number.
        exact = round(value / 10**scale if scale >= 0 else value * 10**-scale, 9)
        return encode(point, int(exact) if toward_zero else round(exact))


def decode(point: Point, registers: Sequence[int]) -> Value:
    """The value that registers hold, unscaled; None for the number that says "not implemented"."""
    if point.type_name in BYTES:
        return None
    if point.type_name in TEXTS:
        octets = b"".join(register.to_bytes(2, "big") for register in registers)
        return octets.split(b"\0")[0].decode("ascii", "replace").strip() or None
    bits = 16 * point.size
    value = 0
    for register in registers:
        value = value << 16 | register
    if point.type_name in SIGNED:
        value = value - (1 << bits) if value >> (bits - 1) else value
    return None if value == unimplemented(point) else value


def encode(point: Point, value: int) -> tuple[int, ...]:
    """The registers of an unscaled number. Raises UnfitValueError for what the type does not hold, and for the number
    that would say "not implemented".
    """
    bits = 16 * point.size
    signed = point.type_name in SIGNED
    lowest, highest = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not lowest <= value <= highest or value == unimplemented(point):
        raise UnfitValueError(f"{point.name}: {value} does not fit into {point.type_name}")
    plain = value & ((1 << bits) - 1)
    return tuple(plain >> shift & 0xFFFF for shift in range(bits - 16, -16, -16))


def unimplemented(point: Point) -> int:
    """The number that says "not implemented": the lowest of a signed type, zero of an accumulator, else all ones."""
    bits = 16 * point.size
    if point.type_name in SIGNED:
        return -(1 << (bits - 1))
    return 0 if point.type_name in ACCUMULATORS else (1 << bits) - 1
