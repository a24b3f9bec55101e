"""`wattswarm sim market` on a committed sample and on a file of one's own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node.cli.root import app, main
from node.errors import ConfigError
from sim.homes.neighbourhood import Prices, Record, Recording
from sim.market_year.command import market
from sim.market_year.world import estimated


def meter_file(path: Path, days: int, missing: int = 0) -> Path:
    """Two homes at six-hour intervals, one with solar; home b misses its last readings."""
    rows = ["start,home,load_kwh,pv_kwh"]
    for index in range(days * 4):
        start = f"2026-06-{1 + index // 4:02d}T{index % 4 * 6:02d}:00:00Z"
        late = index >= days * 4 - missing
        rows.append(f"{start},a,{1 + index % 3},{4 * (index % 4 == 2)}")
        rows.append(f"{start},b,{'' if late else 2 + index % 2},0")
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def test_the_command_is_one_of_the_simulations() -> None:
    words = ["sim", "market", "--data", "london", "--homes", "5", "--json"]
    function, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert function is market
    assert bound.arguments == {"data": "london", "homes": 5, "as_json": True}


def test_a_sample_is_told_to_be_drawn_from_weeks(capsys: pytest.CaptureFixture[str]) -> None:
    market(data="swiss", homes=8, days=3, seeds=2, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in told["rows"]] == [
        "tariff only",
        "alone, threshold",
        "collective, threshold",
        "uniform, threshold",
        "perfect foresight",
    ]
    assert told["seeds"] == [0, 1]
    assert any("4 weeks" in note and "drawn again and again" in note for note in told["notes"])
    assert any("a copy's load is drawn" in note for note in told["notes"])
    assert [home["battery"] for home in told["members"]] == [True, False] * 4
    bill = told["rows"][3]["bill"]
    assert bill["low"] <= bill["mean"] <= bill["high"]
    assert told["peak_memory_mb"] > 0


def test_a_file_is_played_as_it_is_as_table_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = meter_file(tmp_path / "meters.csv", days=3), tmp_path / "year.html"
    market(data=str(file), mechanism="uniform, mcafee", strategy="all", html=page)
    told = capsys.readouterr().out
    assert "2 homes, 3 days of 4 intervals" in told
    assert "drawn again" not in told
    assert all(
        word in told for word in ("mcafee", "zero-intelligence", "perfect foresight", "s per home-year")
    )
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert all(f'id="{name}"' in text for name in ("bills", "gains", "prices", "batteries", "grid"))


def test_a_home_that_misses_too_much_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market(data=str(meter_file(tmp_path / "meters.csv", days=3, missing=2)))
    told = capsys.readouterr().out
    assert "1 homes, 3 days" in told
    assert "1 of 2 homes miss more than 1% of their readings and are left out" in told


def test_what_is_left_of_a_day_is_not_played_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = meter_file(tmp_path / "meters.csv", days=3)
    rows = file.read_text("utf-8").splitlines()
    file.write_text("\n".join(rows[:-2]) + "\n", "utf-8")
    market(data=str(file))
    told = capsys.readouterr().out
    assert "2 homes, 2 days of 4 intervals" in told
    assert "The last 3 intervals are no whole day and are left out." in told


def test_a_single_missing_reading_is_estimated_by_the_latest_one() -> None:
    first = Record("first", (None, *range(1, 200)), (0,) * 200)
    later = Record("later", (*range(199), None), (0,) * 200)
    worse = Record("worse", (None,) * 3 + (1,) * 197, (0,) * 200)
    prices = Prices("unit", (1,) * 200, (0,) * 200)
    recording, count = estimated(Recording("drawn", "recorded", 900, 0, (first, later, worse), prices))
    assert count == 2
    assert recording.records[0].load[:3] == (1, 1, 2)
    assert recording.records[1].load[-2:] == (198, 198)
    assert recording.records[2] == worse


MISTAKES = {
    "no such data": ({"data": "fontanna"}, "no source of households"),
    "no such mechanism": ({"mechanism": "vcg"}, "--mechanism: 'vcg' is none of uniform"),
    "no such strategy": ({"strategy": "lucky"}, "--strategy: .lucky. is none of"),
    "too many batteries": ({"batteries": 101}, "--batteries: must be from 0 to 100"),
    "no seeds": ({"seeds": 0}, "--seeds: must be from 1"),
    "no homes": ({"homes": 0}, "at least 1"),
    "no days": ({"days": 0}, "at least 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(mistake: str) -> None:
    options, said = MISTAKES[mistake]
    with pytest.raises(ConfigError, match=said):
        market(**options)


def test_a_bad_row_is_named_with_line_and_column(tmp_path: Path) -> None:
    file = meter_file(tmp_path / "meters.csv", days=2)
    file.write_text(file.read_text("utf-8").replace("T06:00:00Z,b,3", "T06:00:00Z,b,-3"), "utf-8")
    with pytest.raises(ConfigError, match=r"meters.csv, line 5, column load_kwh: -3 is negative"):
        market(data=str(file))


def test_a_page_that_can_not_be_written_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        market(data="fontana", html=tmp_path / "nowhere" / "year.html")


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked")
def test_progress_is_for_a_terminal_and_an_interruption_leaves_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def interrupted(*_: object, progress: Callable[[str], None], **__: object) -> None:
        progress("uniform, threshold")
        told.append(capsys.readouterr().err)
        raise KeyboardInterrupt

    monkeypatch.setattr("sim.market_year.command.compare", interrupted)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    page = tmp_path / "year.html"
    words = ["wattswarm", "sim", "market", "--data", str(meter_file(tmp_path / "m.csv", days=2)), "--html"]
    monkeypatch.setattr("sys.argv", [*words, str(page)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert "seed 1 of 1: uniform, threshold ..." in told[0]
    assert not page.exists()
