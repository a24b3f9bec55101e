"""`wattswarm market compare` on a file of orders and on a ledger."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from ledger.chain.chain import Draft, genesis_tip, propose
from ledger.files.directory import GENESIS_FILE, LEDGER_FILE
from ledger.heads import Head
from ledger.records.entries import Entry, SignedEntry, author_entry
from ledger.records.genesis import FoundingMember, Genesis, Role, member_id
from ledger.records.votes import Certificate, Step, Vote, sign_vote
from ledger.store.store import Store
from market.cell import EnergyCell
from market.certificates.of_blocks import check_block
from market.check_certificate_command import check_certificate_command
from market.comparing.command import MAX_ROWS, compare_command
from market.comparing.source import read_auctions, replay_node
from market.errors import CertificateError
from market.orders import Side
from market.payloads import Curve, Kind, encode_order
from market.payloads import Step as CurveStep
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules

FIRST = 400_000
KEYS = [SigningKey(bytes([number]) * 32) for number in (1, 2, 3)]
CONSENSUS = SigningKey(bytes([9]) * 32)
IDS = [member_id(key.verify_key.encode()) for key in KEYS]
NAMES = ("roof", "flat", "shed")


def founded() -> Genesis:
    """A cell of a seller, who is its one validator, and two buyers."""
    members = [MemberRule(member, 0, 10**7, 10**7, 10**15) for member in sorted(IDS)]
    rules = CellRules(
        interval_s=3600,
        gate_lead_s=600,
        currency="EUR",
        branches=(BranchRule("street"),),
        grid=GridRule(),
        tariff=(TariffStep(0, 300_000, 80_000),),
        members=tuple(members),
    )
    founding = [
        FoundingMember(
            name.encode(),
            key.verify_key.encode(),
            CONSENSUS.verify_key.encode() if name == "roof" else None,
            Role.PROSUMER | Role.VALIDATOR if name == "roof" else Role.PROSUMER,
        )
        for name, key in zip(NAMES, KEYS, strict=True)
    ]
    return Genesis(b"Elm street", FIRST, 1, (), tuple(founding), encode_rules(rules))


class Feeds:
    """The members' own feeds, growing."""

    def __init__(self, genesis: Genesis) -> None:
        self.cell_id = genesis.cell_id
        self.feeds: dict[bytes, list[SignedEntry]] = {member: [] for member in IDS}

    def order(self, member: int, time_ns: int, curve: Curve) -> None:
        feed = self.feeds[IDS[member]]
        author = KEYS[member].verify_key.encode()
        previous = feed[-1].id if feed else None
        entry = Entry(author, 0, len(feed), previous, Kind.ORDER, FIRST, time_ns, encode_order(curve))
        feed.append(author_entry(KEYS[member], self.cell_id, entry))

    def entries(self, member: bytes, incarnation: int, after: int, through: int) -> list[SignedEntry]:
        return self.feeds[member][after + 1 : through + 1]


def write_ledger(directory: Path) -> None:
    """One block: the flat's ask rests first, then the roof's replaces its own dearer one, then the shed bids."""
    directory.mkdir(parents=True)
    genesis = founded()
    (directory / GENESIS_FILE).write_bytes(genesis.encode())
    feeds = Feeds(genesis)
    feeds.order(0, 1, Curve((), (CurveStep(250_000, 9),)))
    feeds.order(1, 2, Curve((), (CurveStep(150_000, 1_000_000),)))
    feeds.order(0, 3, Curve((), (CurveStep(150_000, 1_000_000), CurveStep(160_000, 500_000))))
    feeds.order(2, 4, Curve((CurveStep(200_000, 1_200_000),), ()))
    heads = tuple(Head(member, 0, len(feed) - 1, feed[-1].id) for member, feed in feeds.feeds.items())
    draft = Draft(0, 1, FIRST, heads, (), None)
    block, _, _ = propose(genesis_tip(genesis, EnergyCell()), EnergyCell(), draft, feeds)
    block_id = block.block_id(genesis.cell_id)
    signed = sign_vote(CONSENSUS, genesis.cell_id, Vote(1, 0, Step.PRECOMMIT, block_id, -1, 0))
    store = Store.open(directory / LEDGER_FILE, genesis.cell_id, create=True)
    for member, feed in feeds.feeds.items():
        for entry in feed:
            store.append(member, entry, 1)
    store.put_block(1, block_id, block.encode(), Certificate(1, 0, block_id, (signed.signature,)).encode())
    store.commit()
    store.close()


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(
        "id,member,side,price,kwh\no1,ada,buy,0.30,1.5\no2,ben,sell,0.12,2\no3,cy,sell,0.10,3\no4,di,buy,0.25,4\n"
    )
    return path


def test_a_file_is_compared_as_json(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_command(orders, as_json=True) == 0
    told = json.loads(capsys.readouterr().out, parse_float=Decimal)
    assert (told["auctions"], told["orders"], told["members"], told["as_cleared"]) == (1, 4, 4, None)
    assert told["optimum"] == {"welfare": Decimal("0.785"), "volume_kwh": 5}
    rows = {row["mechanism"]: row for row in told["mechanisms"]}
    assert list(rows) == ["uniform", "pay-as-bid", "mcafee", "continuous"]
    assert rows["mcafee"]["welfare_share"] == Decimal("0.382165")
    assert rows["mcafee"]["liars"] == {
        "tried": 4,
        "gaining": 0,
        "mean_gain": 0,
        "most_gain": 0,
        "most_gain_member": None,
        "most_gain_shade_percent": None,
    }
    assert rows["uniform"]["liars"]["most_gain"] == Decimal("0.4375")
    assert told["gains"][0] == {
        "member": "ada",
        "uniform": Decimal("0.075"),
        "pay-as-bid": Decimal("0.15"),
        "mcafee": Decimal("0.075"),
        "continuous": 0,
    }


def test_people_get_tables(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_command(orders) == 0
    shown = capsys.readouterr().out
    assert all(title in shown for title in ("Mechanisms", "Liars", "Who gains"))
    assert "several orders" not in shown


def test_members_with_several_orders_are_warned_of(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders.write_text(orders.read_text().replace("di", "ada"))
    assert compare_command(orders) == 0
    assert "1 members have several orders" in " ".join(capsys.readouterr().out.split())


def test_long_tables_say_that_they_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    rows = "".join(f"o{index},[m]{index},buy,2,1\n" for index in range(MAX_ROWS + 1))
    path.write_text("id,member,side,price,kwh\n" + rows)
    assert compare_command(path, liars=0) == 0
    shown = capsys.readouterr().out
    assert f"The first {MAX_ROWS} of {MAX_ROWS + 1} members" in shown
    assert "[m]0" in shown


def test_a_file_with_mistakes_and_a_directory_without_ledger_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("id,member,side,price,kwh\no1,ada,buy,x,1\n")
    assert compare_command(tmp_path / "bad.csv", as_json=True) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "bad.csv, line 2, column price" in output.err
    assert compare_command(tmp_path) == 1
    assert "name a file of orders, or a node's or a testnet's directory" in capsys.readouterr().err


def test_the_orders_of_blocks_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    write_ledger(tmp_path / "nodes" / "home-01")
    source = read_auctions(tmp_path)
    (auction,) = source.auctions
    assert auction.name == str(FIRST)
    assert [(order.member, order.side, order.price) for order in auction.orders] == [
        ("flat", Side.SELL, 150_000),
        ("roof", Side.SELL, 150_000),
        ("roof", Side.SELL, 160_000),
        ("shed", Side.BUY, 200_000),
    ]
    assert (source.blocks, source.path) == (1, tmp_path / "nodes" / "home-01")


def test_a_ledger_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ledger(tmp_path / "node")
    assert compare_command(tmp_path / "node", as_json=True) == 0
    told = json.loads(capsys.readouterr().out, parse_float=Decimal)
    gains = {row["member"]: row["continuous"] for row in told["gains"]}
    assert gains == {"flat": 0, "roof": 0, "shed": Decimal("0.06")}
    assert told["members_with_several_orders"] == 1
    assert told["as_cleared"] == {
        "welfare": Decimal("0.06"),
        "volume_kwh": Decimal("1.2"),
        "grid_import_kwh": 0,
        "grid_export_kwh": 0,
    }
    assert compare_command(tmp_path / "node") == 0
    assert "1 blocks verified" in " ".join(capsys.readouterr().out.split())


def test_a_ledger_that_does_not_hold_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ledger(tmp_path / "node")
    (tmp_path / "node" / LEDGER_FILE).write_bytes(b"no database")
    assert compare_command(tmp_path / "node") == 1
    assert "Nothing was compared." in capsys.readouterr().err


def test_every_block_of_a_ledger_is_proven_by_the_certificate_whose_hash_it_carries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ledger(tmp_path / "nodes" / "home-01")
    assert check_certificate_command(tmp_path) == 0
    assert "1 blocks, each carries the hash" in capsys.readouterr().out
    assert check_certificate_command(tmp_path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["reason"]) == (True, None)
    assert [(block["height"], block["interval"]) for block in told["blocks"]] == [(1, FIRST)]


def test_a_directory_without_ledger_and_a_file_without_certificate_say_what_to_name(
    tmp_path: Path, orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_certificate_command(tmp_path, as_json=True) == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["holds"] is False
    assert "name a file of orders" in output.err
    assert check_certificate_command(tmp_path, orders) == 1
    assert "leave them out" in capsys.readouterr().err
    assert check_certificate_command(orders) == 1
    assert "name the certificate file" in capsys.readouterr().err


def test_a_block_whose_fills_or_hash_are_others_is_refused(tmp_path: Path) -> None:
    write_ledger(tmp_path / "node")
    ((state, outcomes),) = replay_node(tmp_path / "node", EnergyCell())
    clearing = outcomes.clearing
    assert check_block(state.rules, clearing).hash() == clearing.certificate
    with pytest.raises(CertificateError, match="the hash of another certificate"):
        check_block(state.rules, replace(clearing, certificate=bytes(32)))
    part = next(part for part in clearing.members if part.position)
    fills = tuple(replace(fill, filled=fill.filled - 1 if fill.filled else 0) for fill in part.fills)
    parts = tuple(replace(other, fills=fills) if other is part else other for other in clearing.members)
    with pytest.raises(CertificateError, match="the block's fills are not those"):
        check_block(state.rules, replace(clearing, members=parts))
