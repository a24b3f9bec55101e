"""Warning before a disturbance: counted from the last alarm that stands, and nothing is known of what comes."""

import numpy as np
import pytest

from devices.prediction.trouble import Band
from sim.prediction.lead import leads

NARROW = Band(-1.0, 1.0, 5, (1, 3))
WIDE = Band(-10.0, 10.0, 5, (1, 3))


def swings(seed: int) -> np.ndarray:
    """A slow swing with a little noise, in and out of the narrow band."""
    random = np.random.default_rng(seed)
    return 1.3 * np.sin(np.arange(300) / 15) + 0.01 * random.normal(size=300)


PIECES = [swings(seed) for seed in range(4)]


def test_a_slow_fall_is_seen_coming_and_a_jump_is_not() -> None:
    slow = 10 * swings(7)
    jump = np.concatenate([np.zeros(50), np.full(10, -50.0)])
    warned = leads(PIECES, NARROW, {"slow": slow, "jump": jump}, WIDE)
    assert 1 <= warned["slow"].model <= 10
    assert (warned["jump"].model, warned["jump"].threshold) == (0, 0)


def test_an_event_that_stays_in_its_band_is_none() -> None:
    with pytest.raises(ValueError, match="calm never leaves"):
        leads(PIECES, NARROW, {"calm": np.zeros(20)}, WIDE)
