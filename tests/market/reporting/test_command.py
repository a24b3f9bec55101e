"""The command: from files on disk to tables, JSON, page and Parquet; a ledger that does not hold is refused."""

import json
import sqlite3
from pathlib import Path

import polars as pl
import pytest
from two_feeds import CONSENSUS, IDS, KEYS, Feeds

from ledger.chain.chain import Draft, genesis_tip, propose
from ledger.files.directory import GENESIS_FILE, LEDGER_FILE
from ledger.records.genesis import FoundingMember, Genesis, Role
from ledger.records.votes import Certificate, Step, Vote, sign_vote
from ledger.store.store import Store
from market.cell import EnergyCell
from market.errors import InputError
from market.payloads import Curve, Kind, Reading, encode_order, encode_reading
from market.payloads import Step as CurveStep
from market.reporting.command import market_report
from market.reporting.source import read_report
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules

FIRST = 400_000


def founded() -> Genesis:
    """A cell of a seller, who is its one validator, and a buyer."""
    rules = CellRules(
        interval_s=3600,
        gate_lead_s=600,
        currency="EUR",
        branches=(BranchRule("street"),),
        grid=GridRule(),
        tariff=(TariffStep(0, 300_000, 80_000),),
        members=tuple(
            sorted(
                (MemberRule(member, 0, 10**7, 10**7, 10**15) for member in IDS), key=lambda rule: rule.member
            )
        ),
    )
    return Genesis(
        cell_name=b"Elm street",
        first_interval=FIRST,
        last_timely_round=1,
        admission_keys=(),
        members=(
            FoundingMember(
                b"roof",
                KEYS[0].verify_key.encode(),
                CONSENSUS.verify_key.encode(),
                Role.PROSUMER | Role.VALIDATOR,
            ),
            FoundingMember(b"flat", KEYS[1].verify_key.encode(), None, Role.PROSUMER),
        ),
        application=encode_rules(rules),
    )


def write_ledger(directory: Path) -> None:
    """A node's directory with three blocks: a trade, its confirmation, its settlement."""
    directory.mkdir(parents=True)
    genesis = founded()
    (directory / GENESIS_FILE).write_bytes(genesis.encode())
    store = Store.open(directory / LEDGER_FILE, genesis.cell_id, create=True)
    feeds, cell = Feeds(genesis.cell_id), EnergyCell()
    tip, certificate = genesis_tip(genesis, cell), None
    for height in range(1, 4):
        interval = FIRST + height - 1
        feeds.say(0, Kind.ORDER, interval, encode_order(Curve((), (CurveStep(100_000, 2_000_000),))))
        feeds.say(1, Kind.ORDER, interval, encode_order(Curve((CurveStep(200_000, 1_500_000),), ())))
        if height == 3:
            feeds.say(0, Kind.READING, FIRST, encode_reading(Reading(1_500_000, 0)))
            feeds.say(1, Kind.READING, FIRST, encode_reading(Reading(0, 1_500_000)))
        block, tip, _ = propose(tip, cell, Draft(0, height, interval, feeds.heads(), (), certificate), feeds)
        vote = Vote(height, 0, Step.PRECOMMIT, block.block_id(genesis.cell_id), -1, 0)
        signed = sign_vote(CONSENSUS, genesis.cell_id, vote)
        certificate = Certificate(height, 0, block.block_id(genesis.cell_id), (signed.signature,))
        for member, feed in zip(IDS, feeds.feeds, strict=True):
            for signed_entry in feed:
                store.append(member, signed_entry, height)
        store.put_block(height, block.block_id(genesis.cell_id), block.encode(), certificate.encode())
        store.commit()
    store.close()


def spoil(directory: Path) -> None:
    """Flip one bit in the stored certificate of block 2."""
    with sqlite3.connect(directory / LEDGER_FILE) as connection:
        (certificate,) = connection.execute("SELECT certificate FROM blocks WHERE height = 2").fetchone()
        spoiled = certificate[:-1] + bytes([certificate[-1] ^ 1])
        connection.execute("UPDATE blocks SET certificate = ? WHERE height = 2", (spoiled,))


def test_a_report_of_a_node_directory_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ledger(tmp_path / "node")
    market_report(tmp_path / "node", as_json=True)
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["cell"], report["currency"], report["blocks"]) == ("Elm street", "EUR", 3)
    assert report["intervals"][0]["prices"] == {"street": 0.1}
    assert report["totals"]["between_members_kwh"] == 4.5
    roof = next(member for member in report["members"] if member["member"] == "roof")
    assert (roof["sold_kwh"], roof["imbalance_kwh"]) == (1.5, 0)
    assert (roof["money"], roof["tariff_money"], roof["saving"]) == (0.15, 0.12, 0.03)


def test_tables_page_and_parquet_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_ledger(tmp_path / "node")
    page, tables = tmp_path / "out" / "report.html", tmp_path / "tables"
    market_report(tmp_path / "node", html=page, parquet=tables)
    shown = capsys.readouterr().out
    assert "Elm street: members" in shown
    assert "3 blocks verified" in " ".join(shown.split())
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    members = pl.read_parquet(tables / "members" / "**" / "*.parquet", hive_partitioning=True)
    assert members["member"].to_list() == ["flat", "roof"]
    assert members["cell"].to_list() == [founded().cell_id.hex()[:16]] * 2
    assert {path.stem for path in tables.iterdir()} == {"intervals", "branches", "members", "settlements"}


def test_reading_a_report_changes_nothing_in_the_directory(tmp_path: Path) -> None:
    write_ledger(tmp_path / "node")
    before = {path.name: path.read_bytes() for path in (tmp_path / "node").iterdir()}
    read_report(tmp_path / "node")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "node").iterdir()}


def test_of_a_testnet_the_first_node_that_verifies_is_used(tmp_path: Path) -> None:
    for name in ("home-01", "home-02"):
        write_ledger(tmp_path / "nodes" / name)
    spoil(tmp_path / "nodes" / "home-01")
    assert read_report(tmp_path).directory.name == "home-02"


def test_a_testnet_may_keep_one_genesis_for_all(tmp_path: Path) -> None:
    write_ledger(tmp_path / "nodes" / "home-01")
    (tmp_path / "cell").mkdir()
    (tmp_path / "nodes" / "home-01" / GENESIS_FILE).rename(tmp_path / "cell" / GENESIS_FILE)
    assert read_report(tmp_path).report.blocks == 3


def test_a_ledger_that_does_not_hold_is_named_and_not_reported(tmp_path: Path) -> None:
    write_ledger(tmp_path / "node")
    spoil(tmp_path / "node")
    with pytest.raises(InputError, match=r"node: block 2: "):
        market_report(tmp_path / "node")


def test_a_directory_without_ledger_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name a node's or a testnet's directory"):
        market_report(tmp_path)
