"""Shell: finds SunSpec models behind a Modbus link, and reads them.

Source: SunSpec Device Information Model 1.1, section 6.
"""

from devices.drivers.hardware import HardwareError, RequestRefusedError
from devices.modbus.link import ModbusLink
from devices.sunspec.definitions import definition
from devices.sunspec.points import HEADER, Block, Definition

BASES = (40_000, 0, 50_000)
"""Where a SunSpec map may begin, in the order in which clients are to look."""
MARK = (0x5375, 0x6E53)
"""The letters SunS."""
END = 0xFFFF
MOST_MODELS = 200
"""More models than this in one map is a map that leads round in a circle or into noise."""


def discover(link: ModbusLink) -> dict[int, tuple[int, int]]:
    """Every model of the map: its number, and the address and the length in registers, header included.

    The first of several models of one number counts. Raises HardwareError when there is no map.
    """
    for base in BASES:
        try:
            if link.read(base, HEADER) == MARK:
                return _walk(link, base + HEADER)
        except RequestRefusedError:
            continue
    tried = ", ".join(map(str, BASES))
    raise HardwareError(f"{link.place}: no SunSpec map at {tried}; is it switched on in the device's menu?")


def read_block(link: ModbusLink, definition_: Definition, place: tuple[int, int]) -> Block:
    """Read a model as far as its definition goes; its number and length must stand where they were found.

    A reply that belongs to another model is known by that. Raises HardwareError.
    """
    address, size = place
    registers = link.read(address, min(size, definition_.size))
    if registers[:HEADER] != (definition_.number, size - HEADER):
        raise link.lost(f"model {definition_.number} is not at {address}, another's registers came")
    return Block(definition_, address, registers)


def known_models(found: dict[int, tuple[int, int]]) -> dict[int, Definition]:
    """The definitions of those models that are published."""
    pairs = ((number, definition(number)) for number in found)
    return {number: each for number, each in pairs if each is not None}


def _walk(link: ModbusLink, address: int) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for _ in range(MOST_MODELS):
        number, length = link.read(address, HEADER)
        if number == END:
            return found
        found.setdefault(number, (address, HEADER + length))
        address += HEADER + length
    raise link.lost(f"more than {MOST_MODELS} models; the map has no end")
