"""A genesis either founds a coherent cell or says which member or field is wrong."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import Value, encode
from ledger.errors import InvalidGenesis
from ledger.limits import GENESIS_BYTES
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id


def key(name: str) -> bytes:
    return sha256(name.encode()).digest()


ADA = FoundingMember(
    b"ada", key("ada"), key("ada votes"), int(Role.PROSUMER | Role.VALIDATOR | Role.OPERATOR)
)
BOB = FoundingMember("bób".encode(), key("bob"), None, int(Role.PROSUMER))
DSO = FoundingMember(b"dso", key("dso"), None, int(Role.DSO))
CELL = Genesis(b"Elm Street", 481_000, 1, (key("admission"),), (ADA, BOB, DSO), (3600, (b"rules", None)))


def test_a_genesis_survives_the_round_trip() -> None:
    assert Genesis.decode(CELL.encode()) == CELL
    assert Genesis.decode(CELL.encode()).cell_id == CELL.cell_id


def test_the_cell_id_covers_every_field() -> None:
    others = [
        replace(CELL, cell_name=b"Oak Street"),
        replace(CELL, first_interval=481_001),
        replace(CELL, last_timely_round=2),
        replace(CELL, admission_keys=()),
        replace(CELL, members=(ADA, BOB)),
        replace(CELL, members=(BOB, ADA, DSO)),
        replace(CELL, members=(ADA, replace(BOB, roles=int(Role.PROSUMER | Role.DSO)), DSO)),
        replace(CELL, application=()),
    ]
    assert len({CELL.cell_id, *(other.cell_id for other in others)}) == 1 + len(others)


def test_the_cell_id_is_the_hash_of_the_genesis_under_its_name() -> None:
    assert CELL.cell_id == sha256(b"wattswarm/v1/genesis\0" + CELL.encode()).digest()


def test_a_member_id_is_the_hash_of_its_founding_key_under_its_name() -> None:
    assert member_id(key("ada")) == sha256(b"wattswarm/v1/member\0" + key("ada")).digest()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda: replace(CELL, cell_name=b""), "the cell's name has 0 bytes"),
        (lambda: replace(CELL, cell_name=b"\xff"), "the cell's name is not UTF-8"),
        (lambda: replace(CELL, first_interval=-1), "the first interval"),
        (lambda: replace(CELL, last_timely_round=-1), "the last timely round"),
        (lambda: replace(CELL, members=()), "no member is a validator"),
        (lambda: replace(CELL, members=(BOB, DSO)), "no member is a validator"),
        (lambda: with_bob(name=b""), "the name of member 1 has 0 bytes"),
        (lambda: with_bob(name=b"b" * 65), "the name of member 1 has 65 bytes"),
        (lambda: with_bob(name=b"b\nb"), "the name of member 1 has unprintable"),
        (lambda: with_bob(name=b" bob"), "the name of member 1 has unprintable characters or blanks"),
        (lambda: with_bob(name=b"ada"), "two members are named 'ada'"),
        (lambda: with_bob(roles=0), "member 'bób' has the roles 0"),
        (lambda: with_bob(roles=16), "member 'bób' has the roles 16"),
        (lambda: with_bob(roles=-1), "member 'bób' has the roles -1"),
        (lambda: with_bob(roles=3), "member 'bób' is a validator without a consensus key"),
        (lambda: with_bob(consensus_key=key("v")), "member 'bób' has a consensus key but is no validator"),
        (lambda: with_bob(feed_key=b"short"), "the feed key of member 'bób' has 5 bytes"),
        (lambda: with_bob(roles=3, consensus_key=b""), "the consensus key of member 'bób' has 0 bytes"),
        (lambda: with_bob(feed_key=ADA.feed_key), "member 'ada' and the feed key of member 'bób' are the same"),
        (lambda: with_bob(roles=3, consensus_key=ADA.consensus_key), "the consensus key of member 'bób' are"),
        (lambda: with_bob(roles=3, consensus_key=BOB.feed_key), "of member 'bób' are the same key"),
        (lambda: replace(CELL, admission_keys=(b"x",)), "admission key 0 has 1 bytes"),
        (lambda: replace(CELL, admission_keys=(key("a"), key("a"))), "admission key 0 and admission key 1"),
        (lambda: replace(CELL, admission_keys=(ADA.feed_key,)), "admission key 0 and the feed key of member 'ada'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(found: Callable[[], Genesis], message: str) -> None:
    with pytest.raises(InvalidGenesis) as fault:
        found()
    assert message in str(fault.value)


def with_bob(**changes: bytes | int | None) -> Genesis:
    return replace(CELL, members=(ADA, replace(BOB, **changes), DSO))  # type: ignore[arg-type]


def test_a_genesis_over_its_size_cap_is_refused() -> None:
    with pytest.raises(InvalidGenesis, match="at most"):
        replace(CELL, application=(bytes(GENESIS_BYTES),)).encode()


FIELDS: tuple[Value, ...] = (1, b"cell", 0, 0, (), ((b"ada", key("a"), key("b"), 3),), ())


def test_the_fields_below_found_a_cell_before_they_are_broken() -> None:
    assert Genesis.decode(encode(FIELDS)).cell_name == b"cell"


@pytest.mark.parametrize(
    ("position", "value"),
    [(0, 2), (0, None), (1, 5), (2, None), (3, b""), (4, b""), (4, (5,)), (5, ()), (5, (1,)), (5, ((b"a", b"b", 3),)),
     (5, ((5, key("a"), key("b"), 3),)), (5, ((b"ada", key("a"), 7, 3),)), (6, None)],
)  # fmt: skip
def test_a_file_with_a_wrong_field_is_refused(position: int, value: Value) -> None:
    fields = (*FIELDS[:position], value, *FIELDS[position + 1 :])
    with pytest.raises(InvalidGenesis):
        Genesis.decode(encode(fields))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_genesis_and_say_so(data: bytes) -> None:
    with pytest.raises(InvalidGenesis):
        Genesis.decode(data)


def test_no_bit_of_a_genesis_changes_without_changing_the_cell() -> None:
    data = CELL.encode()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            other = Genesis.decode(bytes(flipped))
        except InvalidGenesis:
            continue
        assert other.cell_id != CELL.cell_id
