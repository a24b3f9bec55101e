"""The [bidding] section: what it may say, and the bidder and expectations that follow from it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from devices.image import DerKind
from devices.messages.control_messages import (
    Attached,
    DeviceEnergy,
    DeviceReport,
    ImageReport,
    MeterRecord,
    Mode,
)
from ledger.records.genesis import Genesis
from market.bidders.expectations import Expectations
from market.bidders.optimising import OptimisingBidder
from market.bidders.preferences import Goal, Preferences
from market.bidding import Account, Flexibility, SimpleBidder, Storage
from market.cell_state import CellState
from market.forecast import PriceForecast, PriceHistory, SeasonalNaive
from market.forecasting.seasonal import Climate
from market.outcomes import BlockOutcomes, ClearingOutcome
from market.payloads import Curve
from market.rules import TariffStep, decode_rules
from node.configuration.bidding import FORECASTS, carbon_of, configured_bidder, configured_expectations
from node.configuration.bidding_section import BiddingSection
from node.configuration.config import Config, load_config
from node.errors import ConfigError
from node.events import Now
from node.trading.trading import Trading
from sim.cells.keys import FIRST_INTERVAL, Keys, founded

KEYS = Keys.of(0)
GENESIS: Genesis = founded([KEYS])
RULES = decode_rules(GENESIS.application)
CALENDAR = RULES.calendar
STATE = CellState(rules=RULES, last_interval=FIRST_INTERVAL - 1, balances={})  # type: ignore[arg-type]
SEASON = 86_400 // RULES.interval_s


def configured(folder: Path, bidding: str) -> Config:
    (folder / "node.toml").write_text(f'[node]\nname = "ada"\n\n[bidding]\n{bidding}\n', "utf-8")
    return load_config(folder / "node.toml")


def test_without_the_section_nothing_changes(tmp_path: Path) -> None:
    section = configured(tmp_path, "").bidding
    assert section == BiddingSection()
    assert configured_bidder(section, SEASON) == SimpleBidder()
    assert configured_expectations(configured(tmp_path, ""), RULES, SEASON, Now(0, 0, 1)) is None


def test_the_owners_wishes_reach_the_bidder(tmp_path: Path) -> None:
    text = 'strategy = "optimising"\ngoal = "independent"\nprice_floor = 0.1\nprice_cap = 0.25'
    bidder = configured_bidder(configured(tmp_path, text).bidding, SEASON)
    assert bidder == OptimisingBidder(SEASON, Preferences(Goal.INDEPENDENT, 100_000, 250_000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('strategy = "lucky"', "'threshold', 'optimising', 'truthful' or 'zero-intelligence'"),
        ('strategy = "optimising"\ngoal = "greenest"', "the goal greenest needs carbon: 24 values"),
        (
            'goal = "independent"',
            'the goal independent needs strategy = "optimising"; threshold knows no goal',
        ),
        ("carbon = [1.0, 2.0]", "carbon has 2 values; give 24"),
        ("price_cap = -0.1", "greater than or equal to 0"),
        ("horizon_hours = 0", "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    (mistake,) = caught.value.mistakes
    assert "bidding" in mistake
    assert message in mistake


def test_carbon_follows_the_hour_of_the_day(tmp_path: Path) -> None:
    hours = ", ".join(f"{hour}.0" for hour in range(24))
    section = configured(tmp_path, f'strategy = "optimising"\ngoal = "greenest"\ncarbon = [{hours}]').bidding
    assert [carbon_of(section, 1800)(interval) for interval in (0, 1, 2, 47, 48)] == [0, 0, 1, 23, 0]
    assert carbon_of(BiddingSection(), 1800)(17) == 0


@pytest.mark.parametrize("forecast", FORECASTS)
def test_expectations_know_the_past_of_the_profile(tmp_path: Path, forecast: str) -> None:
    start_ns = CALENDAR.start_ns(FIRST_INTERVAL)
    past = range(FIRST_INTERVAL - 3 * SEASON, FIRST_INTERVAL + 1)
    rows = ["start_ns,load_w,pv_w", *(f"{CALENDAR.start_ns(each)},{500 + each % SEASON},0" for each in past)]
    (tmp_path / "profile.csv").write_text("\n".join(rows) + "\n", "utf-8")
    text = f'strategy = "optimising"\nforecast = "{forecast}"\n\n[site]\nprofile = "profile.csv"'
    config = configured(tmp_path, text)
    expectations = configured_expectations(config, RULES, SEASON, Now(0, start_ns, 1))
    assert expectations is not None
    expected = expectations.expected(FIRST_INTERVAL + 1)
    watts = 500 + (FIRST_INTERVAL + 1) % SEASON
    assert expected == (pytest.approx(watts * 1000 * RULES.interval_s // 3600, rel=0.02), 0)


@dataclass(slots=True)
class Asked:
    """A bidder that remembers what it was told."""

    told: list[tuple[Flexibility, PriceForecast]] = field(default_factory=list)

    def orders(self, flexibility: Flexibility, forecast: PriceForecast, account: Account) -> Curve:
        self.told.append((flexibility, forecast))
        return Curve()


def looking_ahead() -> tuple[Trading, Asked]:
    rule = RULES.member(KEYS.member)
    assert rule is not None
    bidder = Asked()
    trading = Trading(
        rules=RULES,
        rule=rule,
        bidder=bidder,
        first_interval=FIRST_INTERVAL,
        last_trading_interval=None,
        order_lead_ns=10,
        efficiency_ppm=900_000,
        load=SeasonalNaive(SEASON),
        generation=SeasonalNaive(SEASON),
        prices=PriceHistory(SEASON),
        expectations=Expectations(SEASON, Climate),
        horizon=5,
        carbon=float,
        wear=20_000,
    )
    return trading, bidder


def test_a_bidder_that_looks_ahead_is_shown_its_horizon_and_its_storage() -> None:
    trading, bidder = looking_ahead()
    now = Now(0, CALENDAR.gate_closure_ns(FIRST_INTERVAL) - 5, 1)
    battery = DeviceReport("battery", DerKind.BATTERY, 0.0, 0.0, 6.0, None)
    report = ImageReport(0, 0, 0, 0.0, 4.0, 6.0, Mode.GRID_SUPPORT, "position", "position", True, (battery,))
    trading.attached(Attached(1, 3.0, 5.0, 12.0))
    trading.measured(report)
    trading.read(
        MeterRecord(FIRST_INTERVAL - 2, 0, 700, True, (DeviceEnergy("load", DerKind.LOAD, 0, 700),)), now
    )
    trading.bid(STATE, now)
    ((flexibility, forecast),) = bidder.told
    interval = flexibility.interval
    energy = RULES.interval_s * 1000 // 3600
    storage = flexibility.storage
    assert storage is not None
    assert storage == Storage(storage.room, storage.stored, 3 * energy, 5 * energy, 900_000, 20_000)
    assert storage.room + storage.stored == 10_000
    assert storage.room > 4_000, "what the load of the running interval still takes makes room"
    assert (flexibility.charge, flexibility.discharge) == (
        min(storage.room, 3 * energy),
        min(storage.stored, 5 * energy),
    )
    assert flexibility.load == 700
    assert [outlook.carbon for outlook in forecast.horizon] == [float(interval + ahead) for ahead in range(5)]
    tariff = RULES.tariff_at(interval)
    assert forecast.horizon[0].buy == (float(tariff.import_price),)
    assert forecast.horizon[0].surplus[2] == pytest.approx(-700)


def test_local_prices_are_learned_as_places_between_the_tariffs() -> None:
    trading, _ = looking_ahead()
    assert trading.expectations is not None
    now = Now(0, CALENDAR.gate_closure_ns(FIRST_INTERVAL) - 5, 1)
    tariff = TariffStep(0, 300_000, 100_000)
    quiet = ClearingOutcome(FIRST_INTERVAL, tariff, (None, 150_000, None), (0, 0, 0), 0, 0, 0, 0, (), ())
    branch = trading.rule.branch
    clearing = replace(quiet, prices=tuple(150_000 if index == branch else None for index in range(3)))
    trading.decided(STATE, BlockOutcomes(1, range(0), None, (), clearing, (), (), (), ()), True, now)
    trading.expectations.metered(FIRST_INTERVAL, 0, 0)
    (outlook,) = trading.expectations.horizon(
        FIRST_INTERVAL + 1, 1, lambda _: (400_000, 200_000), lambda _: 0.0
    )
    assert outlook.buy == pytest.approx((250_000.0,) * 5)
    assert outlook.sell == pytest.approx((250_000.0,) * 5)
