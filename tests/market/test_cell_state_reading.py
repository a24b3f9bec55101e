"""The state of a cell reads back from its leaves, over random histories, and goes on as if it had never been away."""

from random import Random
from typing import Any

import pytest
from cell_histories import RELAXED, apply, entries_of, histories, play
from hypothesis import given

from ledger.errors import PeerError
from market.cell import EnergyCell
from market.emergency.payloads import Seen

Leaves = list[tuple[bytes, bytes]]


@RELAXED
@given(histories, histories)
def test_a_state_reads_back_from_its_leaves_and_goes_on_the_same(
    cell_world: Any, history: list[dict[str, Any]], later: list[dict[str, Any]]
) -> None:
    world, again = cell_world(), cell_world()
    play(world, history)
    state = EnergyCell().restore(world.genesis, sorted(world.leaves()))
    assert state == world.state
    assert sorted(EnergyCell().leaves(state)) == sorted(world.leaves())
    again.state, again.membership, again.height = state, world.membership, world.height
    again._sequence = world._sequence
    for step in later[:3]:
        entries = entries_of(world, step)
        apply(world, step, entries)
        apply(again, step, entries)
        assert again.outcomes[-1] == world.outcomes[-1]
        assert sorted(again.leaves()) == sorted(world.leaves())


@pytest.fixture
def leaves(world: Any) -> tuple[Any, Leaves]:
    """A cell with something in every kind of leaf."""
    for interval in range(100, 104):
        world.block(
            world.order(0, interval, sells=[(50, 400)]),
            world.order(1, interval, buys=[(200, 400)]),
            world.order(2, interval + 2, buys=[(90, 100)]),
            world.deposit(1, 10**12),
            world.tariff(interval + 3, 310, 45),
            world.limit(1, interval, interval + 5, 700),
            world.observe(2, interval - 1, Seen.ISLANDED),
            world.observe(3, interval - 1, Seen.DEAD_BUS),
            world.declare(True, interval + 1, interval + 3),
            *(
                [world.reading(member, interval - 2, 100 * member) for member in range(4)]
                if interval > 101
                else []
            ),
        )
    found = sorted(world.leaves())
    names = {key.partition(b"/")[0] for key, _ in found}
    assert names == {
        b"account",
        b"curve",
        b"emergency",
        b"interval",
        b"last",
        b"limits",
        b"measured",
        b"pending",
        b"tariffs",
    }
    return world, found


def test_a_changed_leaf_is_refused_or_is_another_state(leaves: tuple[Any, Leaves]) -> None:
    world, sound = leaves
    cell, random = EnergyCell(), Random(3)
    assert cell.restore(world.genesis, sound) == world.state
    for _ in range(600):
        index = random.randrange(len(sound))
        key, value = sound[index]
        changed = bytearray(value or b"\0")
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        try:
            state = cell.restore(world.genesis, [*sound[:index], (key, bytes(changed)), *sound[index + 1 :]])
        except PeerError:
            continue
        assert state != world.state


@pytest.mark.parametrize("missing", [b"last", b"limits", b"pending", b"tariffs"])
def test_a_state_without_one_of_its_leaves_is_refused(leaves: tuple[Any, Leaves], missing: bytes) -> None:
    world, sound = leaves
    with pytest.raises(PeerError):
        EnergyCell().restore(world.genesis, [leaf for leaf in sound if leaf[0] != missing])
    with pytest.raises(PeerError):
        EnergyCell().restore(world.genesis, [*sound, (b"more", b"\0")])
