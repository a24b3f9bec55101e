"""What the documents say of the network is what the program does."""

import re
from pathlib import Path

import pytest

from node import constants
from node.transport.libp2p.links import NUMBER_BYTES, WINDOW_FRAMES
from node.transport.libp2p.swarm import YAMUX_BESIDE
from node.wire import WHEREABOUTS_ADDRESS_BYTES, WHEREABOUTS_BYTES

WIRE = (Path(__file__).parents[2] / "docs" / "wire-format.md").read_text("utf-8")
NETWORK = WIRE.split("## On the network")[1].split("## ")[0]


def test_the_topics_are_those_listed() -> None:
    listed = re.findall(r"^\| topic `<cell>/(\w+)`", NETWORK, re.M)
    assert tuple(listed) == constants.TOPICS


@pytest.mark.parametrize(
    "said",
    [
        f"`{YAMUX_BESIDE}`",
        f"A run is {NUMBER_BYTES} random bytes",
        f"within the last\n{WINDOW_FRAMES:,}",
        f"at most {WHEREABOUTS_BYTES} bytes",
        f"At most {constants.ADDRESSES_PER_MEMBER} byte strings",
        f"each of at most {WHEREABOUTS_ADDRESS_BYTES} bytes",
    ],
)
def test_the_numbers_of_paths_and_addresses_are_the_limits(said: str) -> None:
    assert said in NETWORK
