"""Which room of a package may import which: the folders of a package tell what builds on what."""

import ast
from collections.abc import Iterator

from tidy_rules import Violation, imports

# The rooms of a package from the ground up: each imports only itself and those before it; the package's own files come
# first.
ROOMS = {
    "ledger": (
        *("", "records", "membership", "feeds", "files", "chain"),
        *("agreement", "store", "sync", "witnesses", "proofs", "audit"),
    ),
    "devices": (
        *(
            "",
            "power",
            "response",
            "drivers",
            "models",
            "modbus",
            "mqtt",
            "nut",
            "dsmr",
            "sunspec",
            "openadr",
        ),
        *(
            "swarm",
            "trials",
            "resilience",
            "prediction",
            "messages",
            "hub",
            "health",
            "simulated",
            "switchgear",
        ),
        *("configuration", "dispatch", "broker", "opening", "control", "process"),
    ),
    "node": (
        *("", "configuration", "views", "alarms", "founding", "saying"),
        *("transport", "agreement", "trading", "demand", "core"),
        *("gateway", "operation", "notification", "web", "upgrade", "daemon", "cli"),
    ),
}


def rooms(path: str, tree: ast.Module) -> Iterator[Violation]:
    """Imports between the rooms of one package: only downwards, so that the folders tell what builds on what."""
    package, _, rest = path.partition("/")
    order = ROOMS.get(package, ())
    here = rest.split("/")[0] if "/" in rest else ""
    if order and here not in order:
        yield Violation(path, 1, f"rooms: {package}/{here} has no place among the rooms of {package}")
        return
    for node, module in imports(tree):
        top, _, inner = module.partition(".")
        there = inner.split(".")[0]
        if top == package and there in order and order.index(there) > order.index(here):
            yield Violation(path, node.lineno, f"rooms: {package}/{here} must not import {package}/{there}")
