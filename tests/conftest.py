"""Settings for every test: a property may take its time on a busy machine, and prints how to repeat a failure.

Tests of whole processes and of the network library have deadlines of real time, so like must not run beside like. A
worker runs a group one after another: the cells of several daemons in one worker, in the others everything else, of
which what starts a process or two, a browser or a network names a group of its own.
"""

import os
import sys

import pytest
from hypothesis import settings

# Tests start some two hundred processes. Each would compile everything anew where the shell forbids to keep it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("wattswarm", deadline=None, print_blob=True)
settings.load_profile("wattswarm")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook, and later marks would not count
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group what must not run beside its like, unless it names its group itself."""
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        if item.get_closest_marker("processes"):
            item.add_marker(pytest.mark.xdist_group("cells"))
        elif item.path.name.startswith("test_libp2p"):
            item.add_marker(pytest.mark.xdist_group("libp2p"))
