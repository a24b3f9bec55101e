"""Settings for every test: a property may take its time on a busy machine, and prints how to repeat a failure.

Tests of whole processes and of the network library have deadlines of real time, so like must not run beside like. A
worker runs a group one after another: the cells of several daemons in one worker, in the others everything else, of
which what starts a process or two, a browser or a network names a group of its own.
"""

import os
import sys

import pytest
from _pytest.nodeid import coerce_node_id
from hypothesis import settings

# Tests start some two hundred processes. Each would compile everything anew where the shell forbids to keep it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# scripts/soak.sh searches among more examples, others every time. Here the same commit gives the same answer.
SOAK = os.environ.get("WATTSWARM_EXAMPLES")
settings.register_profile(
    "wattswarm", deadline=None, print_blob=True, max_examples=int(SOAK or "40"), derandomize=SOAK is None
)
settings.load_profile("wattswarm")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group what must not run beside its like, unless it names its group itself."""
    for item in items:
        group = _group(item)
        if group is not None and getattr(config.option, "loadgroup", False):
            # pytest-xdist 3.8 writes the group where pytest 9 no longer looks, so no test would be grouped.
            item._id = coerce_node_id(f"{item.nodeid}@{group}")


def _group(item: pytest.Item) -> str | None:
    named = item.get_closest_marker("xdist_group")
    if named is not None:
        return str(named.args[0])
    if item.get_closest_marker("processes"):
        return "cells"
    return "libp2p" if item.path.name.startswith("test_libp2p") else None
