"""JSON composed from texts that are JSON already, so that exact decimals never become binary floats."""

import json
from collections.abc import Iterable, Mapping


def json_object(fields: Mapping[str, str]) -> str:
    """An object whose values are JSON texts."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in fields.items()) + "}"


def json_list(items: Iterable[str]) -> str:
    """A list of JSON texts."""
    return "[" + ", ".join(items) + "]"
