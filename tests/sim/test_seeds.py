"""The search over seeds, and the planted bugs that prove it: a bounded sample; `make soak` runs all of them."""

import json
from collections.abc import Callable

import pytest

from node.cli.root import app
from node.errors import ConfigError
from sim.patches import Patches
from sim.seeds import bugs_of_cells
from sim.seeds.planted import hunt, hunts
from sim.seeds.search import Bounds, Tally, run_seed, search

SHORT = Bounds(nodes=(4, 4), intervals=12)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and standard output of `wattswarm sim seeds`."""
    status = 0
    try:
        app(["sim", "seeds", *words], exit_on_error=False, print_error=False)
    except SystemExit as ended:
        status = int(str(ended.code or 0))
    return status, capsys.readouterr().out


def test_a_few_seeds_violate_nothing() -> None:
    tally = search(range(3), SHORT, 1, lambda _: None)
    assert (tally.seeds, tally.failure) == (3, None)
    assert tally.blocks > 3 * 10 and tally.traded > 0


def test_a_seed_replays_exactly_and_another_is_another_world() -> None:
    first, again, other = run_seed(3, SHORT), run_seed(3, SHORT), run_seed(4, SHORT)
    assert first == again
    assert first.digest != other.digest


@pytest.mark.parametrize("plant", bugs_of_cells.BUGS)
def test_every_bug_changes_something_that_is_there(plant: Callable[[Patches], None]) -> None:
    with Patches() as patches:
        plant(patches)
        assert len(patches) > 0


def test_two_processes_find_what_one_finds() -> None:
    alone, together = Tally(), search(range(2), SHORT, 2, lambda _: None)
    for seed in range(2):
        alone.add(run_seed(seed, SHORT), 0.0)
    assert (together.seeds, together.events, together.blocks) == (2, alone.events, alone.blocks)


def test_a_clean_search_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "--from", "0", "--to", "1", "--nodes", "4", "--intervals", "12", "--json")
    table = json.loads(out)
    assert status == 0
    assert (table["ok"], table["seeds"], table["failure"]) == (True, 1, None)


def test_a_failing_seed_is_named_with_its_event_and_a_trace_and_replays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Patches() as patches:
        bugs_of_cells.rent_off_by_one(patches)
        status, out = run(capsys, "--from", "7", "--to", "9", "--nodes", "4", "--intervals", "12", "--json")
        failure = json.loads(out)["failure"]
        _, text = run(capsys, "--replay", "7", "--nodes", "4", "--intervals", "12", "--trace")
    assert status == 1
    assert failure["seed"] == 7 and failure["trace"]
    assert f"fails at event {failure['event']}: {failure['invariant']}" in text
    assert "--replay 7 --nodes 4..4 --intervals 12" in text


@pytest.mark.parametrize(
    "words",
    [
        ("--nodes", "0"),
        ("--nodes", "9..4"),
        ("--to", "0"),
        ("--jobs", "0"),
        ("--intervals", "3"),
        ("--trace",),
    ],
)
def test_a_senseless_option_is_refused_by_its_name(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=words[0]):
        app(["sim", "seeds", *words], exit_on_error=False, print_error=False)


SAMPLE = (
    bugs_of_cells.rent_off_by_one,
    bugs_of_cells.fill_forgotten,
    bugs_of_cells.recall_skipped,
)


@pytest.mark.parametrize("plant", SAMPLE, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found_and_its_seed_is_clean_without_it(plant: bugs_of_cells.Plant) -> None:
    (planted,) = (each for each in hunts() if each.plant is plant)
    found = hunt(planted, 0, 40)
    assert found.violation is not None and found.clean


def test_at_least_twenty_bugs_of_the_daemon_are_planted_and_each_is_described() -> None:
    assert len(bugs_of_cells.BUGS) >= 20
    assert all(plant.__doc__ for plant in bugs_of_cells.BUGS)
