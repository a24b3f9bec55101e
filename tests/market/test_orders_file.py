"""The CSV file of orders: read exactly, or every mistake named by its place."""

from pathlib import Path

import pytest

from market.errors import FileError
from market.orders import Order, Side
from market.orders_file import MAX_MISTAKES, read_orders

HEADER = "id,member,branch,side,price,kwh\n"
BRANCHES = {"root": 0, "north": 1}


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "orders.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def mistakes(path: Path, branches: dict[str, int] | None = BRANCHES) -> list[str]:
    with pytest.raises(FileError) as caught:
        read_orders(path, branches)
    return [mistake.removeprefix(str(path)) for mistake in caught.value.mistakes]


def test_orders_are_read_exactly(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "o1,ada,north,buy,0.300001,1.5\no2,ben,root,SELL,-0.12,2\n")
    assert read_orders(path, BRANCHES) == [
        Order("o1", "ada", 1, Side.BUY, 300_001, 1_500_000),
        Order("o2", "ben", 0, Side.SELL, -120_000, 2_000_000),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "id,member,branch,side,price,kwh",
        "id,member,branch,side,price_per_kwh,quantity_kwh",
        "ID, Member, Branch, Side, Price per kWh, kWh",
        '"id","member","branch","side","price","kwh"',
        "\ufeffid,member,branch,side,price,kwh",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spelling_of_the_header_byte_order_mark_and_line_ends_do_not_matter(
    tmp_path: Path, header: str, end: str
) -> None:
    path = write(tmp_path, header + end + "o1, ada, north, Bid, 0.3, 1" + end + end)
    assert read_orders(path, BRANCHES) == [Order("o1", "ada", 1, Side.BUY, 300_000, 1_000_000)]


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path, "kwh,price,side,branch,member,id\n1,0.3,ask,root,ada,o1\n")
    assert read_orders(path, BRANCHES) == [Order("o1", "ada", 0, Side.SELL, 300_000, 1_000_000)]


def test_without_a_feeder_the_branch_column_is_optional_and_ignored(tmp_path: Path) -> None:
    assert read_orders(write(tmp_path, "id,member,side,price,kwh\no1,ada,buy,1,1\n"), None)[0].branch == 0
    assert read_orders(write(tmp_path, HEADER + "o1,ada,nowhere,buy,1,1\n"), None)[0].branch == 0


def test_a_header_without_rows_is_an_auction_without_orders(tmp_path: Path) -> None:
    assert read_orders(write(tmp_path, HEADER), BRANCHES) == []


def test_every_mistake_is_named_with_line_column_and_reason(tmp_path: Path) -> None:
    rows = "o1,ada,nort,buy,0.3000001,1.5\n\no1,,north,sel,NaN,0\no3,x\n"
    assert mistakes(write(tmp_path, HEADER + rows)) == [
        ", line 2, column branch: 'nort' is no branch of the feeder; its branches: root, north",
        ", line 2, column price: '0.3000001' has more than 6 decimals",
        ", line 4, column id: 'o1' is the id of the order in line 2 already",
        ", line 4, column member: empty",
        ", line 4, column side: 'sel' is neither buy nor sell",
        ", line 4, column price: 'NaN' is not a plain decimal number such as 0.25",
        ", line 4, column kwh: 0 is not above zero",
        ", line 5, column branch: 2 cells, but the header has 6",
    ]


@pytest.mark.parametrize(
    ("cells", "mistake"),
    [
        ("o1,a,root,buy,1e3,1", "column price"),
        ("o1,a,root,buy,inf,1", "column price"),
        ("o1,a,root,buy,,1", "column price"),
        ("o1,a,root,buy,34360,1", "beyond the largest price"),
        ("o1,a,root,buy,1,-1", "not above zero"),
        ("o1,a,root,buy,1,0.000000", "not above zero"),
        ("o1,a,root,buy,1,0.0000001", "more than 6 decimals"),
        ("o1,a,root,buy,1,1099512", "beyond the largest quantity"),
        ("o1,a,root,,1,1", "column side"),
        (",a,root,buy,1,1", "column id: empty"),
        ("o" * 201 + ",a,root,buy,1,1", "longer than 200"),
        ("o1,a,root,buy,1,1,7", "7 cells, but the header has 6"),
        ('o1,"a"b,root,buy,1,1', "not valid CSV"),
        ('o1,"a,root,buy,1,1', "not valid CSV"),
    ],
)
def test_each_kind_of_bad_row_is_refused(tmp_path: Path, cells: str, mistake: str) -> None:
    found = mistakes(write(tmp_path, HEADER + cells + "\n"))
    assert len(found) == 1
    assert mistake in found[0]
    assert found[0].startswith(", line 2")


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"o1,ada,north,buy,1,1\n", "line 1, column o1: unknown column"),
        (b"id,member,side,price,kwh\n", "column branch: this column is missing"),
        (b"id,id,member,branch,side,price,kwh\n", "column id: this column is there twice"),
        (b"id,member,branch,side,price,kwh,note\n", "column note: unknown column"),
        (HEADER.encode() + b"o1,\xe4da,root,buy,1,1\n", "line 2: not UTF-8"),
        ("id,member".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_orders_is_refused(tmp_path: Path, content: bytes, mistake: str) -> None:
    assert mistake in mistakes(write(tmp_path, content))[0]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert "No such file" in mistakes(tmp_path / "none.csv")[0]
    assert "directory" in mistakes(tmp_path)[0]


def test_the_list_of_mistakes_is_bounded(tmp_path: Path) -> None:
    found = mistakes(write(tmp_path, HEADER + "x\n" * 1_000))
    assert len(found) == MAX_MISTAKES + 1
    assert "the rest are not shown" in found[-1]


def test_a_row_over_several_lines_is_named_by_its_first(tmp_path: Path) -> None:
    rows = 'o1,"a\nb",root,buy,1,1\no2,c,root,buy,1,x\n'
    assert mistakes(write(tmp_path, HEADER + rows))[0].startswith(", line 4, column kwh")
