"""A real ledger on disk that covers a month and closes it: a roof sells to a flat, day after day."""

from pathlib import Path

from two_feeds import CONSENSUS, IDS, KEYS, Feeds

from ledger.chain.chain import Draft, genesis_tip, propose
from ledger.files.directory import GENESIS_FILE, LEDGER_FILE
from ledger.records.genesis import FoundingMember, Genesis, Role
from ledger.records.votes import Certificate, Step, Vote, sign_vote
from ledger.store.store import Store
from market.cell import EnergyCell
from market.payloads import (
    Curve,
    Deposit,
    Kind,
    Quality,
    Reading,
    encode_deposit,
    encode_order,
    encode_reading,
)
from market.payloads import Step as CurveStep
from market.rules import BranchRule, CellRules, GridRule, MemberRule, TariffStep, encode_rules

DAY_S = 86_400
FIRST_DAY = 20_440
"""18 December 2025: two weeks before the month that is invoiced."""
BLOCKS = 60
"""Up to 15 February: January is closed by then, February is not."""
ROOF, FLAT = IDS


def founded() -> Genesis:
    """A cell of days: a seller, who is its one validator and operator, and a buyer."""
    rules = CellRules(
        interval_s=DAY_S,
        gate_lead_s=600,
        currency="EUR",
        branches=(BranchRule("street", fee=5_000),),
        grid=GridRule(),
        tariff=(TariffStep(0, 300_000, 80_000),),
        members=tuple(
            sorted(
                (MemberRule(member, 0, 10**7, 10**7, 10**16) for member in IDS), key=lambda rule: rule.member
            )
        ),
        reading_deadline=2,
        correction_window=6,
    )
    roles = Role.PROSUMER | Role.VALIDATOR | Role.OPERATOR
    keys = [key.verify_key.encode() for key in KEYS]
    return Genesis(
        cell_name=b"Elm street",
        first_interval=FIRST_DAY,
        last_timely_round=1,
        admission_keys=(),
        members=(
            FoundingMember(b"roof", keys[0], CONSENSUS.verify_key.encode(), roles),
            FoundingMember(b"flat", keys[1], None, Role.PROSUMER),
        ),
        application=encode_rules(rules),
    )


def write_month(directory: Path, blocks: int = BLOCKS) -> None:
    """A node's directory: daily trades, imbalances, estimates, corrections and payments."""
    directory.mkdir(parents=True)
    genesis = founded()
    (directory / GENESIS_FILE).write_bytes(genesis.encode())
    store = Store.open(directory / LEDGER_FILE, genesis.cell_id, create=True)
    feeds, cell = Feeds(genesis.cell_id), EnergyCell()
    tip, certificate = genesis_tip(genesis, cell), None
    said = [0, 0]
    for height in range(1, blocks + 1):
        _say_day(feeds, FIRST_DAY + height - 1)
        draft = Draft(0, height, FIRST_DAY + height - 1, feeds.heads(), (), certificate)
        block, tip, _ = propose(tip, cell, draft, feeds)
        block_id = block.block_id(genesis.cell_id)
        signed = sign_vote(CONSENSUS, genesis.cell_id, Vote(height, 0, Step.PRECOMMIT, block_id, -1, 0))
        certificate = Certificate(height, 0, block_id, (signed.signature,))
        for index, (member, feed) in enumerate(zip(IDS, feeds.feeds, strict=True)):
            for entry in feed[said[index] :]:
                store.append(member, entry, height)
            said[index] = len(feed)
        store.put_block(height, block_id, block.encode(), certificate.encode())
        store.commit()
    store.close()


def _say_day(feeds: Feeds, day: int) -> None:
    """Orders for the day; readings of the day before yesterday, some of them late, estimated or put right later."""
    feeds.say(0, Kind.ORDER, day, encode_order(Curve((), (CurveStep(100_001, 2_000_003),))))
    feeds.say(1, Kind.ORDER, day, encode_order(Curve((CurveStep(200_000, 1_500_007),), ())))
    read = day - 2
    if read >= FIRST_DAY:
        feeds.say(0, Kind.READING, read, encode_reading(Reading(1_500_000 + 17 * read % 1_001, 0)))
        if read % 7:
            quality = Quality.ESTIMATED if read % 5 == 0 else Quality.MEASURED
            feeds.say(1, Kind.READING, read, encode_reading(Reading(0, 1_400_000 + read % 9_973, quality)))
        if read % 5 == 2 and read - 3 >= FIRST_DAY:
            feeds.say(1, Kind.READING, read - 3, encode_reading(Reading(0, 1_450_011)))
    if day % 10 == 0:
        feeds.say(0, Kind.DEPOSIT, day * DAY_S * 10**9, encode_deposit(Deposit(FLAT, 5 * 10**12)))
        feeds.say(0, Kind.DEPOSIT, day * DAY_S * 10**9 + 1, encode_deposit(Deposit(ROOF, -(10**12))))
