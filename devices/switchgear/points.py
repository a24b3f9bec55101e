"""One value of switchgear on Modbus: which table and address, how it is scaled, and what counts as implausible.

A core: raw 16-bit registers or bits in, values out, None for what cannot be believed. V, Hz, degrees.
"""

from dataclasses import dataclass

from devices.fields import Fields

KINDS = ("coil", "discrete", "holding", "input")
"""The four tables of Modbus."""
BITS = ("coil", "discrete")
HIGHEST = 65_535
SIGN = 32_768


@dataclass(frozen=True, slots=True)
class Measured:
    """A measured value or setpoint: raw x `scale`; `signed` registers are two's complement."""

    kind: str
    address: int
    scale: float
    signed: bool = False

    def value(self, raw: int) -> float:
        """What a raw register says."""
        return (raw - 2 * SIGN if self.signed and raw >= SIGN else raw) * self.scale

    def raw(self, value: float) -> int | None:
        """The register that says a value as nearly as it can; None for one that it cannot hold."""
        number = round(value / self.scale)
        lowest, highest = (-SIGN, SIGN - 1) if self.signed else (0, HIGHEST)
        return number % (HIGHEST + 1) if lowest <= number <= highest else None


@dataclass(frozen=True, slots=True)
class State:
    """Something that is one or the other: `on` and `off` are the raw values that say so."""

    kind: str
    address: int
    on: int = 1
    off: int = 0

    def value(self, raw: int) -> bool | None:
        """What a raw value says; None where it is neither."""
        return {self.on: True, self.off: False}.get(raw)


def read_measured(fields: Fields, key: str, scale: float | None, writable: bool = False) -> Measured:
    """Read a table of a measured value; mistakes are collected in the fields."""
    table = fields.table(key)
    kind = table.choice(
        "kind", ("holding",) if writable else ("holding", "input"), "holding" if writable else "input"
    )
    point = Measured(
        kind,
        table.integer("address", 0, HIGHEST),
        table.number("scale", 1e-6, 1e6, scale),
        table.flag("signed", False),
    )
    table.close()
    return point


def read_state(fields: Fields, key: str, writable: bool = False) -> State:
    """Read a table of a state or (`writable`) a command."""
    table = fields.table(key)
    allowed = ("coil", "holding") if writable else KINDS
    kind = table.choice("kind", allowed, "coil" if writable else "discrete")
    highest = 1 if kind in BITS else HIGHEST
    point = State(
        kind,
        table.integer("address", 0, HIGHEST),
        table.integer("on", 0, highest, 1),
        table.integer("off", 0, highest, 0),
    )
    if point.on == point.off:
        table.problem("on", "must differ from off")
    table.close()
    return point
