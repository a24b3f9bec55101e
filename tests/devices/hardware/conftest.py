"""Server processes and drivers that end with the test."""

from collections.abc import Iterator
from typing import Any

import pytest
from sunspec_bench import MakeBench, ServerBench

from sim.counterparts.started import Counterpart


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    """A driver before a fresh server of a kind."""
    benches: list[ServerBench] = []

    def make(server_kind: str = "battery", **changes: Any) -> ServerBench:
        kind = {"solar": "pv", "meter": "meter"}.get(server_kind, "battery")
        benches.append(ServerBench(Counterpart("--kind", server_kind), kind, **changes))
        return benches[-1]

    yield make
    for bench in benches:
        bench.polled.close()
        bench.server.end()
