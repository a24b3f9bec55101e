"""SunSpec points: what registers mean, and what they never mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.sunspec.definitions import definition, needed
from devices.sunspec.points import Block, Point, UnfitValueError, decode, encode, unimplemented

TYPES = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "uint64": 4,
    "acc32": 2,
    "enum16": 1,
    "bitfield32": 2,
}


def point(type_name: str) -> Point:
    return Point("X", 0, TYPES[type_name], type_name, None, "", True, {})


VECTORS = [
    ("int16", (0x8000,)),
    ("uint16", (0xFFFF,)),
    ("int32", (0x8000, 0)),
    ("uint32", (0xFFFF, 0xFFFF)),
    ("uint64", (0xFFFF,) * 4),
    ("acc32", (0, 0)),
    ("enum16", (0xFFFF,)),
    ("bitfield32", (0xFFFF, 0xFFFF)),
]


@pytest.mark.parametrize(("type_name", "registers"), VECTORS)
def test_what_is_not_implemented_is_no_number(type_name: str, registers: tuple[int, ...]) -> None:
    assert decode(point(type_name), registers) is None


@given(st.sampled_from(sorted(TYPES)), st.integers(-(2**64), 2**64))
def test_a_number_comes_back_or_does_not_fit(type_name: str, value: int) -> None:
    try:
        registers = encode(point(type_name), value)
    except UnfitValueError:
        bits = 16 * TYPES[type_name]
        fits = (
            -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) if type_name[:3] == "int" else 0 <= value < 2**bits
        )
        assert not fits or value == unimplemented(point(type_name))
        return
    assert all(0 <= register <= 0xFFFF for register in registers)
    assert decode(point(type_name), registers) == value


def controls(scale: int | None, **values: int) -> Block:
    """Model 704 with a scale factor for WSet and some registers."""
    model = needed(704)
    registers = [0] * model.size
    registers[model.points["WSet_SF"].offset] = 0x8000 if scale is None else scale & 0xFFFF
    for name, value in values.items():
        at = model.points[name]
        registers[at.offset : at.offset + at.size] = encode(at, value)
    return Block(model, 40_000, tuple(registers))


@pytest.mark.parametrize(("scale", "shown"), [(0, -1234.0), (2, -123_400.0), (-1, -123.4), (-3, -1.234)])
def test_a_scale_factor_is_a_power_of_ten(scale: int, shown: float) -> None:
    assert controls(scale, WSet=-1234).number("WSet") == shown


@pytest.mark.parametrize("scale", [None, 11, -11, 300])
def test_without_a_sensible_scale_factor_there_is_no_value(scale: int | None) -> None:
    block = controls(scale, WSet=5)
    assert block.number("WSet") is None
    with pytest.raises(UnfitValueError, match="scale factor"):
        block.encoded("WSet", 5.0)


@given(st.integers(-3, 3), st.floats(-30_000, 30_000))
def test_what_is_written_reads_back_to_half_a_step(scale: int, value: float) -> None:
    block = controls(scale)
    at = block.definition.points["WSet"].offset
    registers = block.registers[:at] + block.encoded("WSet", value) + block.registers[at + 2 :]
    read = Block(block.definition, 0, registers).number("WSet")
    assert read is not None
    assert abs(read - value) <= 10.0**scale * 0.5 + 1e-6


@given(st.integers(-2, 0), st.floats(0, 100))
def test_a_limit_is_never_rounded_up(scale: int, value: float) -> None:
    block = controls(0)
    model = block.definition
    registers = list(block.registers)
    registers[model.points["WMaxLimPct_SF"].offset] = scale & 0xFFFF
    limited = Block(model, 0, tuple(registers))
    written = limited.encoded("WMaxLimPct", value, toward_zero=True)[0] * 10.0**scale
    assert value - 10.0**scale - 1e-6 <= written <= value + 1e-6


def test_a_block_that_is_shorter_than_its_definition_lacks_the_rest() -> None:
    block = controls(0, WSet=5)
    assert Block(block.definition, 0, block.registers[:24]).number("WSet") is None


def test_texts_end_at_the_first_zero() -> None:
    model = needed(1)
    registers = [0] * model.size
    at = model.points["Mn"]
    registers[at.offset : at.offset + 2] = [0x4142, 0x4300]
    assert Block(model, 0, tuple(registers)).text("Mn") == "ABC"
    assert Block(model, 0, tuple(registers)).text("Md") is None


def test_models_that_nobody_published_are_unknown() -> None:
    assert definition(64_999) is None
    assert definition(0) is None
