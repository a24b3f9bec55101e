"""Signals that ask a long simulation to end."""

import signal
from collections.abc import Iterator

import pytest

from sim.interrupts import heed_interrupts


@pytest.fixture
def started_in_the_background() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("started_in_the_background")
def test_both_signals_interrupt_even_where_a_shell_had_them_ignored(number: signal.Signals) -> None:
    heed_interrupts()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
