"""The TOML file of a feeder: read exactly, or every mistake named by its key."""

from pathlib import Path

import pytest

from market.errors import FileError
from market.feeder import Branch, Feeder, Grid
from market.feeder_file import read_feeder

FULL = """
[grid]                    # optional; without it the feeder is islanded
import_price = 0.31       # per kWh
export_price = 0.04
import_limit_kwh = 8.0    # per interval
export_limit_kwh = 8.0

[branches.substation]     # the root has no parent
[branches.north]
parent = "substation"
limit_kwh = 2.5           # per interval, both directions
"""
ROOT = "[branches.root]\n"


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "feeder.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_file_of_the_documentation_is_read_exactly(tmp_path: Path) -> None:
    assert read_feeder(write(tmp_path, FULL)) == Feeder(
        (Branch("substation"), Branch("north", 0, 2_500_000)), Grid(310_000, 40_000, 8_000_000, 8_000_000)
    )


def test_grid_and_limits_are_optional_and_whole_numbers_and_windows_line_ends_are_fine(
    tmp_path: Path,
) -> None:
    text = '[branches."b 1"]\r\nparent = "root"\r\nlimit_kwh = 2\r\n[branches.root]\r\n'
    assert read_feeder(write(tmp_path, text)) == Feeder((Branch("b 1", 1, 2_000_000), Branch("root")))
    grid = "[grid]\nimport_price = 1_0.5\nexport_price = -0.1\n"
    assert read_feeder(write(tmp_path, grid + ROOT)).grid == Grid(10_500_000, -100_000)


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    assert read_feeder(write(tmp_path, b"\xef\xbb\xbf" + ROOT.encode())) == Feeder((Branch("root"),))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "branches: at least one table"),
        ("branches = 3", "branches: at least one table"),
        ("[branches]\na = 3", "branches.a: must be a table"),
        ("[gird]\n" + ROOT, "gird: unknown key; the keys here are grid, branches"),
        ("grid = 3\n" + ROOT, "grid: must be a table"),
        (ROOT + "limit = 3", "branches.root.limit: unknown key; the keys here are parent, limit_kwh"),
        (ROOT + "limit_kwh = -1", "branches.root.limit_kwh: -1 is negative"),
        (ROOT + 'limit_kwh = "3"', "branches.root.limit_kwh: must be a number"),
        (ROOT + "limit_kwh = true", "branches.root.limit_kwh: must be a number"),
        (ROOT + "limit_kwh = 0.0000001", "more than 6 decimals"),
        (ROOT + "limit_kwh = 1e3", "not a plain decimal number"),
        (ROOT + "limit_kwh = nan", "not a plain decimal number"),
        (ROOT + "limit_kwh = inf", "not a plain decimal number"),
        (ROOT + "limit_kwh = 0x" + "f" * 5_000, "out of range"),
        (ROOT + "limit_kwh = " + "9" * 5_000, "not valid TOML"),
        (ROOT + "limit_kwh = 3000000000000", "beyond the largest limit"),
        (ROOT + "limit_kwh = " + "[" * 5_000, "not valid TOML"),
        (ROOT + "[branches.a]\nparent = 3", "branches.a.parent: must be the name"),
        (ROOT + "[branches.a]\nparent = 3.5", "branches.a.parent: must be the name"),
        (ROOT + '[branches.a]\nparent = "b"', "branches.a.parent: there is no branch 'b'"),
        (ROOT + "[branches.a]", "exactly one branch without a parent"),
        (ROOT + '[branches.a]\nparent = "a"', "form a cycle: 'a'"),
        ("[grid]\nimport_price = 1\n" + ROOT, "grid.export_price: is missing"),
        ("[grid]\nimport_price = 1\nexport_price = 2\n" + ROOT, "below its export price"),
        ("[grid]\nimport_price = 40000\nexport_price = 2\n" + ROOT, "beyond the largest price"),
        ("[grid", "not valid TOML"),
    ],
)
def test_each_mistake_is_named_by_the_path_of_its_key(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(FileError) as caught:
        read_feeder(write(tmp_path, text))
    assert mistake in "\n".join(caught.value.mistakes)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = "[grid]\nimport_price = true\nexport_prise = 2\n" + ROOT + "limit_kwh = -1\n"
    with pytest.raises(FileError) as caught:
        read_feeder(write(tmp_path, text))
    assert len(caught.value.mistakes) == 4


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "none.toml" if content is None else write(tmp_path, content)
    with pytest.raises(FileError, match="No such file" if content is None else "not UTF-8"):
        read_feeder(path)
