"""`wattswarm market clear-cells`, as its user sees it; the example is the documentation's."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from market.federation.clear_cells_command import clear_cells_command
from market.federation.show import MAX_ROWS

DOCUMENT = Path(__file__).parents[3] / "docs" / "federation.md"


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """The files of the documentation's example: each block is the file named last before it."""
    text = DOCUMENT.read_text("utf-8")
    for block in re.finditer(r"```(?:toml|csv)\n(.*?)```", text, re.S):
        name = re.findall(r"`([a-z-]+\.(?:toml|csv))`", text[: block.start()])[-1]
        (tmp_path / name).write_text(block[1])
    return tmp_path / "cells.toml"


def table_of_the_document() -> list[list[str]]:
    lines = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:5]]


def cleared(cells: Path, capsys: pytest.CaptureFixture[str], **options: int) -> dict[str, object]:
    assert clear_cells_command(cells, as_json=True, **options) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out, parse_float=Decimal)
    return told


def test_the_example_of_the_documentation_gives_what_it_says(
    cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clear_cells_command(cells) == 0
    shown = capsys.readouterr().out
    for name, price, flow, transfer in table_of_the_document():
        row = next(line for line in shown.splitlines() if f" {name} " in line)
        assert {price, flow, transfer} - {""} <= set(row.replace("│", " ").split())
    assert "lost 0.000000, at most 0.000000" in shown


def test_the_json_has_each_cell_with_its_transfer_and_the_flat_market_beside_it(
    cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = cleared(cells, capsys)
    assert isinstance(told["cells"], dict)
    assert list(told["cells"]) == ["district", "mill-lane", "quarry"]
    assert told["cells"]["quarry"]["transfer"] == {
        "kwh": Decimal("-1.5"),
        "price": Decimal("0.10"),
        "steps": 1,
        "lost_at_most": 0,
    }
    assert "transfer" not in told["cells"]["district"]
    assert told["welfare"] == told["flat_welfare"] == Decimal("1.525")
    assert told["fees"] == told["flat_fees"] == Decimal("0.015")


def test_coarse_curves_show_what_they_cost_and_may_cost(
    cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cells.parent / "district.csv").write_text(
        "id,member,branch,side,price,kwh\nd1,school,substation,buy,0.15,4\n"
    )
    told = cleared(cells, capsys, steps=2)
    # Mill Lane's sellers at 0.05 and 0.09 and its buyer at 0.20 all ask 0.20 now: the school gets nothing.
    assert isinstance(told["lost"], Decimal)
    assert isinstance(told["lost_at_most"], Decimal)
    assert 0 < told["lost"] <= told["lost_at_most"]


def test_every_mistake_of_every_file_is_named(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells.write_text(
        cells.read_text().replace('branch = "north"', 'branch = "nowhere"')
        + '[cells.mine]\nparent = "quary"\norders = "mine.csv"\nfeder = 3\n[towns]\n'
    )
    (cells.parent / "quarry.csv").write_text("id,member,branch,side,price,kwh\nq1,crusher,hill,buy,0.3,3\n")
    assert clear_cells_command(cells) == 1
    said = capsys.readouterr().err
    for mistake in (
        "cells.mill-lane.branch: there is no branch 'nowhere' in cell 'district'",
        "cells.mine.parent: there is no cell 'quary'",
        "cells.mine.feder: unknown key",
        "towns: unknown key",
        "quarry.csv, line 2, column branch: 'hill' is no branch",
        "mine.csv: cannot be read",
        "Nothing was cleared.",
    ):
        assert mistake in said


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "[cells.district] are needed"),
        ("[cells", "not valid TOML"),
        ("cells = 3", "[cells.district] are needed"),
        ("[cells]\na = 1", "cells.a: must be a table"),
        ("[cells.a]\nparent = 1", "cells.a.parent: must be a text"),
        ('[cells.a]\nbranch = "b"', "cells.a.branch: is for a cell with a parent"),
        ("[cells.a]\n[cells.b]", "exactly one cell without a parent"),
        ('[cells.a]\n[cells.b]\nparent = "a"\nfeeder = "g.toml"', "'b' has a grid; only 'a'"),
    ],
)
def test_a_file_that_is_no_federation_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, mistake: str
) -> None:
    (tmp_path / "g.toml").write_text("[grid]\nimport_price = 1\nexport_price = 0\n[branches.x]\n")
    (tmp_path / "cells.toml").write_text(text)
    assert clear_cells_command(tmp_path / "cells.toml") == 1
    assert mistake in capsys.readouterr().err


def test_too_few_steps_and_a_missing_file_are_refused(
    cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clear_cells_command(cells, steps=1) == 1
    assert "too few" in capsys.readouterr().err
    assert clear_cells_command(cells.parent / "none.toml") == 1
    assert "cannot be read" in capsys.readouterr().err


def test_more_cells_than_a_screen_holds_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f'[cells.c{index}]\nparent = "top"\n' for index in range(MAX_ROWS))
    (tmp_path / "cells.toml").write_text(f"[cells.top]\n{rows}")
    assert clear_cells_command(tmp_path / "cells.toml") == 0
    assert f"the first {MAX_ROWS} of {MAX_ROWS + 1}" in capsys.readouterr().out
