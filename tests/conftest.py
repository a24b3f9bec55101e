"""Settings for every test: a property may take its time on a busy machine, and prints how to repeat a failure.

Tests of whole processes and of the network library have deadlines of real time. They run one after another in one
worker, and everything else beside them in others.
"""

import pytest
from hypothesis import settings

settings.register_profile("wattswarm", deadline=None, print_blob=True)
settings.load_profile("wattswarm")

ONE_AFTER_ANOTHER = pytest.mark.xdist_group("processes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group what must not run beside its like."""
    for item in items:
        if item.get_closest_marker("processes") or item.path.name.startswith("test_libp2p"):
            item.add_marker(ONE_AFTER_ANOTHER)
