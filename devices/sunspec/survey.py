"""Shell: looks at what answers at an address before anything is trusted: maker, models, every value; writes nothing."""

from dataclasses import dataclass

from devices.modbus.link import ModbusLink
from devices.sunspec.link import discover, known_models, read_block
from devices.sunspec.points import HEADER, Block
from devices.sunspec.steering import CONTROLS, RATING, STORAGE_CONTROL

MAKER = 1
CAPACITIES = ((713, "WHRtg"), (802, "WHRtg"))
CHARGE = (("WChaRteMaxRtg", "charge_w"), ("WDisChaRteMaxRtg", "discharge_w"))
NOT_VALUES = frozenset({"sunssf", "pad"})


@dataclass(frozen=True, slots=True)
class Found:
    """A SunSpec device: where, who made it, its models by number, and a table of site.ders that would control it
    (without a name), or an empty one for a device that nothing here controls.
    """

    host: str
    port: int
    unit: int
    maker: str
    model: str
    version: str
    serial: str
    models: dict[int, str]
    table: dict[str, object]


@dataclass(frozen=True, slots=True)
class ShownValue:
    """One implemented value: scaled, with the symbol of an enumeration in its place; `model` is what holds it."""

    model: int | str
    point: str
    value: float | str
    units: str


def survey(host: str, port: int, unit: int, timeout_s: float) -> Found:
    """What answers there. Raises HardwareError when nothing does, or nothing that speaks SunSpec."""
    link = ModbusLink(host, port, unit, timeout_s)
    try:
        places = discover(link)
        known = known_models(places)
        blocks = {number: read_block(link, each, places[number]) for number, each in known.items()}
    finally:
        link.close()
    maker = blocks.get(MAKER)

    def said(name: str) -> str:
        return "" if maker is None else maker.text(name) or ""

    labels = {number: known[number].label if number in known else "of the maker's own" for number in places}
    way: dict[str, object] = {"driver": "sunspec", "host": host, "port": port, "unit": unit}
    sizes = _sizes(blocks)
    return Found(
        host, port, unit, said("Mn"), said("Md"), said("Vr"), said("SN"), labels, way | sizes if sizes else {}
    )


def every_value(host: str, port: int, unit: int, timeout_s: float) -> tuple[ShownValue, ...]:
    """Every implemented value of the models whose definition is published. Raises HardwareError."""
    link = ModbusLink(host, port, unit, timeout_s)
    try:
        places = discover(link)
        known = known_models(places)
        return tuple(
            value
            for number, each in known.items()
            for value in _values(read_block(link, each, places[number]))
        )
    finally:
        link.close()


def _values(block: Block) -> list[ShownValue]:
    shown = []
    for point in block.definition.points.values():
        if point.offset < HEADER or point.type_name in NOT_VALUES:
            continue
        value: float | str | None = block.number(point.name)
        if point.type_name == "string":
            value = block.text(point.name)
        elif point.symbols and point.type_name.startswith("enum"):
            value = block.symbol(point.name)
        if value is not None:
            shown.append(ShownValue(block.definition.number, point.name, value, point.units))
    return shown


def _sizes(blocks: dict[int, Block]) -> dict[str, object]:
    """The kind and the nameplate that the device states; empty for one that cannot be controlled or does not say."""
    capacity = _first_number(blocks, CAPACITIES)
    if CONTROLS in blocks and RATING in blocks:
        rating = blocks[RATING]
        most_w = rating.number("WMaxRtg")
        if capacity is None:
            return {} if most_w is None else {"kind": "pv", "maximum_w": round(most_w)}
        limits = {key: rating.number(name) or most_w for name, key in CHARGE}
    elif STORAGE_CONTROL in blocks:
        most_w = blocks[STORAGE_CONTROL].number("WChaMax")
        limits = {key: most_w for _, key in CHARGE}
    else:
        return {}
    if capacity is None or None in limits.values():
        return {}
    known = {key: round(value) for key, value in limits.items() if value is not None}
    return {"kind": "battery", **known, "capacity_wh": round(capacity)}


def _first_number(blocks: dict[int, Block], sources: tuple[tuple[int, str], ...]) -> float | None:
    found = (blocks[number].number(name) for number, name in sources if number in blocks)
    return next((value for value in found if value), None)
