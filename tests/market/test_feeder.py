"""What is a feeder and what is refused as none."""

import pytest

from market.errors import FeederError
from market.feeder import Branch, Feeder, Grid


def test_branches_are_listed_from_the_root_down_wherever_the_root_stands() -> None:
    feeder = Feeder((Branch("leaf", 2), Branch("root"), Branch("middle", 1)))
    assert feeder.top_down == (1, 2, 0)
    assert feeder.root == 1
    assert feeder.index_of("middle") == 2


@pytest.mark.parametrize(
    ("branches", "reason"),
    [
        ((), "exactly one branch without a parent"),
        ((Branch("a"), Branch("b")), "'a', 'b'"),
        ((Branch("a", 1), Branch("b", 0)), "exactly one"),
        ((Branch("r"), Branch("a", 2), Branch("b", 1)), "cycle: 'a', 'b'"),
        ((Branch("r"), Branch("a", 1)), "cycle: 'a'"),
        ((Branch("r"), Branch("a", 7)), "no branch of this feeder"),
        ((Branch("r"), Branch("a", -1)), "no branch of this feeder"),
        ((Branch("r"), Branch("r", 0)), "two branches are named 'r'"),
        ((Branch(""),), "empty name"),
        ((Branch("r"), Branch("a", 0, -1)), "limit of branch 'a'"),
        ((Branch("r"), Branch("a", 0, 2**62)), "limit of branch 'a'"),
    ],
)
def test_what_is_no_tree_is_refused(branches: tuple[Branch, ...], reason: str) -> None:
    with pytest.raises(FeederError, match=reason):
        Feeder(branches)


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        (Grid(3, 4), "below its export price"),
        (Grid(4, 3, -1), "import limit"),
        (Grid(4, 3, None, -1), "export limit"),
        (Grid(2**50, 3), "beyond"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(grid: Grid, reason: str) -> None:
    with pytest.raises(FeederError, match=reason):
        Feeder.single(grid)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(FeederError, match="no branch 'x'"):
        Feeder.single().index_of("x")


def test_a_chain_of_a_hundred_thousand_branches_is_a_tree() -> None:
    feeder = Feeder(tuple(Branch(str(index), index - 1 if index else None) for index in range(100_000)))
    assert feeder.top_down[-1] == 99_999
