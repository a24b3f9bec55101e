"""Shell: reads model definitions from the files of the SunSpec Alliance, as the package pysunspec2 carries them."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from devices.sunspec.points import Definition, Point

NUMBERS = range(1, 65_535)


@cache
def definition(number: int) -> Definition | None:
    """The definition of a model; None for one that the alliance has not published, as vendors have of their own."""
    path = files("sunspec2") / "models" / "json" / f"model_{number}.json"
    if number not in NUMBERS or not path.is_file():
        return None
    group = json.loads(path.read_text("utf-8"))["group"]
    points: dict[str, Point] = {}
    offset = 0
    for source in group["points"]:
        points[source["name"]] = _point(source, offset)
        offset += int(source["size"])
    return Definition(number, str(group.get("label", group["name"])), points, offset)


def needed(number: int) -> Definition:
    """The definition of a model that the driver is written for. Raises LookupError when its file is missing."""
    found = definition(number)
    if found is None:
        raise LookupError(f"the definition of SunSpec model {number} is missing from the package pysunspec2")
    return found


def _point(source: dict[str, Any], offset: int) -> Point:
    return Point(
        name=source["name"],
        offset=offset,
        size=int(source["size"]),
        type_name=source["type"],
        scale=source.get("sf"),
        units=str(source.get("units", "")).strip(),
        writable=source.get("access") == "RW",
        symbols={
            symbol["value"]: symbol["name"]
            for symbol in source.get("symbols", ())
            if isinstance(symbol["value"], int)
        },
    )
